/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any bytes as a migration cookie. A valid one is written and read again, and must not change.
 */
#include <string.h>

#include "conf/cookie.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autofree char *text = g_strndup ((const char *)data, size); /* ends at a NUL, as the protocol says */
  g_autoptr (GBytes) bytes = g_bytes_new (text, strlen (text) + 1), any = g_bytes_new (data, size);
  g_autoptr (GBytes) written = NULL, again = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (XfCookie) cookie = xf_cookie_parse (bytes, &error), second = NULL;

  g_assert ((cookie == NULL) == (error != NULL));
  second = xf_cookie_parse (any, NULL);
  g_clear_pointer (&second, xf_cookie_free);
  if (!cookie)
    return 0;
  written = xf_cookie_format (cookie);
  second = xf_cookie_parse (written, &error);
  g_assert_no_error (error);
  again = xf_cookie_format (second);
  g_assert_true (g_bytes_equal (written, again));
  return 0;
}
