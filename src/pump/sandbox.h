/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the pump gives away before the first byte from a peer: its user, the way to new privileges, every descriptor it
 * does not need, room to grow, and all system calls but those that move bytes, wait and end. There is no file system
 * after it.
 */
#pragma once

#include <glib.h>

/* All descriptors but 0 to 2 and the @n of @keep. */
void xf_sandbox_close_others (const int *keep, guint n);

/* @user: to become, by name; NULL: stay who we are. */
gboolean xf_sandbox_enter (const char *user, GError **error);
