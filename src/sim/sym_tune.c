/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Changes of a running domain: memory, processors, scheduling, devices. The memory target takes effect at once (the
 * guest gives no pages back); the rest is kept in the domain's configuration and read from there, so it survives the
 * daemon as under Xen. Calls that are not simulated fail by name; the real library, which would use a hypervisor
 * interface that does not exist, is never called.
 */
#include <libxl_utils.h>
#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"

#define KIB_A_PAGE (SIM_PAGE / 1024)

/* ---- memory ----------------------------------------------------------------------------------------------- */

int
libxl_set_memory_target (libxl_ctx *ctx, uint32_t domid, int64_t target, int relative, int enforce)
{
  SimBlock *block;
  gint64 limit;
  int rc = ERROR_DOMAIN_NOTFOUND;

  if (sim_fails (ctx, __func__))
    return ERROR_FAIL;
  block = domid ? host_block_map (sim_dir (), domid) : NULL;
  limit = block ? (gint64)(block->n_pages * KIB_A_PAGE) : 0;
  if (domid == 0) {
    gint64 wanted = relative ? (gint64)host_dom0_kib (sim_dir ()) + target : target;

    return wanted > 0 && host_set_dom0_kib (sim_dir (), wanted) ? 0 : ERROR_INVAL;
  }
  if (block) {
    gint64 wanted = relative ? (gint64)host_block_kib (block) + target : target;

    rc = wanted > 0 && wanted <= limit ? 0 : ERROR_INVAL;
    if (rc == 0)
      block->target_kib = wanted;
    else
      sim_error (ctx, "domain %u: memory target %" G_GINT64_FORMAT " KiB is not between 0 and %" G_GINT64_FORMAT, domid,
                 wanted, limit);
  }
  host_block_unmap (block);
  return rc;
}

int
libxl_get_memory_target (libxl_ctx *ctx, uint32_t domid, uint64_t *target)
{
  SimBlock *block;

  if (sim_fails (ctx, __func__))
    return ERROR_FAIL;
  block = domid ? host_block_map (sim_dir (), domid) : NULL;
  if (domid == 0)
    *target = host_dom0_kib (sim_dir ());
  if (!block)
    return domid == 0 ? 0 : ERROR_DOMAIN_NOTFOUND;
  *target = host_block_kib (block);
  host_block_unmap (block);
  return 0;
}

/* As under Xen, at most the memory that the guest was built with: its memory map does not grow. */
int
libxl_domain_setmaxmem (libxl_ctx *ctx, uint32_t domid, uint64_t max_memkb)
{
  SimBlock *block;
  int rc;

  if (sim_fails (ctx, __func__))
    return ERROR_FAIL;
  block = host_block_map (sim_dir (), domid);
  rc = !block ? ERROR_DOMAIN_NOTFOUND : max_memkb < host_block_kib (block) ? ERROR_FAIL : 0;
  host_block_unmap (block);
  return rc;
}

/* ---- the configuration ------------------------------------------------------------------------------------ */

/* Calls @change with the domain's configuration and stores the result. */
static int
change_config (libxl_ctx *ctx, uint32_t domid, SimChange change, const void *data)
{
  g_autofree char *path = host_path (sim_dir (), "domains/%u/config.json", domid);
  libxl_domain_config config;
  char *json = NULL;
  int rc;

  libxl_domain_config_init (&config);
  sim_lock ();
  rc = sim_configuration (ctx, domid, &config);
  if (rc == 0)
    rc = change (ctx, &config, data);
  if (rc == 0)
    json = libxl_domain_config_to_json (ctx, &config);
  if (json && !g_file_set_contents (path, json, -1, NULL))
    rc = ERROR_FAIL;
  sim_unlock ();
  free (json);
  libxl_domain_config_dispose (&config);
  return rc;
}

static int
add_disk (libxl_ctx *ctx, libxl_domain_config *config, const void *data)
{
  const libxl_device_disk *disk = data;

  for (int i = 0; i < config->num_disks; i++) {
    if (g_strcmp0 (config->disks[i].vdev, disk->vdev) == 0) {
      sim_error (ctx, "device %s exists already", disk->vdev);
      return ERROR_DEVICE_EXISTS;
    }
  }
  config->disks = realloc (config->disks, (config->num_disks + 1) * sizeof (*config->disks));
  libxl_device_disk_init (&config->disks[config->num_disks]);
  libxl_device_disk_copy (ctx, &config->disks[config->num_disks++], disk);
  return 0;
}

static int
remove_disk (libxl_ctx *ctx, libxl_domain_config *config, const void *data)
{
  const libxl_device_disk *disk = data;

  for (int i = 0; i < config->num_disks; i++) {
    if (g_strcmp0 (config->disks[i].vdev, disk->vdev) != 0)
      continue;
    libxl_device_disk_dispose (&config->disks[i]);
    config->num_disks--;
    memmove (&config->disks[i], &config->disks[i + 1], (config->num_disks - i) * sizeof (*config->disks));
    return 0;
  }
  return ERROR_NOTFOUND;
}

static int
add_nic (libxl_ctx *ctx, libxl_domain_config *config, const void *data)
{
  config->nics = realloc (config->nics, (config->num_nics + 1) * sizeof (*config->nics));
  libxl_device_nic_init (&config->nics[config->num_nics]);
  libxl_device_nic_copy (ctx, &config->nics[config->num_nics++], data);
  return 0;
}

static int
remove_nic (libxl_ctx *ctx, libxl_domain_config *config, const void *data)
{
  const libxl_device_nic *nic = data;

  for (int i = 0; i < config->num_nics; i++) {
    if (memcmp (config->nics[i].mac, nic->mac, sizeof (nic->mac)) != 0)
      continue;
    libxl_device_nic_dispose (&config->nics[i]);
    config->num_nics--;
    memmove (&config->nics[i], &config->nics[i + 1], (config->num_nics - i) * sizeof (*config->nics));
    return 0;
  }
  return ERROR_NOTFOUND;
}

int
sim_change_device (libxl_ctx *ctx, uint32_t domid, const libxl_asyncop_how *how, const char *call, SimChange change,
                   const void *data)
{
  guint32 number = sim_fails (ctx, call);

  if (number)
    return sim_failed (ctx, how, number, ERROR_FAIL);
  return sim_done (ctx, how, change_config (ctx, domid, change, data));
}

int
libxl_device_disk_add (libxl_ctx *ctx, uint32_t domid, libxl_device_disk *disk, const libxl_asyncop_how *how)
{
  return sim_change_device (ctx, domid, how, __func__, add_disk, disk);
}

int
libxl_device_disk_remove (libxl_ctx *ctx, uint32_t domid, libxl_device_disk *disk, const libxl_asyncop_how *how)
{
  return sim_change_device (ctx, domid, how, __func__, remove_disk, disk);
}

int
libxl_device_nic_add (libxl_ctx *ctx, uint32_t domid, libxl_device_nic *nic, const libxl_asyncop_how *how)
{
  return sim_change_device (ctx, domid, how, __func__, add_nic, nic);
}

int
libxl_device_nic_remove (libxl_ctx *ctx, uint32_t domid, libxl_device_nic *nic, const libxl_asyncop_how *how)
{
  return sim_change_device (ctx, domid, how, __func__, remove_nic, nic);
}

int
libxl_mac_to_device_nic (libxl_ctx *ctx, uint32_t domid, const char *mac, libxl_device_nic *nic)
{
  libxl_domain_config config;
  int rc;

  if (sim_fails (ctx, __func__))
    return ERROR_FAIL;
  libxl_domain_config_init (&config);
  rc = sim_configuration (ctx, domid, &config);
  for (int i = 0; rc == 0 && i < config.num_nics; i++) {
    g_autofree char *own = g_strdup_printf (LIBXL_MAC_FMT, LIBXL_MAC_BYTES (config.nics[i].mac));

    if (g_ascii_strcasecmp (own, mac) != 0)
      continue;
    libxl_device_nic_init (nic);
    libxl_device_nic_copy (ctx, nic, &config.nics[i]);
    libxl_domain_config_dispose (&config);
    return 0;
  }
  libxl_domain_config_dispose (&config);
  return rc == 0 ? ERROR_NOTFOUND : rc;
}

/* ---- processors and scheduling ---------------------------------------------------------------------------- */

static int
exists (uint32_t domid)
{
  return sim_domain_info (NULL, domid);
}

int
libxl_set_vcpuaffinity (libxl_ctx *ctx, uint32_t domid, uint32_t vcpu, const libxl_bitmap *hard,
                        const libxl_bitmap *soft)
{
  return sim_fails (ctx, __func__) ? ERROR_FAIL : exists (domid);
}

int
libxl_set_vcpuonline (libxl_ctx *ctx, uint32_t domid, libxl_bitmap *cpus, const libxl_asyncop_how *how)
{
  guint32 number = sim_fails (ctx, __func__);
  int n = libxl_bitmap_count_set (cpus), rc;
  SimBlock *block;

  if (number)
    return sim_failed (ctx, how, number, ERROR_FAIL);
  block = host_block_map (sim_dir (), domid);
  rc = !block ? ERROR_DOMAIN_NOTFOUND : n < 1 || (guint)n > block->vcpus ? ERROR_INVAL : 0;
  host_block_unmap (block);
  return sim_done (ctx, how, rc);
}

int
libxl_get_scheduler (libxl_ctx *ctx)
{
  return sim_fails (ctx, __func__) ? ERROR_FAIL : LIBXL_SCHEDULER_CREDIT2;
}

static int
set_sched (libxl_ctx *ctx, libxl_domain_config *config, const void *data)
{
  const libxl_domain_sched_params *params = data;

  if (params->weight != LIBXL_DOMAIN_SCHED_PARAM_WEIGHT_DEFAULT)
    config->b_info.sched_params.weight = params->weight;
  if (params->cap != LIBXL_DOMAIN_SCHED_PARAM_CAP_DEFAULT)
    config->b_info.sched_params.cap = params->cap;
  return 0;
}

int
libxl_domain_sched_params_set (libxl_ctx *ctx, uint32_t domid, const libxl_domain_sched_params *params)
{
  SimBlock *block;

  if (sim_fails (ctx, __func__))
    return ERROR_FAIL;
  block = host_block_map (sim_dir (), domid);
  if (block && params->cap >= 0) {
    block->cap = (guint32)params->cap;
    host_trace (sim_dir (), "cap %s %d", block->name, params->cap);
  }
  host_block_unmap (block);
  return change_config (ctx, domid, set_sched, params);
}

int
libxl_domain_sched_params_get (libxl_ctx *ctx, uint32_t domid, libxl_domain_sched_params *params)
{
  libxl_domain_config config;
  int rc;

  if (sim_fails (ctx, __func__))
    return ERROR_FAIL;
  libxl_domain_config_init (&config);
  rc = sim_configuration (ctx, domid, &config);
  libxl_domain_sched_params_init (params);
  params->sched = LIBXL_SCHEDULER_CREDIT2;
  params->weight = config.b_info.sched_params.weight > 0 ? config.b_info.sched_params.weight : 256;
  params->cap = config.b_info.sched_params.cap > 0 ? config.b_info.sched_params.cap : 0;
  libxl_domain_config_dispose (&config);
  return rc;
}

int
libxl_domain_get_nodeaffinity (libxl_ctx *ctx, uint32_t domid, libxl_bitmap *nodes)
{
  if (sim_fails (ctx, __func__))
    return ERROR_FAIL;
  libxl_bitmap_set_any (nodes);
  return exists (domid);
}

/* ---- not simulated ---------------------------------------------------------------------------------------- */

static int
not_simulated (libxl_ctx *ctx, const libxl_asyncop_how *how, const char *what)
{
  sim_error (ctx, "%s is not simulated", what);
  return sim_done (ctx, how, ERROR_NI);
}

int
libxl_domain_suspend_only (libxl_ctx *ctx, uint32_t domid, const libxl_asyncop_how *how)
{
  return not_simulated (ctx, how, __func__);
}

#define NOT_SIMULATED(call, Device)                                                                                    \
  int call (libxl_ctx *ctx, uint32_t domid, Device *device, const libxl_asyncop_how *how)                              \
  {                                                                                                                    \
    return not_simulated (ctx, how, __func__);                                                                         \
  }

NOT_SIMULATED (libxl_cdrom_insert, libxl_device_disk)
NOT_SIMULATED (libxl_device_pci_remove, libxl_device_pci)
NOT_SIMULATED (libxl_device_usbctrl_add, libxl_device_usbctrl)

libxl_device_channel *
libxl_device_channel_list (libxl_ctx *ctx, uint32_t domid, int *n)
{
  *n = 0;
  return NULL;
}
