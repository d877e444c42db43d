/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The whole daemon without its command line: driver, server, listening sockets. A process can have several.
 */
#pragma once

#include "daemon/settings.h"

typedef struct XfDaemon XfDaemon;

/* @settings is borrowed and outlives the daemon. Locks the state directory, opens Xen, finds running guests, listens.
 * Clients are served as soon as the main loop runs. */
XfDaemon *xf_daemon_new (XfSettings *settings, GError **error);

/* Starts the guests marked for autostart. */
void xf_daemon_autostart (XfDaemon *daemon);

/* Applies the settings of @fresh that can change while the daemon runs; the log names the others. */
void xf_daemon_reload (XfDaemon *daemon, const XfSettings *fresh);

void xf_daemon_free (XfDaemon *daemon);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfDaemon, xf_daemon_free)
