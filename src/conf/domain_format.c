/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes a definition as XML: the kept document, with the facts of the running guest, and without what the reader may
 * not see.
 */
#include "conf/domain_def.h"

#include <string.h>

#include "base/error.h"
#include "conf/xml.h"

static void
set_number (xmlNode *node, const char *attribute, int value)
{
  g_autofree char *text = g_strdup_printf ("%d", value);

  xmlSetProp (node, BAD_CAST attribute, BAD_CAST text);
}

static void
add_console (xmlNode *console, const char *tty)
{
  xmlNode *source = xf_xml_child (console, "source");

  xmlSetProp (console, BAD_CAST "tty", BAD_CAST tty);
  if (!source) {
    source = xmlNewNode (NULL, BAD_CAST "source");
    if (console->children)
      xmlAddPrevSibling (console->children, source);
    else
      xmlAddChild (console, source);
  }
  xmlSetProp (source, BAD_CAST "path", BAD_CAST tty);
}

static void
add_interface_names (xmlNode *devices, int id)
{
  guint devid = 0;

  for (xmlNode *node = devices->children; node; node = node->next) {
    g_autofree char *name = NULL;
    xmlNode *target;

    if (!xf_xml_is (node, "interface"))
      continue;
    name = g_strdup_printf ("vif%d.%u", id, devid++);
    target = xf_xml_child (node, "target");
    if (!target)
      target = xmlNewChild (node, NULL, BAD_CAST "target", NULL);
    if (!xmlHasProp (target, BAD_CAST "dev"))
      xmlSetProp (target, BAD_CAST "dev", BAD_CAST name);
  }
}

static void
add_live (xmlNode *root, const XfDomainLive *live)
{
  xmlNode *devices = xf_xml_child (root, "devices"), *console = xf_xml_child (devices, "console");
  xmlNode *graphics = xf_xml_child (devices, "graphics");

  set_number (root, "id", live->id);
  if (live->console_tty && console && xf_xml_attr_is (console, "type", "pty"))
    add_console (console, live->console_tty);
  if (live->vnc_port >= 0 && graphics)
    set_number (graphics, "port", live->vnc_port);
  add_interface_names (devices, live->id);
}

/* In every element: a refused document can have more of them, and at other places. */
static void
remove_secrets (xmlNode *node)
{
  for (; node; node = node->next) {
    if (node->type != XML_ELEMENT_NODE || node->ns)
      continue;
    xmlUnsetProp (node, BAD_CAST "passwd");
    remove_secrets (node->children);
  }
}

char *
xf_domain_def_format (const XfDomainDef *def, XfDomainFormatFlags flags, const XfDomainLive *live)
{
  g_autoptr (xmlDoc) doc = xmlCopyDoc (def->doc, 1);
  xmlNode *root = xmlDocGetRootElement (doc);

  if (live && live->id >= 0 && !(flags & XF_DOMAIN_FORMAT_INACTIVE))
    add_live (root, live);
  if (!(flags & XF_DOMAIN_FORMAT_SECURE))
    remove_secrets (root);
  return xf_xml_write (root);
}
