/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Nothing in domain XML is dropped without an error: every element has a verdict. USED is read elsewhere. KEPT has no
 * effect on a Xen guest and is only written again; TREE is the same with everything below it. An element without a row
 * could change the guest in an unknown way, and is refused by its path. Elements of foreign namespaces are kept, except
 * those with arguments for a device model.
 */
#include "conf/domain_def.h"
#include "conf/xml.h"

#include "base/error.h"

typedef enum { REFUSED, USED, KEPT, TREE } Verdict;

static const struct {
  const char *path; /* below <domain> */
  Verdict verdict;
} verdicts[] = {
  { "name", USED },
  { "uuid", USED },
  { "title", TREE },
  { "description", TREE },
  { "metadata", TREE },
  { "memory", USED },
  { "currentMemory", USED },
  { "vcpu", USED },
  { "cputune", USED },
  { "cputune/shares", USED },
  { "cputune/vcpupin", USED },
  { "cpu", USED },
  { "cpu/feature", USED },
  { "cpu/model", KEPT },
  { "cpu/vendor", KEPT },
  { "cpu/topology", KEPT },
  { "bootloader", USED },
  { "bootloader_args", USED },
  { "os", USED },
  { "os/type", USED },
  { "os/kernel", USED },
  { "os/initrd", USED },
  { "os/cmdline", USED },
  { "os/loader", USED },
  { "os/boot", USED },
  { "os/bootmenu", KEPT },
  { "features", USED },
  { "features/pae", USED },
  { "features/apic", USED },
  { "features/acpi", USED },
  { "features/hap", USED },
  { "features/viridian", KEPT },
  { "features/hyperv", TREE },
  { "clock", USED },
  { "clock/timer", USED },
  { "on_poweroff", USED },
  { "on_reboot", USED },
  { "on_crash", USED },
  { "pm", TREE },
  { "resource", TREE },
  { "memoryBacking", TREE },
  { "blkiotune", TREE },
  { "iothreads", KEPT },
  { "sysinfo", TREE },
  { "seclabel", TREE },
  { "genid", TREE },
  { "devices", USED },
  { "devices/emulator", USED },
  { "devices/disk", USED },
  { "devices/disk/driver", USED },
  { "devices/disk/source", USED },
  { "devices/disk/target", USED },
  { "devices/disk/readonly", USED },
  { "devices/disk/shareable", USED },
  { "devices/disk/backenddomain", USED },
  { "devices/disk/address", KEPT },
  { "devices/disk/alias", KEPT },
  { "devices/disk/serial", KEPT },
  { "devices/disk/boot", KEPT },
  { "devices/disk/backingStore", TREE },
  { "devices/interface", USED },
  { "devices/interface/mac", USED },
  { "devices/interface/source", USED },
  { "devices/interface/script", USED },
  { "devices/interface/target", USED },
  { "devices/interface/model", USED },
  { "devices/interface/ip", USED },
  { "devices/interface/backenddomain", USED },
  { "devices/interface/bandwidth", USED },
  { "devices/interface/bandwidth/inbound", KEPT },
  { "devices/interface/bandwidth/outbound", USED },
  { "devices/interface/mtu", KEPT },
  { "devices/interface/link", KEPT },
  { "devices/interface/address", KEPT },
  { "devices/interface/alias", KEPT },
  { "devices/interface/boot", KEPT },
  { "devices/console", TREE },
  { "devices/serial", USED },
  { "devices/serial/source", TREE },
  { "devices/serial/target", TREE },
  { "devices/serial/protocol", USED },
  { "devices/serial/address", KEPT },
  { "devices/serial/alias", KEPT },
  { "devices/serial/log", TREE },
  { "devices/graphics", USED },
  { "devices/graphics/listen", USED },
  { "devices/video", USED },
  { "devices/video/model", USED },
  { "devices/video/model/acceleration", KEPT },
  { "devices/video/address", KEPT },
  { "devices/video/alias", KEPT },
  { "devices/video/driver", KEPT },
  { "devices/input", TREE },
  { "devices/memballoon", USED },
  { "devices/controller", TREE },
  { "devices/tpm", TREE },
  { "devices/rng", TREE },
  { "devices/watchdog", TREE },
  { "devices/panic", TREE },
  { "devices/audio", TREE },
};

/* Attributes that would change the guest, with the values that are served; NULL ends the list. */
static const struct {
  const char *path, *attribute;
  const char *served[8];
} attributes[] = {
  { "os", "firmware", { "efi", "bios" } },
  { "os/type", "arch", { "x86_64", "i686" } },
  { "os/loader", "secure", { "no" } },
  { "os/boot", "dev", { "fd", "hd", "cdrom", "network" } },
  { "cpu", "mode", { "host-passthrough", "custom" } },
  { "cpu/feature", "policy", { "force", "require", "optional", "disable", "forbid" } },
  { "clock/timer", "name", { "tsc", "hpet" } },
  { "devices/disk", "type", { "file", "block" } },
  { "devices/disk", "device", { "disk", "cdrom", "floppy" } },
  { "devices/disk/driver", "name", { "qemu", "tap", "tap2", "phy", "file" } },
  { "devices/disk/driver", "type", { "raw", "qcow", "qcow2", "qed", "vpc", "vhd" } },
  { "devices/disk/driver", "discard", { "unmap", "ignore" } },
  { "features/hap", "state", { "on", "off" } },
  { "devices/interface", "type", { "bridge", "ethernet" } },
  { "devices/serial", "type", { "pty", "file", "null", "stdio", "vc", "tcp", "unix", "pipe" } },
  { "devices/graphics", "type", { "vnc" } },
  { "devices/graphics", "socket", { NULL } },
  { "devices/graphics", "websocket", { NULL } },
  { "devices/graphics/listen", "type", { "address" } },
  { "devices/controller", "type", { "xenbus", "ide", "scsi", "fdc", "sata", "pci", "virtio-serial" } },
  { "devices/video/model", "type", { "vga", "cirrus", "qxl", "xen", "none" } },
  { "devices/memballoon", "model", { "xen" } },
  { "clock", "offset", { "utc", "localtime", "variable" } },
};

static Verdict
verdict_of (const char *path)
{
  for (gsize i = 0; i < G_N_ELEMENTS (verdicts); i++) {
    if (g_str_equal (verdicts[i].path, path))
      return verdicts[i].verdict;
  }
  return REFUSED;
}

static gboolean
refuse (const char *name, GError **error, const char *what)
{
  g_set_error (error, XF_ERROR, XF_ERROR_CONFIG_UNSUPPORTED,
               "domain '%s': %s is not supported by this driver and would change the guest; remove it", name, what);
  return FALSE;
}

static gboolean
check_attributes (const xmlNode *node, const char *path, const char *name, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (attributes); i++) {
    g_autofree char *value = NULL, *what = NULL;

    if (!g_str_equal (attributes[i].path, path))
      continue;
    value = xf_xml_attr (node, attributes[i].attribute);
    if (!value || g_strv_contains (attributes[i].served, value))
      continue;
    what = g_strdup_printf ("%s='%s' of element <%s>", attributes[i].attribute, value, path);
    return refuse (name, error, what);
  }
  return TRUE;
}

static gboolean
check_children (const xmlNode *parent, const char *parent_path, const char *name, GError **error)
{
  for (const xmlNode *node = parent->children; node; node = node->next) {
    g_autofree char *path = NULL, *what = NULL;

    if (node->type != XML_ELEMENT_NODE)
      continue;
    path = *parent_path ? g_strdup_printf ("%s/%s", parent_path, node->name) : g_strdup ((const char *)node->name);
    what = g_strdup_printf ("element <%s>", path);
    if (node->ns) {
      if (xmlStrEqual (node->name, BAD_CAST "commandline"))
        return refuse (name, error, what);
      continue;
    }
    switch (verdict_of (path)) {
    case REFUSED:
      return refuse (name, error, what);
    case USED:
    case KEPT:
      if (!check_attributes (node, path, name, error) || !check_children (node, path, name, error))
        return FALSE;
      break;
    case TREE:
      if (!check_attributes (node, path, name, error))
        return FALSE;
      break;
    }
  }
  return TRUE;
}

gboolean
xf_domain_check (gpointer root, const char *name, GError **error)
{
  return check_children (root, "", name, error);
}
