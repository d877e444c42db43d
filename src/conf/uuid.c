/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/uuid.h"

#include <string.h>

void
xf_uuid_generate (guint8 *uuid_out)
{
  g_autofree char *text = g_uuid_string_random ();
  gboolean parsed = xf_uuid_parse (text, uuid_out);

  g_assert (parsed);
}

char *
xf_uuid_to_string (const guint8 *uuid)
{
  GString *text = g_string_sized_new (36);

  for (guint i = 0; i < XF_UUID_SIZE; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      g_string_append_c (text, '-');
    g_string_append_printf (text, "%02x", uuid[i]);
  }
  return g_string_free (text, FALSE);
}

gboolean
xf_uuid_parse (const char *text, guint8 *uuid_out)
{
  guint digits = 0;

  for (; *text; text++) {
    int value = g_ascii_xdigit_value (*text);

    if (*text == '-')
      continue;
    if (value < 0 || digits == 2 * XF_UUID_SIZE)
      return FALSE;
    uuid_out[digits / 2] = digits % 2 ? uuid_out[digits / 2] << 4 | value : value;
    digits++;
  }
  return digits == 2 * XF_UUID_SIZE;
}

gboolean
xf_uuid_equal (const guint8 *a, const guint8 *b)
{
  return memcmp (a, b, XF_UUID_SIZE) == 0;
}
