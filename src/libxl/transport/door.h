/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one port that xenferries share: data of all migrations comes there, each connection with the ticket of its own,
 * and so do questions (settle). Who comes with neither is somebody else's to talk to, or gone after half a minute.
 */
#pragma once

#include "driver.h"
#include "libxl/transport/listen.h"

typedef struct XfMigrateDoor XfMigrateDoor;

XfMigrateDoor *xf_migrate_door_new (void);
void xf_migrate_door_free (XfMigrateDoor *door);

/* @listener waits for its connections here; until it is freed. */
void xf_migrate_door_add (XfMigrateDoor *door, XfMigrateListener *listener);
void xf_migrate_door_remove (XfMigrateDoor *door, XfMigrateListener *listener);

/* A ticket of a source of this very daemon: should it be shown here, the source has reached its own host. @func is
 * called then, at most once, with @data, which is also what it is forgotten by. */
void xf_migrate_door_know_own (XfMigrateDoor *door, const XfTicket *ticket, GSourceOnceFunc func, gpointer data);
void xf_migrate_door_forget_own (XfMigrateDoor *door, gconstpointer data);

/* Takes @fd, which has just come. @other, the same for all, is called for one that brings no ticket, and takes it. */
void xf_migrate_door_take (XfMigrateDoor *door, int fd, XfDriverOther other, gpointer data);
