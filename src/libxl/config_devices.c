/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Devices of a definition as libxl's structs.
 */
#include <stdlib.h>
#include <string.h>

#include "libxl/config.h"

#define VNC_PORT_0 5900

static char *
copy (const char *text)
{
  return text ? strdup (text) : NULL;
}

static libxl_disk_format
disk_format (const XfDisk *disk)
{
  static const struct {
    const char *name;
    libxl_disk_format format;
  } formats[] = {
    { "raw", LIBXL_DISK_FORMAT_RAW },     { "qcow", LIBXL_DISK_FORMAT_QCOW }, { "qcow2", LIBXL_DISK_FORMAT_QCOW2 },
    { "qed", LIBXL_DISK_FORMAT_QED },     { "vpc", LIBXL_DISK_FORMAT_VHD },   { "vhd", LIBXL_DISK_FORMAT_VHD },
  };

  if (!disk->source)
    return LIBXL_DISK_FORMAT_EMPTY;
  for (gsize i = 0; disk->format && i < G_N_ELEMENTS (formats); i++) {
    if (g_str_equal (formats[i].name, disk->format))
      return formats[i].format;
  }
  return LIBXL_DISK_FORMAT_RAW;
}

/* The table of domain-xml.md: what each driver name means for raw and for other formats. */
static libxl_disk_backend
disk_backend (const XfDisk *disk, libxl_disk_format format)
{
  if (!disk->driver)
    return LIBXL_DISK_BACKEND_UNKNOWN;
  if (g_str_equal (disk->driver, "phy"))
    return LIBXL_DISK_BACKEND_PHY;
  if (g_str_has_prefix (disk->driver, "tap")
      && (format == LIBXL_DISK_FORMAT_RAW || format == LIBXL_DISK_FORMAT_VHD))
    return LIBXL_DISK_BACKEND_TAP;
  return LIBXL_DISK_BACKEND_QDISK;
}

static void
make_disks (const XfDomainDef *def, libxl_domain_config *config)
{
  config->num_disks = def->disks->len;
  config->disks = calloc (def->disks->len, sizeof (libxl_device_disk));
  for (guint i = 0; i < def->disks->len; i++) {
    const XfDisk *disk = &g_array_index (def->disks, XfDisk, i);
    libxl_device_disk *out = &config->disks[i];

    libxl_device_disk_init (out);
    out->pdev_path = copy (disk->source);
    out->vdev = copy (disk->target);
    out->format = disk_format (disk);
    out->backend = disk_backend (disk, out->format);
    out->backend_domname = copy (disk->backend_domain);
    out->is_cdrom = disk->device == XF_DISK_CDROM;
    out->readwrite = !disk->readonly;
    out->removable = 1;
    if (disk->discard >= 0 && !disk->readonly)
      libxl_defbool_set (&out->discard_enable, disk->discard);
  }
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

/* An HVM guest's screen is its device model's: libxl takes it from the build info. */
static void
fill_hvm_screen (const XfDomainDef *def, libxl_domain_build_info *info, const libxl_device_vfb *vfb)
{
  static const struct {
    const char *model;
    libxl_vga_interface_type kind;
    guint64 least_kib;
  } models[] = {
    { "vga", LIBXL_VGA_INTERFACE_TYPE_STD, 16384 },       { "xen", LIBXL_VGA_INTERFACE_TYPE_STD, 16384 },
    { "cirrus", LIBXL_VGA_INTERFACE_TYPE_CIRRUS, 8192 },  { "qxl", LIBXL_VGA_INTERFACE_TYPE_QXL, 131072 },
  };

  info->u.hvm.vga.kind = LIBXL_VGA_INTERFACE_TYPE_NONE;
  libxl_defbool_set (&info->u.hvm.nographic, TRUE);
  for (gsize i = 0; def->video && i < G_N_ELEMENTS (models); i++) {
    if (!g_str_equal (def->video, models[i].model))
      continue;
    info->u.hvm.vga.kind = models[i].kind;
    info->video_memkb = MAX (def->video_kib, models[i].least_kib);
    libxl_defbool_set (&info->u.hvm.nographic, FALSE);
  }
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
  if (def->serials->len == 1) {
    info->u.hvm.serial = copy (g_array_index (def->serials, XfSerial, 0).libxl);
    return;
  }
  info->u.hvm.serial_list = calloc (def->serials->len + 1, sizeof (char *));
  for (guint i = 0; i < def->serials->len; i++)
    info->u.hvm.serial_list[i] = copy (g_array_index (def->serials, XfSerial, i).libxl);
}

void
xf_config_devices (const XfDomainDef *def, libxl_domain_config *config_out)
{
  make_disks (def, config_out);
  make_nics (def, config_out);
  make_vfb (def, config_out);
  if (def->type != XF_GUEST_HVM)
    return;
  fill_hvm_screen (def, &config_out->b_info, config_out->vfbs);
  fill_hvm_serials (def, &config_out->b_info);
  if (def->tablet) {
    config_out->b_info.u.hvm.usbdevice_list = calloc (2, sizeof (char *));
    config_out->b_info.u.hvm.usbdevice_list[0] = strdup ("tablet");
  }
}
