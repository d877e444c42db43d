/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A small, hardened interface to libxml2. Clients and peers send XML, so documents are bounded, load nothing and expand
 * no entities.
 */
#pragma once

#include <glib.h>
#include <libxml/tree.h>

#include "conf/xml_bounds.h"

#define XF_XML_MAX_DEPTH 64

G_DEFINE_AUTOPTR_CLEANUP_FUNC (xmlDoc, xmlFreeDoc)

/* Parses; @root: the required name of the root element; @what: for errors, for example "domain XML". Errors
 * (XF_ERROR_XML): too large (conf/xml_bounds.h), too deep, not UTF-8, a DTD, malformed (with the line), another root.
 */
xmlDoc *xf_xml_parse (const char *text, gsize length, const char *root, const char *what, GError **error);

/* The first child element of that name in no namespace, or NULL. @parent may be NULL. */
xmlNode *xf_xml_child (const xmlNode *parent, const char *name);

gboolean xf_xml_is (const xmlNode *node, const char *name);

/* The attribute's value or NULL; the caller owns it. @node may be NULL. */
char *xf_xml_attr (const xmlNode *node, const char *name);

/* FALSE when the attribute exists and is not a decimal number in the range. Without the attribute *number_out keeps its
 * value. @node may be NULL. */
gboolean xf_xml_attr_number (const xmlNode *node, const char *name, gint64 min, gint64 max, gint64 *number_out);

/* TRUE when @node has the attribute with that value. */
gboolean xf_xml_attr_is (const xmlNode *node, const char *name, const char *value);

/* The text of @node, blanks at both ends removed; NULL for NULL or empty; the caller owns it. */
char *xf_xml_text (const xmlNode *node);

/* Sets the text of @parent's child @name; creates the child if it is missing. */
void xf_xml_set_child_text (xmlNode *parent, const char *name, const char *text);

/* @node and all below it as text with a newline at the end, in libvirt's form; the caller owns it. */
char *xf_xml_write (const xmlNode *node);
