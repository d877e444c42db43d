/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/output.h"

#include <stdio.h>
#include <string.h>

#include "conf/uuid.h"

static void
put_text (yajl_gen json, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);

  yajl_gen_string (json, (const guchar *)valid, strlen (valid));
}

yajl_gen
xf_output_new (void)
{
  yajl_gen json = yajl_gen_alloc (NULL);

  yajl_gen_config (json, yajl_gen_beautify, 1);
  yajl_gen_config (json, yajl_gen_indent_string, "  ");
  return json;
}

void
xf_output_print (yajl_gen json)
{
  const guchar *text = NULL;
  size_t length = 0;

  yajl_gen_get_buf (json, &text, &length);
  fwrite (text, 1, length, stdout);
  yajl_gen_free (json);
}

void
xf_output_key (yajl_gen json, const char *key)
{
  put_text (json, key);
}

void
xf_output_text (yajl_gen json, const char *key, const char *text)
{
  put_text (json, key);
  if (text)
    put_text (json, text);
  else
    yajl_gen_null (json);
}

void
xf_output_number (yajl_gen json, const char *key, guint64 value)
{
  put_text (json, key);
  yajl_gen_integer (json, (long long)MIN (value, G_MAXINT64));
}

void
xf_output_boolean (yajl_gen json, const char *key, gboolean value)
{
  put_text (json, key);
  yajl_gen_bool (json, value);
}

void
xf_output_uuid (yajl_gen json, const char *key, const guint8 *uuid)
{
  g_autofree char *text = xf_uuid_to_string (uuid);

  xf_output_text (json, key, text);
}
