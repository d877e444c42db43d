/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Secrets that two hosts share for one migration, and the conversion of bytes to text.
 */
#pragma once

#include <glib.h>

/* @size unpredictable random bytes, at most 256. */
void xf_secret_new (guint8 *secret_out, gsize size);

/* Whether both are equal; the time that it takes does not depend on where they differ. */
gboolean xf_secret_equal (gconstpointer a, gconstpointer b, gsize size);

/* Two hexadecimal digits a byte, in lower case. */
char *xf_hex_format (const guint8 *bytes, gsize size);

/* Parses exactly @size bytes, digits of either case and nothing else; NULL fails. When FALSE, *@bytes_out is
 * undefined. */
gboolean xf_hex_parse (const char *text, guint8 *bytes_out, gsize size);
