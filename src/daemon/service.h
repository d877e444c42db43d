/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the service manager and the daemon tell each other: sockets handed over at the start (LISTEN_FDS), readiness
 * and the end (NOTIFY_SOCKET). And the lock that keeps two daemons out of one state directory. Without a service
 * manager all of it is quietly absent.
 */
#pragma once

#include <glib.h>

/* Takes the listening sockets that the service manager has opened for this process: an array of int, owned by the
 * caller, empty when there are none. Only the first call finds them: the environment is cleaned for our children. */
GArray *xf_service_take_sockets (void);

/* One datagram in the service manager's form, e.g. "READY=1" or "STOPPING=1". A failure is only logged. */
void xf_service_notify (const char *state);

/* Locks @dir (made if absent, 0700) for this process until the returned descriptor is closed or the process ends in
 * any way. -1 and @error naming the holder's pid when another daemon has it. */
int xf_service_lock_dir (const char *dir, GError **error);
