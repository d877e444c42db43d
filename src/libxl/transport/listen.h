/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The destination's listening socket for a direct migration, on a port of the configured range. It is open for one
 * migration, until its data connections are complete or the migration ends.
 *
 * A libvirtd source connects and sends libxl's stream at once: nothing before the stream names the sender. So a
 * connection counts only once its first bytes are the stream's ident. A connection that sends something else, or
 * nothing (a port scan), is closed without disturbing the migration; if there are many, older ones are closed for new
 * ones (lobby.h). The first connection that sends the ident is accepted. The socket and all other waiting connections
 * are closed in the same moment, so that a second one can never follow.
 *
 * A xenferry source sends a ticket (transport/ticket.h) on each of its connections.
 */
#pragma once

#include <glib.h>

#include "driver.h"
#include "libxl/transport/ticket.h"

typedef struct XfMigrateListener XfMigrateListener;
struct XfMigrateDoor;

/* @fds: the connections in their order, blocking, owned by the callee; only their tickets have been read from them. */
typedef void (*XfMigrateAccepted) (const int *fds, guint n, gpointer data);

/* Listens on @address (a numeric address; NULL: all of them, IPv6 and IPv4) and @port (0: the first free one of the
 * configured range). @token: expected in the tickets; NULL for a peer that sends libxl's stream at once. @func is
 * called at most once, from the main context, when all connections are there. */
XfMigrateListener *xf_migrate_listener_new (const XfDriverConfig *config, const char *address, guint port,
                                            const guint8 *token, XfMigrateAccepted func, gpointer data, GError **error);

/* The same without a port of its own: uses the shared port of @door. */
XfMigrateListener *xf_migrate_listener_new_shared (struct XfMigrateDoor *door, guint port, const guint8 *token,
                                                   XfMigrateAccepted func, gpointer data);

/* For the door: takes @fd if this listener expects its ticket. */
gboolean xf_migrate_listener_take (XfMigrateListener *listener, const XfTicket *ticket, int fd);

guint xf_migrate_listener_port (const XfMigrateListener *listener);

/* Closes everything; @func is not called afterwards. */
void xf_migrate_listener_free (XfMigrateListener *listener);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfMigrateListener, xf_migrate_listener_free)

/* Sets keepalive and a user timeout for a data connection, so that a silent failure of the network is detected within
 * half a minute instead of never. */
void xf_migrate_socket_tune (int fd);
