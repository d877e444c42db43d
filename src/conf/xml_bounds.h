/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bounds for the work that a document causes, checked in one pass over its bytes before a parser starts. libxml2
 * compares each attribute of an element with all previous ones, and searches a namespace among all declared ones. The
 * counts are never lower than what a parser can find, even in a malformed document.
 */
#pragma once

#include <glib.h>

#define XF_XML_MAX_SIZE (4 * 1024 * 1024)
#define XF_XML_MAX_TAGS 50000 /* start tags, end tags, comments and similar */
#define XF_XML_MAX_ELEMENT_ATTRIBUTES 1000
#define XF_XML_MAX_ATTRIBUTES 50000
#define XF_XML_MAX_NAMESPACES 512
#define XF_XML_MAX_REFERENCES 200000 /* &amp; and similar */

/* FALSE when the document exceeds one of these bounds or is not UTF-8; the error (XF_ERROR_XML) begins with @what. */
gboolean xf_xml_check_bounds (const char *text, gsize length, const char *what, GError **error);
