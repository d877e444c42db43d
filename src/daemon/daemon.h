/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The whole daemon but for its command line: driver, server, listening sockets. Several can live in one process.
 */
#pragma once

#include "daemon/settings.h"

typedef struct XfDaemon XfDaemon;

/* @settings is borrowed and outlives the daemon. Locks the state directory, opens Xen, finds running guests, listens.
 * Clients are served as soon as the main loop runs. */
XfDaemon *xf_daemon_new (XfSettings *settings, GError **error);

/* Starts the guests marked for autostart. */
void xf_daemon_autostart (XfDaemon *daemon);

/* What of @fresh can change in a daemon that runs does; the log says what cannot. */
void xf_daemon_reload (XfDaemon *daemon, const XfSettings *fresh);

void xf_daemon_free (XfDaemon *daemon);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfDaemon, xf_daemon_free)
