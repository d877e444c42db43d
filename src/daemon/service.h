/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The interface to the service manager: sockets that it hands over at the start (LISTEN_FDS), and messages about
 * readiness and the end (NOTIFY_SOCKET). Without a service manager these have no effect. Also the lock that prevents
 * two daemons from using one state directory.
 */
#pragma once

#include <glib.h>

/* Takes the listening sockets that the service manager has opened for this process: an array of int, owned by the
 * caller, empty when there are none. Only the first call finds them, because it removes them from the environment of
 * our children. */
GArray *xf_service_take_sockets (void);

/* Sends one datagram in the service manager's form, e.g. "READY=1" or "STOPPING=1". A failure is only logged. */
void xf_service_notify (const char *state);

/* Locks @dir (created if absent, 0700) for this process until the returned descriptor is closed or the process ends. -1
 * when another daemon has the lock; @error names its pid. */
int xf_service_lock_dir (const char *dir, GError **error);
