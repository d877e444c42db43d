/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a configuration loses when this host's libxl reads it: its JSON parser ignores every key that it does not know,
 * and a key whose value has become of another kind. So what it has read is written again, and both texts are compared.
 */
#pragma once

#include <glib.h>

/* Reads @json and writes what was understood; NULL when it cannot be read. The caller's. */
typedef char *(*XfConfigRewrite) (const char *json, gpointer data);

/* Paths ("nics[0].vlan") of what says something in @json and is gone, or another, in what @rewrite makes of it. Nothing
 * is said by null, false, 0, what is empty, and a value that @rewrite leaves out because it is the default of a key
 * that it does know. NULL (@error): one of both is no JSON object. */
GPtrArray *xf_config_lost (const char *json, XfConfigRewrite rewrite, gpointer data, GError **error);
