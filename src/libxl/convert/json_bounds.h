/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Limits of a JSON text for libxl's parser. Before each allocation the parser searches a list of all its earlier
 * allocations for a free place, so its time grows with the square of the number of values. yajl alone reads the text
 * once, in linear time, before libxl gets it.
 */
#pragma once

#include <glib.h>

#define XF_JSON_MAX_SIZE (1024 * 1024)
#define XF_JSON_MAX_DEPTH 32
#define XF_JSON_MAX_KEYS 1000 /* of one map; libxl searches them for each field */

/* The number of libxl's allocations for all values: two for a number, a string or a key, three for a list or a map.
 * The project's own largest configuration needs 338; one of 128 vCPUs, each with an affinity to 36 CPUs, needs 9,600.
 * libxl takes 30 ms for a text at this limit, and reads it more than once. */
#define XF_JSON_MAX_PIECES 10000

/* FALSE with an error (XF_ERROR_XML): the text is not JSON, or exceeds one of these limits. */
gboolean xf_json_check_bounds (const char *json, GError **error);
