/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/migrate_door.h"

#include <unistd.h>

#include "libxl/lobby.h"

/* Enough to tell a ticket from anything else. */
#define FIRST 8

static const XfLobbyLimits limits = { .crowd = { 512, 128 }, .first_bytes = FIRST, .stay_ms = 30 * 1000 };

struct XfMigrateDoor {
  XfLobby *lobby;
  GPtrArray *listeners; /* of XfMigrateListener, borrowed */
  XfDriverOther other;  /* whom those talk to who bring no ticket */
  gpointer data;
};

static guint
need (const guint8 *start, gsize n, gpointer data)
{
  XfTicket ticket;

  if (!xf_ticket_begins (start))
    return FIRST;
  return n < XF_TICKET_SIZE || xf_ticket_get (start, &ticket) ? XF_TICKET_SIZE : 0;
}

/* One whose ticket is not wanted here is closed. */
static void
taken (int fd, const guint8 *start, gsize n, gpointer data)
{
  XfMigrateDoor *door = data;
  XfTicket ticket;

  if (!xf_ticket_begins (start)) {
    door->other (fd, door->data);
    return;
  }
  if (xf_ticket_get (start, &ticket) && xf_ticket_skip (fd)) {
    for (guint i = 0; i < door->listeners->len; i++) {
      if (xf_migrate_listener_take (door->listeners->pdata[i], &ticket, fd))
        return;
    }
  }
  g_info ("dropping a connection whose ticket is of no migration that is waited for here");
  close (fd);
}

void
xf_migrate_door_take (XfMigrateDoor *door, int fd, XfDriverOther other, gpointer data)
{
  door->other = other;
  door->data = data;
  xf_lobby_enter (door->lobby, fd);
}

XfMigrateDoor *
xf_migrate_door_new (void)
{
  XfMigrateDoor *door = g_new0 (XfMigrateDoor, 1);

  door->lobby = xf_lobby_new (&limits, need, taken, door);
  door->listeners = g_ptr_array_new ();
  return door;
}

void
xf_migrate_door_free (XfMigrateDoor *door)
{
  if (!door)
    return;
  xf_lobby_free (door->lobby);
  g_ptr_array_unref (door->listeners);
  g_free (door);
}

void
xf_migrate_door_add (XfMigrateDoor *door, XfMigrateListener *listener)
{
  g_ptr_array_add (door->listeners, listener);
}

void
xf_migrate_door_remove (XfMigrateDoor *door, XfMigrateListener *listener)
{
  g_ptr_array_remove_fast (door->listeners, listener);
}
