/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A definition as libxl's configuration: its identity, its boot method, an HVM guest's machine. vCPUs and clock are
 * in convert/cpu.c, devices in convert/devices.c.
 */
#include "libxl/convert/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "libxl/convert/private.h"

/* libxl frees the members of its structs with free(), so their strings come from the C library's allocator. */
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

gboolean
xf_config_refuse (const XfDomainDef *def, GError **error, const char *format, ...)
{
  g_autofree char *what = NULL;
  va_list args;

  va_start (args, format);
  what = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, XF_ERROR, XF_ERROR_CONFIG_UNSUPPORTED, "domain '%s': %s", def->name, what);
  return FALSE;
}

/* Splits at blanks, as libvirt's driver does. */
static char **
split_args (const char *text)
{
  g_auto (GStrv) words = g_strsplit_set (text ? text : "", " \t\n", -1);
  char **list;
  guint n = 0;

  if (!text)
    return NULL;
  list = calloc (g_strv_length (words) + 1, sizeof (char *));
  for (char **word = words; *word; word++) {
    if (**word)
      list[n++] = strdup (*word);
  }
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

static void
fill_boot (const XfDomainDef *def, libxl_domain_build_info *info)
{
  info->kernel = copy (def->kernel);
  info->ramdisk = copy (def->initrd);
  info->cmdline = copy (def->cmdline);
  if (def->type == XF_GUEST_HVM)
    return;
  info->bootloader = copy (def->bootloader);
  info->bootloader_args = split_args (def->bootloader_args);
  if (def->type == XF_GUEST_PV && !def->bootloader && !def->kernel)
    info->bootloader = copy ("pygrub");
}

/* The name tells the traditional device model from the present one. The program itself cannot be asked without
 * running it. */
static void
fill_emulator (const XfDomainDef *def, libxl_domain_build_info *info)
{
  g_autofree char *program = def->emulator ? g_path_get_basename (def->emulator) : NULL;

  if (!program)
    return;
  info->device_model = copy (def->emulator);
  info->device_model_version = g_str_equal (program, "qemu-dm") ? LIBXL_DEVICE_MODEL_VERSION_QEMU_XEN_TRADITIONAL
                                                                : LIBXL_DEVICE_MODEL_VERSION_QEMU_XEN;
}

static void
fill_hvm (const XfDomainDef *def, libxl_domain_build_info *info)
{
  /* A feature that is absent from the XML is off, as in libvirt's driver. */
  libxl_defbool_set (&info->u.hvm.pae, def->pae || g_str_equal (def->arch, "x86_64"));
  libxl_defbool_set (&info->apic, def->apic);
  libxl_defbool_set (&info->acpi, def->acpi);
  if (def->hpet >= 0)
    libxl_defbool_set (&info->u.hvm.hpet, def->hpet);
  info->u.hvm.boot = copy (def->boot);
  if (def->efi)
    info->u.hvm.bios = LIBXL_BIOS_TYPE_OVMF;
  fill_emulator (def, info);
}

static gboolean
fill_build_info (const XfDomainDef *def, libxl_domain_build_info *info, GError **error)
{
  if (def->type != XF_GUEST_HVM && def->hpet >= 0)
    return xf_config_refuse (def, error, "element <clock/timer> of name 'hpet': only HVM guests have one");
  libxl_domain_build_info_init_type (info, types[def->type]);
  info->max_memkb = def->memory_kib;
  info->target_memkb = def->current_kib;
  if (def->max_grant_frames)
    info->max_grant_frames = def->max_grant_frames;
  if (def->event_channels)
    info->event_channels = def->event_channels;
  xf_config_cpus (def, info);
  if (!xf_config_cpu_features (def, info, error))
    return FALSE;
  xf_config_clock (def, info);
  fill_boot (def, info);
  if (def->type == XF_GUEST_HVM)
    fill_hvm (def, info);
  return TRUE;
}

gboolean
xf_config_from_def (const XfDomainDef *def, libxl_domain_config *config, GError **error)
{
  fill_create_info (def, &config->c_info);
  config->on_poweroff = actions[def->on_poweroff];
  config->on_reboot = actions[def->on_reboot];
  config->on_crash = actions[def->on_crash];
  config->on_watchdog = LIBXL_ACTION_ON_SHUTDOWN_DESTROY;
  config->on_soft_reset = LIBXL_ACTION_ON_SHUTDOWN_SOFT_RESET;
  return fill_build_info (def, &config->b_info, error) && xf_config_devices (def, config, error);
}
