/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Information about the host and its domains.
 */
#include <dlfcn.h>
#include <libxl_utils.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/sim.h"

/* Simulated hosts on one machine can have names of their own. */
int
gethostname (char *name, size_t length)
{
  const char *own = getenv ("XF_SIM_NAME");
  int (*real) (char *, size_t) = dlsym (RTLD_NEXT, "gethostname");

  if (!own)
    return real (name, length);
  g_strlcpy (name, own, length);
  return 0;
}

static void
dom0_info (libxl_dominfo *info)
{
  memset (info->uuid.uuid, 0, 16);
  info->domid = 0;
  info->running = true;
  info->current_memkb = host_dom0_kib (sim_dir ());
  info->max_memkb = info->current_memkb;
  info->cpu_time = g_get_monotonic_time () * 10;
  info->vcpu_online = info->vcpu_max_id = 1;
  info->domain_type = LIBXL_DOMAIN_TYPE_PV;
}

static void
block_info (const SimBlock *block, libxl_dominfo *info)
{
  memcpy (info->uuid.uuid, block->uuid, 16);
  info->domid = block->domid;
  info->dying = block->state == SIM_DYING;
  info->paused = block->paused != 0 && !info->dying;
  info->shutdown = block->state == SIM_SHUTDOWN || block->state == SIM_SUSPENDED;
  info->running = !info->paused && !info->shutdown && !info->dying;
  info->shutdown_reason = info->shutdown ? (libxl_shutdown_reason)block->shutdown_reason
                                         : LIBXL_SHUTDOWN_REASON_UNKNOWN;
  info->current_memkb = host_block_kib (block);
  info->max_memkb = block->n_pages * (SIM_PAGE / 1024);
  info->cpu_time = block->cpu_time_ns;
  info->vcpu_online = block->vcpus;
  info->vcpu_max_id = block->vcpus - 1;
  info->domain_type = block->type;
}

int
sim_domain_info (libxl_dominfo *info, guint32 domid)
{
  SimBlock *block = domid ? host_block_map (sim_dir (), domid) : NULL;

  if (domid && !block)
    return ERROR_DOMAIN_NOTFOUND;
  if (info) {
    libxl_dominfo_init (info);
    if (block)
      block_info (block, info);
    else
      dom0_info (info);
  }
  host_block_unmap (block);
  return 0;
}

int
libxl_domain_info (libxl_ctx *ctx, libxl_dominfo *info, uint32_t domid)
{
  return sim_fails (ctx, __func__) ? ERROR_FAIL : sim_domain_info (info, domid);
}

libxl_dominfo *
libxl_list_domain (libxl_ctx *ctx, int *n_out)
{
  g_autoptr (GArray) ids = host_domains (sim_dir ());
  libxl_dominfo *list;
  int n = 0;

  if (sim_fails (ctx, __func__))
    return NULL;
  list = calloc (ids->len + 1, sizeof (*list));
  libxl_dominfo_init (&list[n]);
  dom0_info (&list[n++]);
  for (guint i = 0; i < ids->len; i++) {
    if (sim_domain_info (&list[n], g_array_index (ids, guint32, i)) == 0)
      n++;
  }
  *n_out = n;
  return list;
}

static int
find_name (const char *name, uint32_t *domid_out)
{
  g_autoptr (GArray) ids = host_domains (sim_dir ());
  int rc = ERROR_INVAL;

  for (guint i = 0; i < ids->len && rc != 0; i++) {
    guint32 domid = g_array_index (ids, guint32, i);
    SimBlock *block = host_block_map (sim_dir (), domid);

    if (block && block->state != SIM_DYING && strncmp (block->name, name, sizeof (block->name)) == 0) {
      *domid_out = domid;
      rc = 0;
    }
    host_block_unmap (block);
  }
  return rc;
}

int
libxl_name_to_domid (libxl_ctx *ctx, const char *name, uint32_t *domid_out)
{
  return sim_fails (ctx, __func__) ? ERROR_FAIL : find_name (name, domid_out);
}

char *
libxl_domid_to_name (libxl_ctx *ctx, uint32_t domid)
{
  SimBlock *block;
  char *name;

  if (sim_fails (ctx, __func__))
    return NULL;
  block = domid ? host_block_map (sim_dir (), domid) : NULL;
  name = domid ? block && block->state != SIM_DYING ? strdup (block->name) : NULL : strdup ("Domain-0");
  host_block_unmap (block);
  return name;
}

/* A number is a domid, any other text a name. */
int
libxl_domain_qualifier_to_domid (libxl_ctx *ctx, const char *name, uint32_t *domid_out)
{
  guint64 number;

  if (sim_fails (ctx, __func__))
    return ERROR_FAIL;
  if (!g_ascii_string_to_unsigned (name, 10, 0, G_MAXUINT16, &number, NULL))
    return find_name (name, domid_out);
  *domid_out = number;
  return sim_domain_info (NULL, number);
}

libxl_vcpuinfo *
libxl_list_vcpu (libxl_ctx *ctx, uint32_t domid, int *n_out, int *host_cpus_out)
{
  SimBlock *block;
  libxl_vcpuinfo *list;
  int n;

  if (sim_fails (ctx, __func__))
    return NULL;
  block = domid ? host_block_map (sim_dir (), domid) : NULL;
  n = block ? block->vcpus : 1;
  list = calloc (n, sizeof (*list));
  *host_cpus_out = sysconf (_SC_NPROCESSORS_ONLN);
  for (int i = 0; i < n; i++) {
    libxl_vcpuinfo_init (&list[i]);
    list[i].vcpuid = i;
    list[i].online = true;
    list[i].blocked = true;
    list[i].vcpu_time = block ? block->cpu_time_ns / n : 0;
    libxl_bitmap_alloc (ctx, &list[i].cpumap, *host_cpus_out);
    libxl_bitmap_set_any (&list[i].cpumap);
  }
  host_block_unmap (block);
  *n_out = n;
  return list;
}

static int
tty_of (guint32 domid, char **path)
{
  SimBlock *block = host_block_map (sim_dir (), domid);

  *path = block && block->tty[0] ? strdup (block->tty) : NULL;
  host_block_unmap (block);
  return *path ? 0 : ERROR_FAIL;
}

int
libxl_primary_console_get_tty (libxl_ctx *ctx, uint32_t domid, char **path)
{
  return sim_fails (ctx, __func__) ? ERROR_FAIL : tty_of (domid, path);
}

int
libxl_console_get_tty (libxl_ctx *ctx, uint32_t domid, int number, libxl_console_type type, char **path)
{
  return sim_fails (ctx, __func__) ? ERROR_FAIL : tty_of (domid, path);
}

/* ---- the host --------------------------------------------------------------------------------------------- */

const libxl_version_info *
libxl_get_version_info (libxl_ctx *ctx)
{
  static char extra[] = ".0-simulated", none[] = "";
  static char capabilities[] = "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64";
  static libxl_version_info version = {
    .xen_version_major = 4,
    .xen_version_minor = 17,
    .xen_version_extra = extra,
    .compiler = none,
    .compile_by = none,
    .compile_domain = none,
    .compile_date = none,
    .capabilities = capabilities,
    .changeset = none,
    .commandline = none,
    .pagesize = SIM_PAGE,
    .build_id = none,
  };

  return sim_fails (ctx, __func__) ? NULL : &version;
}

/* Of a server of 2021. */
static const uint32_t usual_features[] = {
  0xbfebfbff, 0x77fef3ff, 0x2c100800, 0x00000121, 0x0000000f, 0xf1bf07ab, 0x00405f4e, 0x00000100,
};

/* Words that the control file does not give are 0. */
static void
fill_features (libxl_hwcap words)
{
  g_autofree char *text = host_control (sim_dir (), NULL, "hw-cap");
  g_auto (GStrv) given = text ? g_strsplit (text, "-", -1) : NULL;

  for (gsize i = 0; given && given[i] && i < G_N_ELEMENTS (usual_features); i++)
    words[i] = g_ascii_strtoull (given[i], NULL, 16);
  if (!given)
    memcpy (words, usual_features, sizeof (usual_features));
}

int
libxl_get_physinfo (libxl_ctx *ctx, libxl_physinfo *info)
{
  int cpus = sysconf (_SC_NPROCESSORS_ONLN);

  if (sim_fails (ctx, __func__))
    return ERROR_FAIL;
  libxl_physinfo_init (info);
  info->threads_per_core = 1;
  info->cores_per_socket = cpus;
  info->max_cpu_id = cpus - 1;
  info->nr_cpus = cpus;
  info->cpu_khz = 2000000;
  info->total_pages = host_total_kib (sim_dir ()) / (SIM_PAGE / 1024);
  info->free_pages = host_free_kib (sim_dir ()) / (SIM_PAGE / 1024);
  info->nr_nodes = 1;
  fill_features (info->hw_cap);
  info->cap_hvm = info->cap_pv = true;
  info->cap_hap = host_control_number (sim_dir (), NULL, "hap", 1) != 0;
  info->cap_shadow = host_control_number (sim_dir (), NULL, "shadow", 1) != 0;
  return 0;
}

int
libxl_get_free_memory (libxl_ctx *ctx, uint64_t *kib)
{
  if (sim_fails (ctx, __func__))
    return ERROR_FAIL;
  *kib = host_free_kib (sim_dir ());
  return 0;
}

int
libxl_get_free_memory_0x040700 (libxl_ctx *ctx, uint32_t *kib)
{
  if (sim_fails (ctx, __func__))
    return ERROR_FAIL;
  *kib = host_free_kib (sim_dir ());
  return 0;
}

int
libxl_domain_need_memory (libxl_ctx *ctx, libxl_domain_config *config, uint32_t domid, uint64_t *need)
{
  if (sim_fails (ctx, __func__))
    return ERROR_FAIL;
  *need = config->b_info.max_memkb;
  return 0;
}

int
libxl_wait_for_memory_target (libxl_ctx *ctx, uint32_t domid, int seconds)
{
  return sim_fails (ctx, __func__) ? ERROR_FAIL : 0;
}

int
libxl_get_max_cpus (libxl_ctx *ctx)
{
  return sim_fails (ctx, __func__) ? ERROR_FAIL : sysconf (_SC_NPROCESSORS_ONLN);
}

int
libxl_get_online_cpus (libxl_ctx *ctx)
{
  return sim_fails (ctx, __func__) ? ERROR_FAIL : sysconf (_SC_NPROCESSORS_ONLN);
}

int
libxl_get_max_nodes (libxl_ctx *ctx)
{
  return sim_fails (ctx, __func__) ? ERROR_FAIL : 1;
}

libxl_numainfo *
libxl_get_numainfo (libxl_ctx *ctx, int *n)
{
  libxl_numainfo *cell;

  if (sim_fails (ctx, __func__))
    return NULL;
  cell = calloc (1, sizeof (*cell));
  libxl_numainfo_init (cell);
  cell->size = host_total_kib (sim_dir ()) * 1024;
  cell->free = host_free_kib (sim_dir ()) * 1024;
  cell->num_dists = 1;
  cell->dists = calloc (1, sizeof (*cell->dists));
  cell->dists[0] = 10;
  *n = 1;
  return cell;
}

libxl_cputopology *
libxl_get_cpu_topology (libxl_ctx *ctx, int *n)
{
  libxl_cputopology *list;

  if (sim_fails (ctx, __func__))
    return NULL;
  *n = sysconf (_SC_NPROCESSORS_ONLN);
  list = calloc (*n, sizeof (*list));
  for (int i = 0; i < *n; i++)
    list[i] = (libxl_cputopology){ .core = i, .socket = 0, .node = 0 };
  return list;
}

/* ---- devices: from the configuration ---------------------------------------------------------------------- */

libxl_device_disk *
libxl_device_disk_list (libxl_ctx *ctx, uint32_t domid, int *n)
{
  libxl_domain_config config;
  libxl_device_disk *disks = NULL;

  *n = 0;
  if (sim_fails (ctx, __func__))
    return NULL;
  libxl_domain_config_init (&config);
  if (sim_configuration (ctx, domid, &config) == 0) {
    disks = config.disks;
    *n = config.num_disks;
    config.disks = NULL;
    config.num_disks = 0;
  }
  libxl_domain_config_dispose (&config);
  return disks;
}
