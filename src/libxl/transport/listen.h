/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The destination's door for a direct migration: a listening socket on a port of the configured range, open for one
 * migration, until its stream has come or nobody wants it any more.
 *
 * A libvirtd source connects and sends libxl's stream at once: there is nothing before it that could name the
 * sender. So a connection counts only once its first bytes are the stream's ident; whoever connects and sends
 * something else, or nothing (a port scan), is dropped without disturbing the migration; many of them make room for
 * those who come later (lobby.h). The first that sends the
 * ident is the one; door and waiting strangers are closed in the same moment, so a second one can never follow.
 *
 * A xenferry source shows a ticket (transport/ticket.h), on each of its connections.
 */
#pragma once

#include <glib.h>

#include "driver.h"
#include "libxl/transport/ticket.h"

typedef struct XfMigrateListener XfMigrateListener;
struct XfMigrateDoor;

/* @fds: the connections in their order, blocking, now the callee's; nothing is read from them but their tickets. */
typedef void (*XfMigrateAccepted) (const int *fds, guint n, gpointer data);

/* Listens on @address (a numeric address; NULL: all of them, IPv6 and IPv4) and @port (0: the first free one of the
 * configured range). @token: of the tickets with which connections begin, or NULL for a peer that brings libxl's stream
 * at once. @func is called at most once, from the main context, when all connections are there. */
XfMigrateListener *xf_migrate_listener_new (const XfDriverConfig *config, const char *address, guint port,
                                            const guint8 *token, XfMigrateAccepted func, gpointer data, GError **error);

/* The same without a port of its own: connections come through @door. */
XfMigrateListener *xf_migrate_listener_new_shared (struct XfMigrateDoor *door, guint port, const guint8 *token,
                                                   XfMigrateAccepted func, gpointer data);

/* The door's: takes @fd when its ticket is right here. */
gboolean xf_migrate_listener_take (XfMigrateListener *listener, const XfTicket *ticket, int fd);

guint xf_migrate_listener_port (const XfMigrateListener *listener);

/* Closes everything; @func will not be called any more. */
void xf_migrate_listener_free (XfMigrateListener *listener);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfMigrateListener, xf_migrate_listener_free)

/* Keepalive and a user timeout for a data connection, so that a network that dies in silence is noticed within half
 * a minute instead of never. */
void xf_migrate_socket_tune (int fd);
