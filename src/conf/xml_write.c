/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * XML text as libvirt writes it: attributes in single quotes, two blanks per level. libxml2's own writer uses double
 * quotes, and scripts search for <source file='…'>.
 */
#include "conf/xml.h"

#include <string.h>

static void append_node (GString *text, const xmlNode *node, guint depth, gboolean inner);

/* White space that a reader would change is written as a character reference. */
static void
append_escaped (GString *text, const char *value, gboolean in_attribute)
{
  g_autofree char *escaped = g_markup_escape_text (value, -1);

  for (const char *c = escaped; *c; c++) {
    if (*c == '\r' || (in_attribute && (*c == '\n' || *c == '\t')))
      g_string_append_printf (text, "&#%d;", *c);
    else
      g_string_append_c (text, *c);
  }
}

static void
append_name (GString *text, const xmlNs *ns, const xmlChar *name)
{
  if (ns && ns->prefix)
    g_string_append_printf (text, "%s:", (const char *)ns->prefix);
  g_string_append (text, (const char *)name);
}

static void
append_attributes (GString *text, const xmlNode *node)
{
  for (const xmlAttr *attr = node->properties; attr; attr = attr->next) {
    xmlChar *value = xmlNodeListGetString (node->doc, attr->children, 1);

    g_string_append_c (text, ' ');
    append_name (text, attr->ns, attr->name);
    g_string_append (text, "='");
    append_escaped (text, value ? (const char *)value : "", TRUE);
    g_string_append_c (text, '\'');
    xmlFree (value);
  }
  for (const xmlNs *ns = node->nsDef; ns; ns = ns->next) {
    g_string_append_printf (text, " xmlns%s%s='", ns->prefix ? ":" : "", ns->prefix ? (const char *)ns->prefix : "");
    append_escaped (text, ns->href ? (const char *)ns->href : "", TRUE);
    g_string_append_c (text, '\'');
  }
}

static gboolean
has_text (const xmlNode *node)
{
  for (const xmlNode *child = node->children; child; child = child->next) {
    if (child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE)
      return TRUE;
  }
  return FALSE;
}

static void
append_element (GString *text, const xmlNode *node, guint depth, gboolean inner)
{
  gboolean in_line = inner || has_text (node);

  g_string_append_c (text, '<');
  append_name (text, node->ns, node->name);
  append_attributes (text, node);
  if (!node->children) {
    g_string_append (text, "/>");
    return;
  }
  g_string_append (text, in_line ? ">" : ">\n");
  for (const xmlNode *child = node->children; child; child = child->next)
    append_node (text, child, depth + 1, in_line);
  if (!in_line)
    g_string_append_printf (text, "%*s", 2 * (int)depth, "");
  g_string_append (text, "</");
  append_name (text, node->ns, node->name);
  g_string_append_c (text, '>');
}

/* @inner: beside text, which a line break would change. */
static void
append_node (GString *text, const xmlNode *node, guint depth, gboolean inner)
{
  const char *content = node->content ? (const char *)node->content : "";

  if (node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE) {
    append_escaped (text, content, FALSE);
    return;
  }
  if (node->type != XML_ELEMENT_NODE && node->type != XML_COMMENT_NODE)
    return;
  if (!inner)
    g_string_append_printf (text, "%*s", 2 * (int)depth, "");
  if (node->type == XML_COMMENT_NODE)
    g_string_append_printf (text, "<!--%s-->", content);
  else
    append_element (text, node, depth, inner);
  if (!inner)
    g_string_append_c (text, '\n');
}

char *
xf_xml_write (const xmlNode *node)
{
  GString *text = g_string_new (NULL);

  append_node (text, node, 0, FALSE);
  return g_string_free (text, FALSE);
}
