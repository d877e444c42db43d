/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Adds to a definition what it omits and clients expect: libvirt's readers rely on a disk's device, a guest's machine
 * and its number of vCPUs.
 */
#include "conf/domain_def.h"
#include "conf/xml.h"

static void
default_attr (xmlNode *node, const char *name, const char *value)
{
  if (!xmlHasProp (node, BAD_CAST name))
    xmlNewProp (node, BAD_CAST name, BAD_CAST value);
}

/* Before <devices>, its usual place. */
static xmlNode *
default_child (xmlNode *root, const char *name, const char *text)
{
  xmlNode *child = xf_xml_child (root, name);

  if (child)
    return child;
  child = xmlAddPrevSibling (xf_xml_child (root, "devices"), xmlNewNode (NULL, BAD_CAST name));
  if (text)
    xmlNodeAddContent (child, BAD_CAST text);
  return child;
}

static void
complete_os (const XfDomainDef *def, xmlNode *root)
{
  static const char *const machines[] = {
    [XF_GUEST_PV] = "xenpv", [XF_GUEST_PVH] = "xenpvh", [XF_GUEST_HVM] = "xenfv"
  };
  xmlNode *os = xf_xml_child (root, "os"), *type = xf_xml_child (os, "type");

  xmlNodeSetContent (type, BAD_CAST xf_guest_type_xml (def->type));
  default_attr (type, "arch", def->arch);
  default_attr (type, "machine", machines[def->type]);
}

static void
complete_disks (xmlNode *devices)
{
  for (xmlNode *node = devices->children; node; node = node->next) {
    if (!xf_xml_is (node, "disk"))
      continue;
    default_attr (node, "type", "file");
    default_attr (node, "device", "disk");
  }
}

void
xf_domain_complete (XfDomainDef *def, gpointer root)
{
  g_autofree char *current = g_strdup_printf ("%" G_GUINT64_FORMAT, def->current_kib);
  g_autofree char *vcpus = g_strdup_printf ("%u", def->vcpus);

  default_attr (default_child (root, "currentMemory", current), "unit", "KiB");
  default_attr (default_child (root, "vcpu", vcpus), "placement", "static");
  complete_os (def, root);
  default_attr (default_child (root, "clock", NULL), "offset", "utc");
  default_child (root, "on_poweroff", xf_action_name (def->on_poweroff));
  default_child (root, "on_reboot", xf_action_name (def->on_reboot));
  default_child (root, "on_crash", xf_action_name (def->on_crash));
  complete_disks (xf_xml_child (root, "devices"));
}
