/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * 16-byte uuids, as on the wire and in libxl, and their text.
 */
#pragma once

#include <glib.h>

#define XF_UUID_SIZE 16

/* A random (version 4) uuid. */
void xf_uuid_generate (guint8 *uuid_out);

/* Lower case, with dashes; the caller owns it. */
char *xf_uuid_to_string (const guint8 *uuid);

/* Accepts upper and lower case, with dashes anywhere between digits or without any, as libvirt does. */
gboolean xf_uuid_parse (const char *text, guint8 *uuid_out);

gboolean xf_uuid_equal (const guint8 *a, const guint8 *b);
