/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/xml.h"

#include <libxml/parser.h>

#include "base/error.h"

static guint
depth_of (const xmlNode *node)
{
  guint deepest = 0;

  for (const xmlNode *child = node->children; child; child = child->next) {
    /* Not inside MAX(), which would evaluate it twice per level. */
    guint depth = child->type == XML_ELEMENT_NODE ? depth_of (child) + 1 : 0;

    deepest = MAX (deepest, depth);
  }
  return deepest;
}

/* Only a document type can declare entities, so parsing ends there, before any entity is expanded. */
static void
stop_at_doctype (void *data, const xmlChar *name, const xmlChar *external_id, const xmlChar *system_id)
{
  xmlParserCtxt *context = data;

  *(gboolean *)context->_private = TRUE;
  xmlStopParser (context);
}

xmlDoc *
xf_xml_parse (const char *text, gsize length, const char *root, const char *what, GError **error)
{
  g_autoptr (xmlDoc) doc = NULL;
  gboolean has_doctype = FALSE;
  xmlParserCtxt *context;
  xmlNode *top;

  if (!xf_xml_check_bounds (text, length, what, error))
    return NULL;
  /* No network, no entities: XML_PARSE_NOENT is deliberately absent, and libxml2's own depth limit (256) guards the
   * parser itself, ours the code that walks the tree. */
  context = xmlNewParserCtxt ();
  context->_private = &has_doctype;
  context->sax->internalSubset = stop_at_doctype;
  /* UTF-8 whatever the document declares: its bounds were checked as UTF-8. */
  doc = xmlCtxtReadMemory (context, text, length, NULL, "UTF-8",
                           XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOBLANKS);
  if (has_doctype) {
    g_set_error (error, XF_ERROR, XF_ERROR_XML, "%s has a document type declaration, which is not accepted", what);
    xmlFreeParserCtxt (context);
    return NULL;
  }
  if (!doc) {
    g_autofree char *said = g_strdup (context->lastError.message ? g_strchomp (context->lastError.message) : "no XML");

    g_set_error (error, XF_ERROR, XF_ERROR_XML, "%s is malformed at line %d: %s", what, context->lastError.line, said);
    xmlFreeParserCtxt (context);
    return NULL;
  }
  xmlFreeParserCtxt (context);
  top = xmlDocGetRootElement (doc);
  if (!top || !xf_xml_is (top, root)) {
    g_set_error (error, XF_ERROR, XF_ERROR_XML, "%s: the root element is <%s> instead of <%s>", what,
                 top ? (const char *)top->name : "", root);
    return NULL;
  }
  if (depth_of (top) > XF_XML_MAX_DEPTH) {
    g_set_error (error, XF_ERROR, XF_ERROR_XML, "%s is nested deeper than %d elements", what, XF_XML_MAX_DEPTH);
    return NULL;
  }
  return g_steal_pointer (&doc);
}

gboolean
xf_xml_is (const xmlNode *node, const char *name)
{
  return node->type == XML_ELEMENT_NODE && !node->ns && xmlStrEqual (node->name, BAD_CAST name);
}

xmlNode *
xf_xml_child (const xmlNode *parent, const char *name)
{
  for (xmlNode *child = parent ? parent->children : NULL; child; child = child->next) {
    if (xf_xml_is (child, name))
      return child;
  }
  return NULL;
}

/* libxml2's strings come from its own allocator; ours are GLib's. */
static char *
take (xmlChar *text)
{
  char *copy = g_strdup ((const char *)text);

  xmlFree (text);
  return copy;
}

char *
xf_xml_attr (const xmlNode *node, const char *name)
{
  return node ? take (xmlGetNoNsProp (node, BAD_CAST name)) : NULL;
}

gboolean
xf_xml_attr_number (const xmlNode *node, const char *name, gint64 min, gint64 max, gint64 *number_out)
{
  g_autofree char *text = xf_xml_attr (node, name);

  return !text || g_ascii_string_to_signed (text, 10, min, max, number_out, NULL);
}

gboolean
xf_xml_attr_is (const xmlNode *node, const char *name, const char *value)
{
  g_autofree char *found = xf_xml_attr (node, name);

  return g_strcmp0 (found, value) == 0;
}

char *
xf_xml_text (const xmlNode *node)
{
  g_autofree char *text = node ? take (xmlNodeGetContent (node)) : NULL;

  if (!text || !*g_strstrip (text))
    return NULL;
  return g_steal_pointer (&text);
}

void
xf_xml_set_child_text (xmlNode *parent, const char *name, const char *text)
{
  xmlNode *child = xf_xml_child (parent, name);

  if (!child)
    child = xmlNewChild (parent, NULL, BAD_CAST name, NULL);
  xmlNodeSetContent (child, NULL);
  xmlNodeAddContent (child, BAD_CAST text);
}
