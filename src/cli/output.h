/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Members of JSON objects that commands print. Texts are made valid UTF-8.
 */
#pragma once

#include <glib.h>
#include <yajl/yajl_gen.h>

/* A generator that makes lines for a person too. */
yajl_gen xf_output_new (void);

/* Prints what is generated, and frees the generator. */
void xf_output_print (yajl_gen json);

void xf_output_key (yajl_gen json, const char *key);

/* @text NULL: null. */
void xf_output_text (yajl_gen json, const char *key, const char *text);
void xf_output_number (yajl_gen json, const char *key, guint64 value);
void xf_output_boolean (yajl_gen json, const char *key, gboolean value);
void xf_output_uuid (yajl_gen json, const char *key, const guint8 *uuid);
