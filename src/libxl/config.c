/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/config.h"

#include <libxl_utils.h>
#include <string.h>

#include "base/error.h"
#include "libxl/driver_private.h"

/* libxl frees what is in its structs with free(): its strings are made with the C library's allocator. */
static char *
copy (const char *text)
{
  return text ? strdup (text) : NULL;
}

static const libxl_domain_type types[] = {
  [XF_GUEST_PV] = LIBXL_DOMAIN_TYPE_PV,
  [XF_GUEST_PVH] = LIBXL_DOMAIN_TYPE_PVH,
  [XF_GUEST_HVM] = LIBXL_DOMAIN_TYPE_HVM,
};

static const libxl_action_on_shutdown actions[] = {
  [XF_ACTION_DESTROY] = LIBXL_ACTION_ON_SHUTDOWN_DESTROY,
  [XF_ACTION_RESTART] = LIBXL_ACTION_ON_SHUTDOWN_RESTART,
  [XF_ACTION_RENAME_RESTART] = LIBXL_ACTION_ON_SHUTDOWN_RESTART_RENAME,
  [XF_ACTION_PRESERVE] = LIBXL_ACTION_ON_SHUTDOWN_PRESERVE,
  [XF_ACTION_COREDUMP_DESTROY] = LIBXL_ACTION_ON_SHUTDOWN_COREDUMP_DESTROY,
  [XF_ACTION_COREDUMP_RESTART] = LIBXL_ACTION_ON_SHUTDOWN_COREDUMP_RESTART,
};

static char **
split_args (const char *text)
{
  g_auto (GStrv) words = NULL;
  char **list;
  int n;

  if (!text || !g_shell_parse_argv (text, &n, &words, NULL))
    return NULL;
  list = calloc (n + 1, sizeof (char *));
  for (int i = 0; i < n; i++)
    list[i] = strdup (words[i]);
  return list;
}

static void
fill_create_info (const XfDomainDef *def, libxl_domain_create_info *info)
{
  info->type = types[def->type];
  info->name = copy (def->name);
  memcpy (info->uuid.uuid, def->uuid, XF_UUID_SIZE);
  if (def->hap >= 0 && def->type != XF_GUEST_PV)
    libxl_defbool_set (&info->hap, def->hap);
}

static gboolean
fill_vcpus (const XfDomainDef *def, libxl_domain_build_info *info, GError **error)
{
  info->max_vcpus = def->vcpus;
  /* Sized by us: libxl_cpu_bitmap_alloc would ask a hypervisor only for size 0. */
  if (libxl_cpu_bitmap_alloc (NULL, &info->avail_vcpus, def->vcpus) != 0) {
    g_set_error (error, XF_ERROR, XF_ERROR_INTERNAL, "no memory for a map of %u vCPUs", def->vcpus);
    return FALSE;
  }
  libxl_bitmap_set_none (&info->avail_vcpus);
  for (guint i = 0; i < def->vcpus_current; i++)
    libxl_bitmap_set (&info->avail_vcpus, i);
  return TRUE;
}

static void
fill_boot (const XfDomainDef *def, libxl_domain_build_info *info)
{
  info->kernel = copy (def->kernel);
  info->ramdisk = copy (def->initrd);
  info->cmdline = copy (def->cmdline);
  info->bootloader = copy (def->bootloader);
  info->bootloader_args = split_args (def->bootloader_args);
  if (def->type == XF_GUEST_PV && !def->bootloader && !def->kernel)
    info->bootloader = copy ("pygrub");
}

static void
fill_hvm (const XfDomainDef *def, libxl_domain_build_info *info)
{
  /* Said or not said: a feature that is absent from the XML is off (reference: libvirt's driver). */
  libxl_defbool_set (&info->u.hvm.pae, TRUE);
  libxl_defbool_set (&info->apic, def->apic);
  libxl_defbool_set (&info->acpi, def->acpi);
  info->u.hvm.boot = copy (def->boot);
  if (def->efi)
    info->u.hvm.bios = LIBXL_BIOS_TYPE_OVMF;
  if (def->emulator) {
    info->device_model = copy (def->emulator);
    info->device_model_version = LIBXL_DEVICE_MODEL_VERSION_QEMU_XEN;
  }
}

static gboolean
fill_build_info (const XfDomainDef *def, libxl_domain_build_info *info, GError **error)
{
  libxl_domain_build_info_init_type (info, types[def->type]);
  info->max_memkb = def->memory_kib;
  info->target_memkb = def->current_kib;
  libxl_defbool_set (&info->localtime, def->localtime);
  info->rtc_timeoffset = def->rtc_offset_s;
  fill_boot (def, info);
  if (def->type == XF_GUEST_HVM)
    fill_hvm (def, info);
  return fill_vcpus (def, info, error);
}

gboolean
xf_config_from_def (const XfDomainDef *def, libxl_domain_config *config_out, GError **error)
{
  fill_create_info (def, &config_out->c_info);
  if (!fill_build_info (def, &config_out->b_info, error))
    return FALSE;
  xf_config_devices (def, config_out);
  config_out->on_poweroff = actions[def->on_poweroff];
  config_out->on_reboot = actions[def->on_reboot];
  config_out->on_crash = actions[def->on_crash];
  config_out->on_watchdog = LIBXL_ACTION_ON_SHUTDOWN_DESTROY;
  config_out->on_soft_reset = LIBXL_ACTION_ON_SHUTDOWN_SOFT_RESET;
  return TRUE;
}

gboolean
xf_config_check_memory (XfDriver *driver, libxl_domain_config *config, guint64 promised_kib, GError **error)
{
  libxl_ctx *libxl = xf_ctx_libxl (driver->ctx);
  uint64_t need = 0, free_kib = 0;
  guint64 there;

  if (libxl_domain_need_memory (libxl, config, 0, &need) != 0 || libxl_get_free_memory (libxl, &free_kib) != 0) {
    g_set_error (error, XF_ERROR, XF_ERROR_INTERNAL, "Xen does not say how much memory it has or domain '%s' needs",
                 config->c_info.name);
    return FALSE;
  }
  there = free_kib > promised_kib ? free_kib - promised_kib : 0;
  if (need <= there)
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_FAILED,
               "not enough memory on host '%s' for domain '%s': it needs %" G_GUINT64_FORMAT " MiB, %" G_GUINT64_FORMAT
               " MiB are free, %" G_GUINT64_FORMAT " MiB are missing",
               driver->hostname, config->c_info.name, (guint64)need / 1024, there / 1024, (need - there + 1023) / 1024);
  return FALSE;
}
