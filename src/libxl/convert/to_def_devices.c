/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The devices of a found guest, as domain XML.
 */
#include <string.h>

#include "libxl/convert/private.h"

#define VNC_FIRST_PORT 5900

static const char *
driver_of (const libxl_device_disk *disk)
{
  switch (disk->backend) {
  case LIBXL_DISK_BACKEND_PHY:
    return "phy";
  case LIBXL_DISK_BACKEND_TAP:
    return "tap";
  case LIBXL_DISK_BACKEND_QDISK:
    return "qemu";
  case LIBXL_DISK_BACKEND_UNKNOWN:
  case LIBXL_DISK_BACKEND_STANDALONE:
    break;
  }
  /* QEMU reads every format but raw; for raw, libxl may choose. */
  return disk->format == LIBXL_DISK_FORMAT_RAW || disk->format == LIBXL_DISK_FORMAT_EMPTY ? NULL : "qemu";
}

static void
append_driver (const libxl_device_disk *disk, GString *xml)
{
  const char *driver = driver_of (disk);
  const char *format = disk->format == LIBXL_DISK_FORMAT_EMPTY ? "raw" : xf_config_disk_format_name (disk->format);

  if (!driver)
    return;
  xf_config_append (xml, "      <driver name='%s' type='%s'", driver, format ? format : "raw");
  if (!libxl_defbool_is_default (disk->discard_enable) && disk->readwrite)
    xf_config_append (xml, " discard='%s'", libxl_defbool_val (disk->discard_enable) ? "unmap" : "ignore");
  xf_config_append (xml, "/>\n");
}

/* The host's devices are in /dev, whichever backend serves them. */
static void
append_disk (const libxl_device_disk *disk, GString *xml, GPtrArray *notes)
{
  gboolean block = disk->pdev_path && g_str_has_prefix (disk->pdev_path, "/dev/");
  gboolean virtual = disk->vdev && g_str_has_prefix (disk->vdev, "xvd");

  xf_config_append (xml, "    <disk type='%s' device='%s'>\n", block ? "block" : "file",
                    disk->is_cdrom ? "cdrom" : "disk");
  append_driver (disk, xml);
  if (disk->pdev_path && *disk->pdev_path)
    xf_config_append (xml, "      <source %s='%s'/>\n", block ? "dev" : "file", disk->pdev_path);
  if (disk->backend_domname)
    xf_config_append (xml, "      <backenddomain name='%s'/>\n", disk->backend_domname);
  xf_config_append (xml, "      <target dev='%s' bus='%s'/>\n", disk->vdev ? disk->vdev : "", virtual ? "xen" : "ide");
  if (!disk->readwrite)
    xf_config_append (xml, "      <readonly/>\n");
  xf_config_append (xml, "    </disk>\n");
  if (disk->script)
    xf_config_note (notes, "this driver's domain XML cannot express the script '%s' of disk '%s'", disk->script,
                    disk->vdev);
}

static void
append_addresses (const char *ip, GString *xml)
{
  g_auto (GStrv) addresses = g_strsplit_set (ip ? ip : "", " ,", -1);

  for (char **address = addresses; *address; address++) {
    if (**address)
      xf_config_append (xml, "      <ip address='%s' family='%s'/>\n", *address,
                        strchr (*address, ':') ? "ipv6" : "ipv4");
  }
}

/* Rounded to the nearest KiB: the conversion to libxl rounded down. */
static void
append_rate (const libxl_device_nic *nic, GString *xml)
{
  guint64 bytes_per_s;

  if (!nic->rate_bytes_per_interval || !nic->rate_interval_usecs)
    return;
  bytes_per_s = nic->rate_bytes_per_interval * G_USEC_PER_SEC / nic->rate_interval_usecs;
  xf_config_append (xml, "      <bandwidth>\n        <outbound average='%" G_GUINT64_FORMAT "'/>\n      </bandwidth>\n",
                    (bytes_per_s + 512) / 1024);
}

static void
append_nic (const libxl_domain_config *config, const libxl_device_nic *nic, GString *xml)
{
  const guint8 *mac = nic->mac;
  gboolean hvm = config->c_info.type == LIBXL_DOMAIN_TYPE_HVM;

  xf_config_append (xml, "    <interface type='%s'>\n", nic->bridge ? "bridge" : "ethernet");
  xf_config_append (xml, "      <mac address='%02x:%02x:%02x:%02x:%02x:%02x'/>\n", mac[0], mac[1], mac[2], mac[3],
                    mac[4], mac[5]);
  if (nic->bridge)
    xf_config_append (xml, "      <source bridge='%s'/>\n", nic->bridge);
  if (nic->script)
    xf_config_append (xml, "      <script path='%s'/>\n", nic->script);
  append_addresses (nic->ip, xml);
  if (nic->backend_domname)
    xf_config_append (xml, "      <backenddomain name='%s'/>\n", nic->backend_domname);
  if (nic->ifname && *nic->ifname)
    xf_config_append (xml, "      <target dev='%s'/>\n", nic->ifname);
  if ((hvm && nic->nictype == LIBXL_NIC_TYPE_VIF) || g_strcmp0 (nic->model, "netfront") == 0)
    xf_config_append (xml, "      <model type='netfront'/>\n");
  else if (hvm && nic->model)
    xf_config_append (xml, "      <model type='%s'/>\n", nic->model);
  append_rate (nic, xml);
  xf_config_append (xml, "    </interface>\n");
}

static void
append_serial (const char *serial, GString *xml, GPtrArray *notes)
{
  static const char *const plain[] = { "pty", "null", "stdio", "vc", NULL };

  if (g_strv_contains (plain, serial))
    xf_config_append (xml, "    <serial type='%s'>\n      <target port='0'/>\n    </serial>\n", serial);
  else if (g_str_has_prefix (serial, "file:") || g_str_has_prefix (serial, "pipe:"))
    xf_config_append (xml, "    <serial type='%.4s'>\n      <source path='%s'/>\n    </serial>\n", serial, serial + 5);
  else
    xf_config_note (notes, "this driver's domain XML cannot express the serial port '%s'", serial);
}

static void
append_serials (const libxl_domain_build_info *info, GString *xml, GPtrArray *notes)
{
  if (info->u.hvm.serial)
    append_serial (info->u.hvm.serial, xml, notes);
  for (char **serial = info->u.hvm.serial_list; serial && *serial; serial++)
    append_serial (*serial, xml, notes);
}

static void
append_vnc (const libxl_vnc_info *vnc, const char *keymap, GString *xml)
{
  gboolean automatic = !libxl_defbool_is_default (vnc->findunused) && libxl_defbool_val (vnc->findunused);

  xf_config_append (xml, "    <graphics type='vnc' port='%d' autoport='%s'",
                    automatic ? -1 : VNC_FIRST_PORT + vnc->display, automatic ? "yes" : "no");
  if (vnc->listen)
    xf_config_append (xml, " listen='%s'", vnc->listen);
  if (keymap)
    xf_config_append (xml, " keymap='%s'", keymap);
  if (vnc->passwd)
    xf_config_append (xml, " passwd='%s'", vnc->passwd);
  xf_config_append (xml, "/>\n");
}

static gboolean
is_enabled (libxl_defbool value)
{
  return !libxl_defbool_is_default (value) && libxl_defbool_val (value);
}

static void
append_graphics (const libxl_domain_config *config, GString *xml, GPtrArray *notes)
{
  const libxl_domain_build_info *info = &config->b_info;

  if (config->c_info.type == LIBXL_DOMAIN_TYPE_HVM && is_enabled (info->u.hvm.vnc.enable))
    append_vnc (&info->u.hvm.vnc, info->u.hvm.keymap, xml);
  else if (config->num_vfbs && is_enabled (config->vfbs[0].vnc.enable))
    append_vnc (&config->vfbs[0].vnc, config->vfbs[0].keymap, xml);
  if (config->num_vfbs > 1)
    xf_config_note (notes, "this driver's domain XML has only the first of %d framebuffers", config->num_vfbs);
}

static void
append_video (const libxl_domain_build_info *info, GString *xml)
{
  static const char *const models[] = {
    [LIBXL_VGA_INTERFACE_TYPE_CIRRUS] = "cirrus",
    [LIBXL_VGA_INTERFACE_TYPE_STD] = "vga",
    [LIBXL_VGA_INTERFACE_TYPE_QXL] = "qxl",
  };
  guint kind = info->u.hvm.vga.kind;
  const char *model = kind < G_N_ELEMENTS (models) ? models[kind] : NULL;

  if (is_enabled (info->u.hvm.nographic) || kind == LIBXL_VGA_INTERFACE_TYPE_NONE)
    return;
  xf_config_append (xml, "    <video>\n      <model type='%s'", model ? model : "cirrus");
  if (info->video_memkb && info->video_memkb != LIBXL_MEMKB_DEFAULT)
    xf_config_append (xml, " vram='%" G_GUINT64_FORMAT "'", (guint64)info->video_memkb);
  xf_config_append (xml, "/>\n    </video>\n");
}

static void
append_input (const char *device, GString *xml, GPtrArray *notes)
{
  if (g_str_equal (device, "tablet") || g_str_equal (device, "mouse"))
    xf_config_append (xml, "    <input type='%s' bus='usb'/>\n", device);
  else
    xf_config_note (notes, "this driver's domain XML cannot express the USB device '%s'", device);
}

static void
append_hvm (const libxl_domain_build_info *info, GString *xml, GPtrArray *notes)
{
  if (info->device_model)
    xf_config_append (xml, "    <emulator>%s</emulator>\n", info->device_model);
  append_serials (info, xml, notes);
  append_video (info, xml);
  if (info->u.hvm.usbdevice)
    append_input (info->u.hvm.usbdevice, xml, notes);
  for (char **device = info->u.hvm.usbdevice_list; device && *device; device++)
    append_input (*device, xml, notes);
}

/* The controller of the Xen bus holds the limits of grants and event channels. */
static void
append_xenbus (const libxl_domain_build_info *info, GString *xml)
{
  gboolean frames = info->max_grant_frames != LIBXL_MAX_GRANT_DEFAULT && info->max_grant_frames != 0;

  xf_config_append (xml, "    <controller type='xenbus' index='0'");
  if (info->event_channels)
    xf_config_append (xml, " maxEventChannels='%u'", info->event_channels);
  if (frames)
    xf_config_append (xml, " maxGrantFrames='%u'", info->max_grant_frames);
  xf_config_append (xml, "/>\n");
}

static void
note_devices (const libxl_domain_config *config, GPtrArray *notes)
{
  const struct {
    int count;
    const char *what;
  } unsaid[] = {
    { config->num_pcidevs, "PCI device(s) of the host" },
    { config->num_rdms + config->num_dtdevs, "other device(s) of the host" },
    { config->num_vtpms, "virtual TPM(s)" },
    { config->num_p9s, "shared file system(s)" },
    { config->num_pvcallsifs, "PV calls interface(s)" },
    { config->num_vdispls, "PV display(s)" },
    { config->num_vsnds, "PV sound card(s)" },
    { config->num_channels, "channel(s)" },
    { config->num_usbctrls, "USB controller(s)" },
    { config->num_usbdevs, "USB device(s)" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (unsaid); i++) {
    if (unsaid[i].count > 0)
      xf_config_note (notes, "this driver's domain XML cannot express its %d %s", unsaid[i].count, unsaid[i].what);
  }
}

void
xf_config_reverse_devices (const libxl_domain_config *config, GString *xml, GPtrArray *notes)
{
  for (int i = 0; i < config->num_disks; i++)
    append_disk (&config->disks[i], xml, notes);
  append_xenbus (&config->b_info, xml);
  for (int i = 0; i < config->num_nics; i++)
    append_nic (config, &config->nics[i], xml);
  if (config->c_info.type == LIBXL_DOMAIN_TYPE_HVM)
    append_hvm (&config->b_info, xml, notes);
  append_graphics (config, xml, notes);
  note_devices (config, notes);
}
