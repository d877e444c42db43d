/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A definition as XML again: the kept document, plus what is true only while the guest runs, minus what the reader
 * may not see. And the comparison of two definitions.
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

char *
xf_domain_def_format (const XfDomainDef *def, XfDomainFormatFlags flags, const XfDomainLive *live)
{
  g_autoptr (xmlDoc) doc = xmlCopyDoc (def->doc, 1);
  xmlNode *root = xmlDocGetRootElement (doc);
  xmlBuffer *buffer = xmlBufferCreate ();
  char *text;

  if (live && live->id >= 0 && !(flags & XF_DOMAIN_FORMAT_INACTIVE))
    add_live (root, live);
  if (!(flags & XF_DOMAIN_FORMAT_SECURE)) {
    xmlNode *graphics = xf_xml_child (xf_xml_child (root, "devices"), "graphics");

    if (graphics)
      xmlUnsetProp (graphics, BAD_CAST "passwd");
  }
  xmlNodeDump (buffer, doc, root, 0, 1);
  xmlBufferAdd (buffer, BAD_CAST "\n", 1);
  text = g_strdup ((const char *)xmlBufferContent (buffer));
  xmlBufferFree (buffer);
  return text;
}

static gboolean
differs (GError **error, const char *what)
{
  g_set_error (error, XF_ERROR, XF_ERROR_CONFIG_UNSUPPORTED, "the given XML does not describe the running guest: %s", what);
  return FALSE;
}

static gboolean
same_disks (const XfDomainDef *running, const XfDomainDef *wanted, GError **error)
{
  if (running->disks->len != wanted->disks->len)
    return differs (error, "the number of disks differs");
  for (guint i = 0; i < running->disks->len; i++) {
    const XfDisk *a = &g_array_index (running->disks, XfDisk, i), *b = &g_array_index (wanted->disks, XfDisk, i);

    if (!g_str_equal (a->target, b->target) || a->device != b->device || a->readonly != b->readonly)
      return differs (error, "a disk differs in target, device or readonly");
  }
  return TRUE;
}

static gboolean
same_nics (const XfDomainDef *running, const XfDomainDef *wanted, GError **error)
{
  if (running->nics->len != wanted->nics->len)
    return differs (error, "the number of interfaces differs");
  for (guint i = 0; i < running->nics->len; i++) {
    const XfNic *a = &g_array_index (running->nics, XfNic, i), *b = &g_array_index (wanted->nics, XfNic, i);

    if (memcmp (a->mac, b->mac, sizeof (a->mac)) != 0 || g_strcmp0 (a->model, b->model) != 0)
      return differs (error, "an interface differs in MAC address or model");
  }
  return TRUE;
}

gboolean
xf_domain_def_check_abi (const XfDomainDef *running, const XfDomainDef *wanted, GError **error)
{
  if (!xf_uuid_equal (running->uuid, wanted->uuid))
    return differs (error, "the uuid differs");
  if (running->type != wanted->type)
    return differs (error, "the type of guest differs");
  if (running->memory_kib != wanted->memory_kib || running->vcpus != wanted->vcpus)
    return differs (error, "memory or vCPUs differ");
  if (running->vnc.present != wanted->vnc.present)
    return differs (error, "one has graphics, the other has not");
  return same_disks (running, wanted, error) && same_nics (running, wanted, error);
}
