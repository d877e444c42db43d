/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Devices of a definition as libxl's structs.
 */
#include <stdlib.h>
#include <string.h>

#include "libxl/convert/private.h"

#define VNC_PORT_0 5900

static char *
copy (const char *text)
{
  return text ? strdup (text) : NULL;
}

static const struct {
  const char *name;
  libxl_disk_format format;
} formats[] = {
  { "raw", LIBXL_DISK_FORMAT_RAW }, { "qcow", LIBXL_DISK_FORMAT_QCOW }, { "qcow2", LIBXL_DISK_FORMAT_QCOW2 },
  { "qed", LIBXL_DISK_FORMAT_QED }, { "vpc", LIBXL_DISK_FORMAT_VHD },   { "vhd", LIBXL_DISK_FORMAT_VHD },
};

/* The backend for each driver name and format; UNKNOWN: not served (docs/domain-xml.md, Served). */
static const struct {
  const char *driver;
  libxl_disk_backend raw, vhd, others;
} drivers[] = {
  { "qemu", LIBXL_DISK_BACKEND_QDISK, LIBXL_DISK_BACKEND_QDISK, LIBXL_DISK_BACKEND_QDISK },
  { "tap", LIBXL_DISK_BACKEND_TAP, LIBXL_DISK_BACKEND_TAP, LIBXL_DISK_BACKEND_QDISK },
  { "tap2", LIBXL_DISK_BACKEND_TAP, LIBXL_DISK_BACKEND_TAP, LIBXL_DISK_BACKEND_QDISK },
  { "file", LIBXL_DISK_BACKEND_QDISK, LIBXL_DISK_BACKEND_UNKNOWN, LIBXL_DISK_BACKEND_UNKNOWN },
  { "phy", LIBXL_DISK_BACKEND_PHY, LIBXL_DISK_BACKEND_UNKNOWN, LIBXL_DISK_BACKEND_UNKNOWN },
};

const char *
xf_config_disk_format_name (libxl_disk_format format)
{
  for (gsize i = 0; i < G_N_ELEMENTS (formats); i++) {
    if (formats[i].format == format)
      return formats[i].name;
  }
  return NULL;
}

static libxl_disk_format
disk_format (const XfDisk *disk)
{
  for (gsize i = 0; disk->format && i < G_N_ELEMENTS (formats); i++) {
    if (g_str_equal (formats[i].name, disk->format))
      return formats[i].format;
  }
  return LIBXL_DISK_FORMAT_RAW;
}

static libxl_disk_backend
disk_backend (const XfDisk *disk, libxl_disk_format format)
{
  for (gsize i = 0; i < G_N_ELEMENTS (drivers); i++) {
    if (!g_str_equal (drivers[i].driver, disk->driver))
      continue;
    if (format == LIBXL_DISK_FORMAT_RAW)
      return drivers[i].raw;
    return format == LIBXL_DISK_FORMAT_VHD ? drivers[i].vhd : drivers[i].others;
  }
  return LIBXL_DISK_BACKEND_UNKNOWN;
}

/* If no driver is named, libxl chooses the backend, and libvirt's driver has it read the disk as raw, whatever the
 * type is. A guest that finds a qcow2 header in place of its boot sector cannot boot: that is refused. */
static gboolean
fill_format (const XfDomainDef *def, const XfDisk *disk, libxl_device_disk *out, GError **error)
{
  out->format = disk_format (disk);
  if (!disk->driver && out->format != LIBXL_DISK_FORMAT_RAW)
    return xf_config_refuse (def, error,
                             "disk '%s' is of type '%s' and names no driver; add <driver name='qemu' type='%s'/>",
                             disk->target, disk->format, disk->format);
  if (disk->driver) {
    out->backend = disk_backend (disk, out->format);
    if (out->backend == LIBXL_DISK_BACKEND_UNKNOWN)
      return xf_config_refuse (def, error, "disk '%s': driver '%s' does not serve type '%s'", disk->target,
                               disk->driver, disk->format);
  }
  if (!disk->source)
    out->format = LIBXL_DISK_FORMAT_EMPTY;
  return TRUE;
}

static gboolean
make_disks (const XfDomainDef *def, libxl_domain_config *config, GError **error)
{
  config->disks = calloc (def->disks->len, sizeof (libxl_device_disk));
  for (guint i = 0; i < def->disks->len; i++) {
    const XfDisk *disk = &g_array_index (def->disks, XfDisk, i);
    libxl_device_disk *out = &config->disks[i];

    libxl_device_disk_init (out);
    config->num_disks = i + 1;
    if (!fill_format (def, disk, out, error))
      return FALSE;
    out->pdev_path = copy (disk->source);
    out->vdev = copy (disk->target);
    out->backend_domname = copy (disk->backend_domain);
    out->is_cdrom = disk->device == XF_DISK_CDROM;
    out->readwrite = !disk->readonly;
    out->removable = 1;
    if (disk->discard >= 0 && !disk->readonly)
      libxl_defbool_set (&out->discard_enable, disk->discard);
  }
  return TRUE;
}

static gboolean
check_nic_models (const XfDomainDef *def, GError **error)
{
  for (guint i = 0; def->type != XF_GUEST_HVM && i < def->nics->len; i++) {
    const char *model = g_array_index (def->nics, XfNic, i).model;

    if (model && !g_str_equal (model, "netfront"))
      return xf_config_refuse (
        def, error,
        "model '%s' of element <devices/interface>: only HVM guests have emulated network cards; "
        "remove <model> or use 'netfront'",
        model);
  }
  return TRUE;
}

static libxl_nic_type
nic_type (const XfDomainDef *def, const XfNic *nic)
{
  if (def->type != XF_GUEST_HVM || g_strcmp0 (nic->model, "netfront") == 0)
    return LIBXL_NIC_TYPE_VIF;
  return LIBXL_NIC_TYPE_VIF_IOEMU;
}

static void
make_nics (const XfDomainDef *def, libxl_domain_config *config)
{
  config->num_nics = def->nics->len;
  config->nics = calloc (def->nics->len, sizeof (libxl_device_nic));
  for (guint i = 0; i < def->nics->len; i++) {
    const XfNic *nic = &g_array_index (def->nics, XfNic, i);
    libxl_device_nic *out = &config->nics[i];

    libxl_device_nic_init (out);
    memcpy (out->mac, nic->mac, sizeof (nic->mac));
    out->devid = i;
    out->bridge = copy (nic->bridge);
    out->model = copy (nic->model);
    out->script = copy (nic->script);
    out->ip = copy (nic->ip);
    out->ifname = copy (nic->ifname);
    out->backend_domname = copy (nic->backend_domain);
    out->nictype = nic_type (def, nic);
    if (nic->outbound_kib_s) {
      out->rate_interval_usecs = 50000;
      out->rate_bytes_per_interval = nic->outbound_kib_s * 1024 * out->rate_interval_usecs / 1000000;
    }
  }
}

static void
make_vfb (const XfDomainDef *def, libxl_domain_config *config)
{
  const XfVnc *vnc = &def->vnc;
  libxl_device_vfb *out;

  if (!vnc->present)
    return;
  config->num_vfbs = config->num_vkbs = 1;
  config->vfbs = calloc (1, sizeof (libxl_device_vfb));
  config->vkbs = calloc (1, sizeof (libxl_device_vkb));
  libxl_device_vkb_init (config->vkbs);
  out = config->vfbs;
  libxl_device_vfb_init (out);
  libxl_defbool_set (&out->vnc.enable, TRUE);
  libxl_defbool_set (&out->vnc.findunused, vnc->port < 0);
  libxl_defbool_set (&out->sdl.enable, FALSE);
  if (vnc->port >= 0)
    out->vnc.display = vnc->port - VNC_PORT_0;
  out->vnc.listen = copy (vnc->listen ? vnc->listen : "127.0.0.1");
  out->vnc.passwd = copy (vnc->password);
  out->keymap = copy (vnc->keymap);
}

/* The card, and its minimum of memory (KiB), which is also the default. Without a card the guest has no screen at
 * all. */
static gboolean
fill_hvm_card (const XfDomainDef *def, libxl_domain_build_info *info, GError **error)
{
  static const struct {
    const char *model;
    libxl_vga_interface_type kind;
    guint64 least, least_traditional;
  } models[] = {
    { "vga", LIBXL_VGA_INTERFACE_TYPE_STD, 16384, 8192 },
    { "xen", LIBXL_VGA_INTERFACE_TYPE_STD, 16384, 8192 },
    { "cirrus", LIBXL_VGA_INTERFACE_TYPE_CIRRUS, 8192, 4096 },
    { "qxl", LIBXL_VGA_INTERFACE_TYPE_QXL, 131072, 131072 },
  };
  gboolean traditional = info->device_model_version == LIBXL_DEVICE_MODEL_VERSION_QEMU_XEN_TRADITIONAL;

  info->u.hvm.vga.kind = LIBXL_VGA_INTERFACE_TYPE_NONE;
  libxl_defbool_set (&info->u.hvm.nographic, TRUE);
  for (gsize i = 0; def->video && i < G_N_ELEMENTS (models); i++) {
    guint64 least = traditional ? models[i].least_traditional : models[i].least;

    if (!g_str_equal (def->video, models[i].model))
      continue;
    if (def->video_kib && def->video_kib < least)
      return xf_config_refuse (def, error,
                               "video model '%s' needs %" G_GUINT64_FORMAT
                               " KiB of memory, and vram='%" G_GUINT64_FORMAT "' is less",
                               def->video, least, def->video_kib);
    info->u.hvm.vga.kind = models[i].kind;
    info->video_memkb = def->video_kib ? def->video_kib : least;
    libxl_defbool_set (&info->u.hvm.nographic, FALSE);
  }
  return TRUE;
}

/* The device model provides an HVM guest's screen. libxl takes the screen from the build info, and by default opens a
 * VNC server. */
static void
fill_hvm_screen (libxl_domain_build_info *info, const libxl_device_vfb *vfb)
{
  libxl_defbool_set (&info->u.hvm.vnc.enable, vfb != NULL);
  libxl_defbool_set (&info->u.hvm.sdl.enable, FALSE);
  if (!vfb)
    return;
  libxl_defbool_set (&info->u.hvm.vnc.findunused, libxl_defbool_val (vfb->vnc.findunused));
  info->u.hvm.vnc.display = vfb->vnc.display;
  info->u.hvm.vnc.listen = copy (vfb->vnc.listen);
  info->u.hvm.vnc.passwd = copy (vfb->vnc.passwd);
  info->u.hvm.keymap = copy (vfb->keymap);
}

static void
fill_hvm_serials (const XfDomainDef *def, libxl_domain_build_info *info)
{
  if (def->serials->len == 1)
    info->u.hvm.serial = copy (g_array_index (def->serials, XfSerial, 0).libxl);
  if (def->serials->len < 2)
    return;
  info->u.hvm.serial_list = calloc (def->serials->len + 1, sizeof (char *));
  for (guint i = 0; i < def->serials->len; i++)
    info->u.hvm.serial_list[i] = copy (g_array_index (def->serials, XfSerial, i).libxl);
}

static void
fill_hvm_inputs (const XfDomainDef *def, libxl_domain_build_info *info)
{
  guint count = def->usb_inputs ? g_strv_length (def->usb_inputs) : 0;

  if (!count)
    return;
  info->u.hvm.usbdevice_list = calloc (count + 1, sizeof (char *));
  for (guint i = 0; i < count; i++)
    info->u.hvm.usbdevice_list[i] = copy (def->usb_inputs[i]);
}

gboolean
xf_config_devices (const XfDomainDef *def, libxl_domain_config *config, GError **error)
{
  if (def->type != XF_GUEST_HVM && def->serials->len)
    return xf_config_refuse (def, error, "element <devices/serial>: only HVM guests have serial ports");
  if (!check_nic_models (def, error) || !make_disks (def, config, error))
    return FALSE;
  make_nics (def, config);
  make_vfb (def, config);
  if (def->type != XF_GUEST_HVM)
    return TRUE;
  fill_hvm_screen (&config->b_info, config->vfbs);
  fill_hvm_serials (def, &config->b_info);
  fill_hvm_inputs (def, &config->b_info);
  return fill_hvm_card (def, &config->b_info, error);
}
