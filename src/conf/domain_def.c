/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/domain_def.h"

#include <string.h>

#include "base/error.h"
#include "conf/domain_name.h"
#include "conf/xml.h"

#define KIB_PER_MIB 1024

static const struct {
  const char *xml;
  const char *api;
} guest_types[] = {
  [XF_GUEST_PV] = { "linux", "xen" },
  [XF_GUEST_PVH] = { "xenpvh", "xenpvh" },
  [XF_GUEST_HVM] = { "hvm", "hvm" },
};

static const char *const action_names[] = {
  [XF_ACTION_DESTROY] = "destroy",
  [XF_ACTION_RESTART] = "restart",
  [XF_ACTION_RENAME_RESTART] = "rename-restart",
  [XF_ACTION_PRESERVE] = "preserve",
  [XF_ACTION_COREDUMP_DESTROY] = "coredump-destroy",
  [XF_ACTION_COREDUMP_RESTART] = "coredump-restart",
};

/* Bytes in one unit of <memory unit='…'>; libvirt treats "k" as "KiB"; "KB" is 1000 bytes. */
static const struct {
  const char *unit;
  guint64 bytes;
} units[] = {
  { "b", 1 },
  { "bytes", 1 },
  { "KB", 1000 },
  { "k", 1024 },
  { "KiB", 1024 },
  { "MB", 1000 * 1000 },
  { "M", 1024 * 1024 },
  { "MiB", 1024 * 1024 },
  { "GB", 1000 * 1000 * 1000 },
  { "G", 1024 * 1024 * 1024 },
  { "GiB", 1024 * 1024 * 1024 },
  { "TB", G_GUINT64_CONSTANT (1000000000000) },
  { "T", G_GUINT64_CONSTANT (1099511627776) },
  { "TiB", G_GUINT64_CONSTANT (1099511627776) },
};

const char *
xf_guest_type_xml (XfGuestType type)
{
  return guest_types[type].xml;
}

const char *
xf_guest_type_api (XfGuestType type)
{
  return guest_types[type].api;
}

const char *
xf_action_name (XfAction action)
{
  return action_names[action];
}

static gboolean
bad (const XfDomainDef *def, GError **error, const char *what)
{
  g_set_error (error, XF_ERROR, XF_ERROR_XML, "domain '%s': %s", def->name ? def->name : "(no name)", what);
  return FALSE;
}

static guint64
unit_bytes (const char *unit)
{
  for (gsize i = 0; i < G_N_ELEMENTS (units); i++) {
    if (g_ascii_strcasecmp (units[i].unit, unit) == 0)
      return units[i].bytes;
  }
  return 0;
}

/* Reads an element with a size into KiB, rounded up to 1 MiB as libxl's driver always did, and writes it back in KiB
 * so that later readers need no units. 0 when there is none. */
static gboolean
parse_size (const XfDomainDef *def, xmlNode *node, guint64 *kib_out, GError **error)
{
  g_autofree char *text = xf_xml_text (node), *unit = xf_xml_attr (node, "unit"), *written = NULL;
  guint64 bytes_per_unit = unit_bytes (unit ? unit : "KiB");
  guint64 number, kib;

  *kib_out = 0;
  if (!node)
    return TRUE;
  if (!text || !g_ascii_string_to_unsigned (text, 10, 1, G_MAXINT64, &number, NULL) || !bytes_per_unit
      || number > G_MAXINT64 / bytes_per_unit)
    return bad (def, error, "a memory size is not a number with a unit that libvirt knows");
  kib = (number * bytes_per_unit + 1023) / 1024;
  kib = (kib + KIB_PER_MIB - 1) / KIB_PER_MIB * KIB_PER_MIB;
  written = g_strdup_printf ("%" G_GUINT64_FORMAT, kib);
  xmlNodeSetContent (node, BAD_CAST written);
  xmlSetProp (node, BAD_CAST "unit", BAD_CAST "KiB");
  *kib_out = kib;
  return TRUE;
}

/* The text as it is, like libvirt: blanks at its ends are part of the name. */
char *
xf_domain_read_name (gconstpointer root)
{
  xmlNode *node = xf_xml_child (root, "name");
  xmlChar *text = node ? xmlNodeGetContent (node) : NULL;
  char *name = g_strdup ((const char *)text);

  xmlFree (text);
  return name;
}

static gboolean
parse_identity (XfDomainDef *def, xmlNode *root, GError **error)
{
  g_autofree char *uuid = xf_xml_text (xf_xml_child (root, "uuid")), *name = xf_domain_read_name (root), *text = NULL;

  if (!name)
    return bad (def, error, "there is no <name>");
  if (!xf_domain_name_check (name, error))
    return FALSE;
  def->name = g_steal_pointer (&name);
  if (!xf_xml_attr_is (root, "type", "xen"))
    return bad (def, error, "its type is not 'xen', and this driver serves no other");
  if (!uuid)
    xf_uuid_generate (def->uuid);
  else if (!xf_uuid_parse (uuid, def->uuid))
    return bad (def, error, "its <uuid> is malformed");
  text = xf_uuid_to_string (def->uuid);
  xf_xml_set_child_text (root, "uuid", text);
  return TRUE;
}

static gboolean
parse_memory (XfDomainDef *def, xmlNode *root, GError **error)
{
  if (!parse_size (def, xf_xml_child (root, "memory"), &def->memory_kib, error)
      || !parse_size (def, xf_xml_child (root, "currentMemory"), &def->current_kib, error))
    return FALSE;
  if (!def->memory_kib)
    return bad (def, error, "there is no <memory>");
  if (!def->current_kib || def->current_kib > def->memory_kib)
    def->current_kib = def->memory_kib;
  return TRUE;
}

static gboolean
parse_type (XfDomainDef *def, const xmlNode *os, GError **error)
{
  g_autofree char *type = xf_xml_text (xf_xml_child (os, "type"));
  g_autofree char *machine = xf_xml_attr (xf_xml_child (os, "type"), "machine");

  if (g_strcmp0 (type, "linux") == 0 || g_strcmp0 (type, "xen") == 0)
    def->type = g_strcmp0 (machine, "xenpvh") == 0 ? XF_GUEST_PVH : XF_GUEST_PV;
  else if (g_strcmp0 (type, "xenpvh") == 0)
    def->type = XF_GUEST_PVH;
  else if (g_strcmp0 (type, "hvm") == 0)
    def->type = XF_GUEST_HVM;
  else
    return bad (def, error, "<os><type> is none of linux (PV), xenpvh and hvm");
  def->arch = xf_xml_attr (xf_xml_child (os, "type"), "arch");
  if (!def->arch)
    def->arch = g_strdup ("x86_64");
  return TRUE;
}

static char *
boot_letters (const xmlNode *os)
{
  static const struct {
    const char *dev;
    char letter;
  } letters[] = { { "fd", 'a' }, { "hd", 'c' }, { "cdrom", 'd' }, { "network", 'n' } };
  GString *order = g_string_new (NULL);

  for (const xmlNode *child = os->children; child; child = child->next) {
    for (gsize i = 0; i < G_N_ELEMENTS (letters); i++) {
      if (xf_xml_is (child, "boot") && xf_xml_attr_is (child, "dev", letters[i].dev))
        g_string_append_c (order, letters[i].letter);
    }
  }
  if (!order->len)
    g_string_append_c (order, 'c');
  return g_string_free (order, FALSE);
}

static gboolean
parse_os (XfDomainDef *def, xmlNode *root, GError **error)
{
  const xmlNode *os = xf_xml_child (root, "os");

  if (!os)
    return bad (def, error, "there is no <os>");
  if (!parse_type (def, os, error))
    return FALSE;
  def->kernel = xf_xml_text (xf_xml_child (os, "kernel"));
  def->initrd = xf_xml_text (xf_xml_child (os, "initrd"));
  def->cmdline = xf_xml_text (xf_xml_child (os, "cmdline"));
  def->bootloader = xf_xml_text (xf_xml_child (root, "bootloader"));
  def->bootloader_args = xf_xml_text (xf_xml_child (root, "bootloader_args"));
  def->efi = xf_xml_attr_is (os, "firmware", "efi") || xf_xml_attr_is (xf_xml_child (os, "loader"), "type", "pflash");
  def->boot = boot_letters (os);
  if (def->type == XF_GUEST_PVH && !def->kernel && !def->bootloader)
    return bad (def, error, "a PVH guest needs a <kernel> or a <bootloader>");
  return TRUE;
}

static gboolean
parse_action (XfDomainDef *def, xmlNode *root, const char *element, XfAction *action_out, GError **error)
{
  g_autofree char *text = xf_xml_text (xf_xml_child (root, element));
  g_autofree char *what = NULL;

  if (!text)
    return TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS (action_names); i++) {
    if (g_str_equal (action_names[i], text)) {
      *action_out = i;
      return TRUE;
    }
  }
  what = g_strdup_printf ("<%s> is '%s', which is no action", element, text);
  return bad (def, error, what);
}

static void
parse_features (XfDomainDef *def, xmlNode *root)
{
  const xmlNode *features = xf_xml_child (root, "features"), *hap = xf_xml_child (features, "hap");

  def->pae = xf_xml_child (features, "pae") != NULL;
  def->apic = xf_xml_child (features, "apic") != NULL;
  def->acpi = xf_xml_child (features, "acpi") != NULL;
  def->hap = hap ? !xf_xml_attr_is (hap, "state", "off") : -1;
}

static void
add_pty (xmlNode *devices, const char *element, const char *target_type)
{
  xmlNode *device = xmlNewChild (devices, NULL, BAD_CAST element, NULL);
  xmlNode *target;

  xmlNewProp (device, BAD_CAST "type", BAD_CAST "pty");
  target = xmlNewChild (device, NULL, BAD_CAST "target", NULL);
  if (target_type)
    xmlNewProp (target, BAD_CAST "type", BAD_CAST target_type);
  xmlNewProp (target, BAD_CAST "port", BAD_CAST "0");
}

/* virsh console and ttyconsole look for <console>. PV and PVH guests always have one; an HVM guest's is its first
 * serial port by another name, so that each of the two implies the other. */
static xmlNode *
ensure_console (xmlNode *root, XfGuestType type)
{
  xmlNode *devices = xf_xml_child (root, "devices"), *console, *serial;

  if (!devices)
    devices = xmlNewChild (root, NULL, BAD_CAST "devices", NULL);
  console = xf_xml_child (devices, "console");
  serial = xf_xml_child (devices, "serial");
  if (type != XF_GUEST_HVM && !console)
    add_pty (devices, "console", "xen");
  if (type == XF_GUEST_HVM && serial && !console)
    add_pty (devices, "console", "serial");
  if (type == XF_GUEST_HVM && console && !serial && !xf_xml_attr_is (xf_xml_child (console, "target"), "type", "xen"))
    add_pty (devices, "serial", NULL);
  return devices;
}

static gboolean
parse_root (XfDomainDef *def, xmlNode *root, XfDomainParseFlags flags, GError **error)
{
  def->on_poweroff = XF_ACTION_DESTROY;
  def->on_reboot = XF_ACTION_RESTART;
  def->on_crash = XF_ACTION_DESTROY;
  /* A domid never belongs to the definition: format() adds it while the guest runs. */
  xmlUnsetProp (root, BAD_CAST "id");
  if (!parse_identity (def, root, error) || !xf_domain_check (root, def->name, error)
      || !parse_memory (def, root, error) || !xf_domain_parse_cpus (def, root, error) || !parse_os (def, root, error)
      || !parse_action (def, root, "on_poweroff", &def->on_poweroff, error)
      || !parse_action (def, root, "on_reboot", &def->on_reboot, error)
      || !parse_action (def, root, "on_crash", &def->on_crash, error))
    return FALSE;
  parse_features (def, root);
  if (!xf_domain_parse_clock (def, xf_xml_child (root, "clock"), error))
    return FALSE;
  if (!xf_domain_parse_devices (def, ensure_console (root, def->type), flags, error))
    return FALSE;
  xf_domain_complete (def, root);
  return TRUE;
}

/* Indentation makes a document grow, at most by this factor. The result must be parsed again later. */
#define GROWTH_MAX 64

static gboolean
stays_readable (const XfDomainDef *def, gsize length, GError **error)
{
  g_autofree char *written = NULL;

  if (length < XF_XML_MAX_SIZE / GROWTH_MAX)
    return TRUE;
  written = xf_domain_def_format (def, XF_DOMAIN_FORMAT_SECURE, NULL);
  return strlen (written) <= XF_XML_MAX_SIZE || bad (def, error, "written with indentation it is larger than 4 MiB");
}

XfDomainDef *
xf_domain_def_parse (const char *xml, XfDomainParseFlags flags, GError **error)
{
  g_autoptr (XfDomainDef) def = g_new0 (XfDomainDef, 1);

  def->doc = xf_xml_parse (xml, strlen (xml), "domain", "domain XML", error);
  if (!def->doc || !parse_root (def, xmlDocGetRootElement (def->doc), flags, error)
      || !stays_readable (def, strlen (xml), error))
    return NULL;
  return g_steal_pointer (&def);
}

void
xf_domain_def_free (XfDomainDef *def)
{
  if (!def)
    return;
  xf_domain_clear_devices (def);
  g_clear_pointer ((xmlDoc **)&def->doc, xmlFreeDoc);
  g_clear_pointer (&def->pins, g_array_unref);
  g_clear_pointer (&def->cpu_features, g_array_unref);
  g_free (def->arch);
  g_free (def->name);
  g_free (def->kernel);
  g_free (def->initrd);
  g_free (def->cmdline);
  g_free (def->bootloader);
  g_free (def->bootloader_args);
  g_free (def->boot);
  g_free (def);
}

gboolean
xf_domain_def_set_name (XfDomainDef *def, const char *name, GError **error)
{
  char *copy;

  if (!xf_domain_name_check (name, error))
    return FALSE;
  copy = g_strdup (name);
  xf_xml_set_child_text (xmlDocGetRootElement (def->doc), "name", name);
  g_free (def->name);
  def->name = copy;
  return TRUE;
}
