/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How much work a JSON text is for libxl's parser, which looks for a free place in a list of all that it has allocated
 * before each allocation: its time grows with the square of the number of values. Read once, by yajl alone and in
 * linear time, before libxl sees it.
 */
#pragma once

#include <glib.h>

#define XF_JSON_MAX_SIZE (1024 * 1024)
#define XF_JSON_MAX_DEPTH 32
#define XF_JSON_MAX_KEYS 1000 /* of one map, which libxl searches for each field */

/* What libxl allocates for all values: two pieces for a number, a string or a key, three for a list or a map. The
 * largest configuration among the project's own is 338; one of 128 vCPUs, each with an affinity to 36 CPUs, is 9,600.
 * libxl takes 30 ms for as much as this, and reads it more than once. */
#define XF_JSON_MAX_PIECES 10000

/* FALSE with an error (XF_ERROR_XML): it is no JSON, or more than one of these. */
gboolean xf_json_check_bounds (const char *json, GError **error);
