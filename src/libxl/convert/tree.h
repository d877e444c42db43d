/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Configurations in libxl's JSON as trees. Numbers are kept as they are written, with all their digits.
 */
#pragma once

#include <glib.h>
#include <yajl/yajl_gen.h>
#include <yajl/yajl_tree.h>

/* The caller frees the tree (yajl_tree_free). Error: the text is not JSON, or not an object. */
yajl_val xf_tree_parse (const char *json, GError **error);

/* NULL: there is no such member, or @object is not an object. */
yajl_val xf_tree_member (yajl_val object, const char *name);

void xf_tree_put_string (yajl_gen out, const char *text);
void xf_tree_put (yajl_gen out, yajl_val value);

/* The whole tree as text; the caller frees it. */
char *xf_tree_write (yajl_val tree);
