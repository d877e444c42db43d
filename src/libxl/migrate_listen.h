/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The destination's door for a direct migration: a listening socket on a port of the configured range, open for one
 * migration, until its stream has come or nobody wants it any more.
 *
 * A libvirtd source connects and sends libxl's stream at once: there is nothing before it that could name the
 * sender. So a connection counts only once its first bytes are the stream's ident; whoever connects and sends
 * something else, or nothing (a port scan), is dropped without disturbing the migration. The first that sends the
 * ident is the one; door and waiting strangers are closed in the same moment, so a second one can never follow.
 */
#pragma once

#include <glib.h>

#include "driver.h"

typedef struct XfMigrateListener XfMigrateListener;

/* @fd: the connection, blocking, nothing read from it, now the callee's. */
typedef void (*XfMigrateAccepted) (int fd, gpointer data);

/* Listens on @address (a numeric address; NULL: all of them, IPv6 and IPv4) and @port (0: the first free one of the
 * configured range). @func is called at most once, from the main context. */
XfMigrateListener *xf_migrate_listener_new (const XfDriverConfig *config, const char *address, guint port,
                                            XfMigrateAccepted func, gpointer data, GError **error);

guint xf_migrate_listener_port (const XfMigrateListener *listener);

/* Closes everything; @func will not be called any more. */
void xf_migrate_listener_free (XfMigrateListener *listener);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfMigrateListener, xf_migrate_listener_free)

/* Keepalive and a user timeout for a data connection, so that a network that dies in silence is noticed within half
 * a minute instead of never. */
void xf_migrate_socket_tune (int fd);
