/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How much work a document may be, known from one look at its bytes, before a parser has begun: libxml2 compares each
 * attribute of an element with all before it, and looks a namespace up among all that are declared. What is counted is
 * never less than what a parser can find, in whatever state a malformed document has brought it.
 */
#pragma once

#include <glib.h>

#define XF_XML_MAX_SIZE (4 * 1024 * 1024)
#define XF_XML_MAX_TAGS 50000 /* begins, ends, comments and the like */
#define XF_XML_MAX_ELEMENT_ATTRIBUTES 1000
#define XF_XML_MAX_ATTRIBUTES 50000
#define XF_XML_MAX_NAMESPACES 512
#define XF_XML_MAX_REFERENCES 200000 /* &amp; and the like */

/* FALSE with an error (XF_ERROR_XML), which begins with @what: it is larger than one of these, or not UTF-8. */
gboolean xf_xml_check_bounds (const char *text, gsize length, const char *what, GError **error);
