/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The shared port of all migrations: every data connection begins with the ticket of its migration, and other daemons
 * connect here to ask about a migration (settle). A connection that begins with neither is given to the caller's
 * function or closed after half a minute.
 */
#pragma once

#include "driver.h"
#include "libxl/transport/listen.h"

typedef struct XfMigrateDoor XfMigrateDoor;

XfMigrateDoor *xf_migrate_door_new (void);
void xf_migrate_door_free (XfMigrateDoor *door);

/* @listener waits for its connections here until it is freed. */
void xf_migrate_door_add (XfMigrateDoor *door, XfMigrateListener *listener);
void xf_migrate_door_remove (XfMigrateDoor *door, XfMigrateListener *listener);

/* Registers a ticket of this daemon's own source. If that ticket arrives here, the source has connected to its own
 * host: @func is called then, at most once, with @data. @data also identifies the registration for its removal. */
void xf_migrate_door_know_own (XfMigrateDoor *door, const XfTicket *ticket, GSourceOnceFunc func, gpointer data);
void xf_migrate_door_forget_own (XfMigrateDoor *door, gconstpointer data);

/* Takes @fd, a new connection. @other, the same for all, is called for a connection without a ticket, and takes it. */
void xf_migrate_door_take (XfMigrateDoor *door, int fd, XfDriverOther other, gpointer data);
