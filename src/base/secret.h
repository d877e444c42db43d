/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Secrets that two hosts share for one migration, and bytes as text.
 */
#pragma once

#include <glib.h>

/* @size random bytes, as many as cannot be guessed; at most 256. */
void xf_secret_new (guint8 *secret_out, gsize size);

/* Whether both are the same, in a time that does not tell where they differ. */
gboolean xf_secret_equal (gconstpointer a, gconstpointer b, gsize size);

/* Two hexadecimal digits a byte, in lower case. */
char *xf_hex_format (const guint8 *bytes, gsize size);

/* Exactly @size bytes, in digits of either case and nothing else; NULL is none. When FALSE, *@bytes_out is
 * nothing to rely on. */
gboolean xf_hex_parse (const char *text, guint8 *bytes_out, gsize size);
