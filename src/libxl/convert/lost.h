/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Finds the parts of a configuration that are lost when this host's libxl reads it. libxl's JSON parser ignores every
 * key that it does not know, and a key whose value has an unexpected type. So the parsed configuration is written
 * again, and both texts are compared.
 */
#pragma once

#include <glib.h>

/* Reads @json and writes the parsed configuration. NULL if @json cannot be read. The caller frees the result. */
typedef char *(*XfConfigRewrite) (const char *json, gpointer data);

/* Paths ("nics[0].vlan") of the values in @json that are missing or different in the output of @rewrite. These do not
 * count: null, false, 0, empty values, and a value that @rewrite leaves out because it is the default of a known key.
 * NULL (@error): one of the two texts is not a JSON object. */
GPtrArray *xf_config_lost (const char *json, XfConfigRewrite rewrite, gpointer data, GError **error);
