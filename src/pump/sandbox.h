/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The pump drops its privileges before it reads from the peer: its user, the ability to gain privileges, every
 * descriptor that it does not need, memory beyond a limit, and all system calls except those that move bytes, wait and
 * end. It cannot open files afterwards.
 */
#pragma once

#include <glib.h>

/* Closes all descriptors except 0 to 2 and the @n of @keep. */
void xf_sandbox_close_others (const int *keep, guint n);

/* @user: name of the user to become; NULL: keep the current one. */
gboolean xf_sandbox_enter (const char *user, GError **error);
