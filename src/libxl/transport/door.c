/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/transport/door.h"

#include <unistd.h>

#include "base/secret.h"
#include "libxl/transport/lobby.h"

/* Enough bytes to recognise a ticket. */
#define FIRST 8

static const XfLobbyLimits limits = { .crowd = { 768, 512 }, .first_bytes = FIRST, .stay_ms = 30 * 1000 };

typedef struct {
  XfTicket ticket;
  GSourceOnceFunc func;
  gpointer data;
} Own;

struct XfMigrateDoor {
  XfLobby *lobby;
  GArray *own;          /* of Own */
  GPtrArray *listeners; /* of XfMigrateListener, borrowed */
  XfDriverOther other;  /* gets the connections without a ticket */
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

static void
tell_own (XfMigrateDoor *door, const XfTicket *ticket)
{
  for (guint i = 0; i < door->own->len; i++) {
    Own own = g_array_index (door->own, Own, i);

    if (own.ticket.index != ticket->index || !xf_secret_equal (own.ticket.token, ticket->token, XF_TICKET_TOKEN))
      continue;
    g_array_remove_index (door->own, i);
    own.func (own.data);
    return;
  }
}

void
xf_migrate_door_know_own (XfMigrateDoor *door, const XfTicket *ticket, GSourceOnceFunc func, gpointer data)
{
  Own own = { .ticket = *ticket, .func = func, .data = data };

  g_array_append_val (door->own, own);
}

void
xf_migrate_door_forget_own (XfMigrateDoor *door, gconstpointer data)
{
  for (guint i = door->own->len; i > 0; i--) {
    if (g_array_index (door->own, Own, i - 1).data == data)
      g_array_remove_index (door->own, i - 1);
  }
}

/* A connection whose ticket no listener expects is closed. */
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
  g_info ("dropping a connection whose ticket matches no migration that waits here");
  close (fd);
  if (xf_ticket_get (start, &ticket))
    tell_own (door, &ticket);
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
  door->own = g_array_new (FALSE, FALSE, sizeof (Own));
  return door;
}

void
xf_migrate_door_free (XfMigrateDoor *door)
{
  if (!door)
    return;
  xf_lobby_free (door->lobby);
  g_ptr_array_unref (door->listeners);
  g_array_unref (door->own);
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
