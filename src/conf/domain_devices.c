/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The devices of a definition: a table with one small function for each element.
 */
#include "conf/domain_def.h"
#include "conf/xml.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

typedef struct {
  XfDomainDef *def;
  XfDomainParseFlags flags;
} Parse;

static gboolean
senseless (const XfDomainDef *def, GError **error, const char *format, const char *detail)
{
  g_autofree char *text = NULL;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  text = g_strdup_printf (format, detail);
#pragma GCC diagnostic pop
  g_set_error (error, XF_ERROR, XF_ERROR_XML, "domain '%s': %s", def->name, text);
  return FALSE;
}

static void
clear_disk (gpointer data)
{
  XfDisk *disk = data;

  g_free (disk->source);
  g_free (disk->target);
  g_free (disk->driver);
  g_free (disk->format);
  g_free (disk->backend_domain);
}

static void
clear_nic (gpointer data)
{
  XfNic *nic = data;

  g_free (nic->type);
  g_free (nic->bridge);
  g_free (nic->model);
  g_free (nic->script);
  g_free (nic->ip);
  g_free (nic->ifname);
  g_free (nic->backend_domain);
}

static void
clear_serial (gpointer data)
{
  g_free (((XfSerial *)data)->libxl);
}

static gboolean
parse_emulator (Parse *parse, xmlNode *node, GError **error)
{
  parse->def->emulator = xf_xml_text (node);
  return TRUE;
}

static XfDiskDevice
disk_device (const xmlNode *node)
{
  if (xf_xml_attr_is (node, "device", "cdrom"))
    return XF_DISK_CDROM;
  return xf_xml_attr_is (node, "device", "floppy") ? XF_DISK_FLOPPY : XF_DISK_DISK;
}

static gboolean
target_is_taken (const XfDomainDef *def, const char *target)
{
  for (guint i = 0; i < def->disks->len; i++) {
    if (g_str_equal (g_array_index (def->disks, XfDisk, i).target, target))
      return TRUE;
  }
  return FALSE;
}

static gboolean
parse_disk (Parse *parse, xmlNode *node, GError **error)
{
  XfDomainDef *def = parse->def;
  const xmlNode *driver = xf_xml_child (node, "driver");
  g_autofree char *target = xf_xml_attr (xf_xml_child (node, "target"), "dev");
  g_autofree char *discard = xf_xml_attr (driver, "discard");
  XfDisk disk = { .device = disk_device (node) };

  if (!target)
    return senseless (def, error, "a <disk> has no <target dev='…'/>%s", "");
  if (target_is_taken (def, target))
    return senseless (def, error, "two disks have the target '%s'", target);
  disk.source = xf_xml_attr (xf_xml_child (node, "source"), xf_xml_attr_is (node, "type", "block") ? "dev" : "file");
  if (!disk.source && disk.device == XF_DISK_DISK)
    return senseless (def, error, "disk '%s' has no source", target);
  disk.target = g_steal_pointer (&target);
  disk.driver = xf_xml_attr (driver, "name");
  disk.format = xf_xml_attr (driver, "type");
  disk.backend_domain = xf_xml_attr (xf_xml_child (node, "backenddomain"), "name");
  disk.readonly = disk.device == XF_DISK_CDROM || xf_xml_child (node, "readonly");
  disk.shareable = xf_xml_child (node, "shareable") != NULL;
  disk.discard = discard ? g_str_equal (discard, "unmap") : -1;
  g_array_append_val (def->disks, disk);
  return TRUE;
}

static gboolean
parse_mac (const char *text, guint8 *mac)
{
  char end;

  return sscanf (text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5],
                 &end)
         == 6;
}

/* A generated MAC address is written into the document, so that the guest keeps it. */
static void
generate_mac (xmlNode *node, guint8 *mac)
{
  g_autofree char *text = NULL;
  xmlNode *child;

  mac[0] = 0x00; /* Xen's own prefix, 00:16:3e */
  mac[1] = 0x16;
  mac[2] = 0x3e;
  mac[3] = g_random_int_range (0, 0x80);
  mac[4] = g_random_int_range (0, 0x100);
  mac[5] = g_random_int_range (0, 0x100);
  text = g_strdup_printf ("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  /* An element without an address must not be the first one when this is read again. */
  child = xf_xml_child (node, "mac");
  if (!child)
    child = xmlNewChild (node, NULL, BAD_CAST "mac", NULL);
  xmlSetProp (child, BAD_CAST "address", BAD_CAST text);
}

static char *
join_addresses (const xmlNode *node)
{
  GString *joined = g_string_new (NULL);

  for (const xmlNode *child = node->children; child; child = child->next) {
    g_autofree char *address = xf_xml_is (child, "ip") ? xf_xml_attr (child, "address") : NULL;

    if (address)
      g_string_append_printf (joined, "%s%s", joined->len ? " " : "", address);
  }
  return g_string_free (joined, joined->len == 0);
}

/* The host gives names that begin with "vif"; libvirt drops them from a definition, too. */
static char *
interface_name (Parse *parse, xmlNode *node)
{
  xmlNode *target = xf_xml_child (node, "target");
  g_autofree char *name = xf_xml_attr (target, "dev");

  if (!name || !g_str_has_prefix (name, "vif"))
    return g_steal_pointer (&name);
  if (parse->flags & XF_DOMAIN_PARSE_INACTIVE) {
    xmlUnlinkNode (target);
    xmlFreeNode (target);
  }
  return NULL;
}

/* The value becomes part of the device model's command line, in which a comma begins another option. */
static gboolean
is_plain_word (const xmlNode *node, const char *name)
{
  g_autofree char *value = xf_xml_attr (node, name);

  return !value || (*value && !value[strspn (value, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_.")]);
}

static gboolean
parse_interface (Parse *parse, xmlNode *node, GError **error)
{
  XfDomainDef *def = parse->def;
  g_autofree char *mac = xf_xml_attr (xf_xml_child (node, "mac"), "address");
  gint64 outbound = 0;
  XfNic nic = { 0 };

  if (mac && !parse_mac (mac, nic.mac))
    return senseless (def, error, "'%s' is not a MAC address", mac);
  /* Below 4 TiB/s, so that libxl's value fits too. */
  if (!xf_xml_attr_number (xf_xml_child (xf_xml_child (node, "bandwidth"), "outbound"), "average", 0, G_MAXUINT32,
                           &outbound))
    return senseless (def, error, "an <outbound average='…'/> is not a number of KiB per second%s", "");
  if (!is_plain_word (xf_xml_child (node, "model"), "type"))
    return senseless (def, error, "the <model type='…'/> of an <interface> is not one word%s", "");
  if (!mac)
    generate_mac (node, nic.mac);
  nic.type = xf_xml_attr (node, "type");
  if (!nic.type)
    return senseless (def, error, "an <interface> has no type%s", "");
  nic.bridge = xf_xml_attr (xf_xml_child (node, "source"), "bridge");
  if (g_strcmp0 (nic.type, "bridge") == 0 && !nic.bridge) {
    clear_nic (&nic);
    return senseless (def, error, "an <interface type='bridge'> has no <source bridge='…'/>%s", "");
  }
  nic.model = xf_xml_attr (xf_xml_child (node, "model"), "type");
  nic.script = xf_xml_attr (xf_xml_child (node, "script"), "path");
  nic.backend_domain = xf_xml_attr (xf_xml_child (node, "backenddomain"), "name");
  nic.ip = join_addresses (node);
  nic.ifname = interface_name (parse, node);
  nic.outbound_kib_s = outbound;
  g_array_append_val (def->nics, nic);
  return TRUE;
}

static char *
serial_tcp (const xmlNode *node, const xmlNode *source)
{
  g_autofree char *host = xf_xml_attr (source, "host"), *service = xf_xml_attr (source, "service");
  gboolean telnet = xf_xml_attr_is (xf_xml_child (node, "protocol"), "type", "telnet");
  gboolean listens = xf_xml_attr_is (source, "mode", "bind");

  return g_strdup_printf ("%s:%s:%s%s", telnet ? "telnet" : "tcp", host ? host : "", service ? service : "",
                          listens ? ",server,nowait" : "");
}

static gboolean
parse_serial (Parse *parse, xmlNode *node, GError **error)
{
  const xmlNode *source = xf_xml_child (node, "source");
  g_autofree char *type = xf_xml_attr (node, "type"), *path = xf_xml_attr (source, "path");
  XfSerial serial = { 0 };

  if (g_strcmp0 (type, "tcp") == 0)
    serial.libxl = serial_tcp (node, source);
  else if (g_strcmp0 (type, "file") == 0 || g_strcmp0 (type, "pipe") == 0)
    serial.libxl = g_strdup_printf ("%s:%s", type, path ? path : "");
  else if (g_strcmp0 (type, "unix") == 0)
    serial.libxl = g_strdup_printf ("unix:%s%s", path ? path : "",
                                    xf_xml_attr_is (source, "mode", "bind") ? ",server,nowait" : "");
  else
    serial.libxl = g_strdup (type ? type : "pty");
  g_array_append_val (parse->def->serials, serial);
  return TRUE;
}

static gboolean
parse_graphics (Parse *parse, xmlNode *node, GError **error)
{
  XfVnc *vnc = &parse->def->vnc;
  gint64 port = -1;

  if (vnc->present)
    return senseless (parse->def, error, "there are two <graphics>; Xen serves one%s", "");
  vnc->present = TRUE;
  if (!xf_xml_attr_number (node, "port", -1, 65535, &port))
    return senseless (parse->def, error, "the VNC port is not a number%s", "");
  if (!is_plain_word (node, "keymap"))
    return senseless (parse->def, error, "the VNC keymap is not one word%s", "");
  vnc->port = port;
  vnc->autoport = xf_xml_attr_is (node, "autoport", "yes") || vnc->port == -1;
  if (vnc->autoport && parse->flags & XF_DOMAIN_PARSE_INACTIVE) {
    vnc->port = -1;
    xmlSetProp (node, BAD_CAST "port", BAD_CAST "-1");
    xmlSetProp (node, BAD_CAST "autoport", BAD_CAST "yes");
  }
  if (!vnc->autoport && (vnc->port < 5900 || vnc->port > 65535))
    return senseless (parse->def, error, "the VNC port is outside 5900–65535%s", "");
  vnc->listen = xf_xml_attr (node, "listen");
  if (!vnc->listen)
    vnc->listen = xf_xml_attr (xf_xml_child (node, "listen"), "address");
  vnc->password = xf_xml_attr (node, "passwd");
  vnc->keymap = xf_xml_attr (node, "keymap");
  return TRUE;
}

static gboolean
parse_video (Parse *parse, xmlNode *node, GError **error)
{
  const xmlNode *model = xf_xml_child (node, "model");
  gint64 vram = 0;

  if (parse->def->video)
    return senseless (parse->def, error, "there are two <video> devices; Xen serves one%s", "");
  if (!xf_xml_attr_number (model, "vram", 0, G_MAXINT32, &vram))
    return senseless (parse->def, error, "a video model's vram is not a number of KiB%s", "");
  parse->def->video = xf_xml_attr (model, "type");
  parse->def->video_kib = vram;
  return TRUE;
}

static void
add_usb_input (XfDomainDef *def, char *type)
{
  guint count = def->usb_inputs ? g_strv_length (def->usb_inputs) : 0;

  def->usb_inputs = g_renew (char *, def->usb_inputs, count + 2);
  def->usb_inputs[count] = type;
  def->usb_inputs[count + 1] = NULL;
}

/* Every guest has keyboard and mouse; only USB devices of an HVM guest are configured in libxl. */
static gboolean
parse_input (Parse *parse, xmlNode *node, GError **error)
{
  XfDomainDef *def = parse->def;
  g_autofree char *type = xf_xml_attr (node, "type"), *bus = xf_xml_attr (node, "bus");

  if (!type)
    return senseless (def, error, "an <input> has no type%s", "");
  if (bus ? !g_str_equal (bus, "usb") : !g_str_equal (type, "tablet"))
    return TRUE;
  if (def->type != XF_GUEST_HVM || (!g_str_equal (type, "tablet") && !g_str_equal (type, "mouse"))) {
    g_set_error (
      error, XF_ERROR, XF_ERROR_CONFIG_UNSUPPORTED,
      "domain '%s': a USB %s of element <devices/input> is not supported by this driver: HVM guests can have "
      "a USB tablet or mouse, others none; remove it",
      def->name, type);
    return FALSE;
  }
  add_usb_input (def, g_steal_pointer (&type));
  return TRUE;
}

static gboolean
parse_controller (Parse *parse, xmlNode *node, GError **error)
{
  return !xf_xml_attr_is (node, "type", "xenbus") || xf_domain_parse_xenbus (parse->def, node, error);
}

/* A running host's additions to the console do not belong to the definition. */
static gboolean
parse_console (Parse *parse, xmlNode *node, GError **error)
{
  xmlNode *source = xf_xml_child (node, "source");

  xmlUnsetProp (node, BAD_CAST "tty");
  if (source && xf_xml_attr_is (node, "type", "pty")) {
    xmlUnlinkNode (source);
    xmlFreeNode (source);
  }
  return TRUE;
}

static const struct {
  const char *element;
  gboolean (*parse) (Parse *parse, xmlNode *node, GError **error);
} devices[] = {
  { "emulator", parse_emulator }, { "disk", parse_disk },   { "interface", parse_interface },
  { "serial", parse_serial },     { "video", parse_video }, { "graphics", parse_graphics },
  { "console", parse_console },   { "input", parse_input }, { "controller", parse_controller },
};

static gboolean
parse_device (Parse *parse, xmlNode *node, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (devices); i++) {
    if (xf_xml_is (node, devices[i].element))
      return devices[i].parse (parse, node, error);
  }
  return TRUE;
}

void
xf_domain_init_devices (XfDomainDef *def)
{
  def->disks = g_array_new (FALSE, TRUE, sizeof (XfDisk));
  g_array_set_clear_func (def->disks, clear_disk);
  def->nics = g_array_new (FALSE, TRUE, sizeof (XfNic));
  g_array_set_clear_func (def->nics, clear_nic);
  def->serials = g_array_new (FALSE, TRUE, sizeof (XfSerial));
  g_array_set_clear_func (def->serials, clear_serial);
}

gboolean
xf_domain_parse_devices (XfDomainDef *def, gpointer node, XfDomainParseFlags flags, GError **error)
{
  Parse parse = { def, flags };
  xmlNode *next;

  xf_domain_init_devices (def);
  for (xmlNode *child = node ? ((xmlNode *)node)->children : NULL; child; child = next) {
    next = child->next;
    if (!parse_device (&parse, child, error))
      return FALSE;
  }
  return TRUE;
}

void
xf_domain_clear_devices (XfDomainDef *def)
{
  g_clear_pointer (&def->disks, g_array_unref);
  g_clear_pointer (&def->nics, g_array_unref);
  g_clear_pointer (&def->serials, g_array_unref);
  g_free (def->vnc.listen);
  g_free (def->vnc.password);
  g_free (def->vnc.keymap);
  g_free (def->video);
  g_strfreev (def->usb_inputs);
  g_free (def->emulator);
}
