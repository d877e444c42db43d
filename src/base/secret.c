/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/secret.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void
xf_secret_new (guint8 *secret_out, gsize size)
{
  if (getentropy (secret_out, size) < 0)
    g_error ("the kernel gives no random bytes: %s", g_strerror (errno));
}

gboolean
xf_secret_equal (gconstpointer a, gconstpointer b, gsize size)
{
  const guint8 *left = a, *right = b;
  guint8 differs = 0;

  for (gsize i = 0; i < size; i++)
    differs |= left[i] ^ right[i];
  return differs == 0;
}

char *
xf_hex_format (const guint8 *bytes, gsize size)
{
  GString *text = g_string_sized_new (2 * size + 1);

  for (gsize i = 0; i < size; i++)
    g_string_append_printf (text, "%02x", bytes[i]);
  return g_string_free (text, FALSE);
}

gboolean
xf_hex_parse (const char *text, guint8 *bytes_out, gsize size)
{
  if (!text || strlen (text) != 2 * size)
    return FALSE;
  for (gsize i = 0; i < size; i++) {
    int high = g_ascii_xdigit_value (text[2 * i]), low = g_ascii_xdigit_value (text[2 * i + 1]);

    if (high < 0 || low < 0)
      return FALSE;
    bytes_out[i] = (guint8)(high << 4 | low);
  }
  return TRUE;
}
