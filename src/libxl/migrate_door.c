/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/migrate_door.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

/* Enough to tell a ticket from anything else. */
#define FIRST 8

/* Who may stand there at the same time, and for how long. */
#define GUESTS_MAX 512
#define STAY_S 30

typedef struct {
  XfMigrateDoor *door;
  int fd;
  guint source, deadline_id;
  XfDriverOther other;
  gpointer data;
} Guest;

struct XfMigrateDoor {
  GPtrArray *guests;    /* of Guest, owned, in the order in which they came */
  GPtrArray *listeners; /* of XfMigrateListener, borrowed */
};

static void
guest_free (gpointer data)
{
  Guest *guest = data;

  g_clear_handle_id (&guest->source, g_source_remove);
  g_clear_handle_id (&guest->deadline_id, g_source_remove);
  xf_clear_fd (&guest->fd);
  g_free (guest);
}

/* Whose it is; the guest is gone afterwards. */
static void
admit (Guest *guest, const XfTicket *ticket)
{
  XfMigrateDoor *door = guest->door;
  int fd = xf_steal_fd (&guest->fd);

  guest->source = 0;
  g_ptr_array_remove (door->guests, guest);
  for (guint i = 0; i < door->listeners->len; i++) {
    if (xf_migrate_listener_take (door->listeners->pdata[i], ticket, fd))
      return;
  }
  g_info ("dropping a connection whose ticket is of no migration that is waited for here");
  close (fd);
}

static gboolean
turn_away (Guest *guest)
{
  guest->source = 0;
  g_ptr_array_remove (guest->door->guests, guest);
  return G_SOURCE_REMOVE;
}

static gboolean
pass_on (Guest *guest)
{
  XfDriverOther other = guest->other;
  gpointer data = guest->data;
  int fd = xf_steal_fd (&guest->fd);

  (void)turn_away (guest);
  xf_fd_wake_for (fd, 1, NULL);
  other (fd, data);
  return G_SOURCE_REMOVE;
}

static gboolean
readable (int fd, GIOCondition condition, gpointer data)
{
  Guest *guest = data;
  guint8 start[XF_TICKET_SIZE];
  ssize_t n = recv (fd, start, sizeof (start), MSG_PEEK | MSG_DONTWAIT);
  XfTicket ticket;

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return G_SOURCE_CONTINUE;
  if (n < FIRST)
    return turn_away (guest);
  if (!xf_ticket_begins (start))
    return pass_on (guest);
  if (n < XF_TICKET_SIZE && !(condition & (G_IO_HUP | G_IO_ERR))) {
    xf_fd_wake_for (fd, XF_TICKET_SIZE, NULL);
    return G_SOURCE_CONTINUE;
  }
  if (n < XF_TICKET_SIZE || !xf_ticket_get (start, &ticket))
    return turn_away (guest);
  (void)recv (fd, start, sizeof (start), MSG_DONTWAIT);
  admit (guest, &ticket);
  return G_SOURCE_REMOVE;
}

static gboolean
stays_too_long (gpointer data)
{
  Guest *guest = data;

  guest->deadline_id = 0;
  g_ptr_array_remove (guest->door->guests, guest);
  return G_SOURCE_REMOVE;
}

void
xf_migrate_door_take (XfMigrateDoor *door, int fd, XfDriverOther other, gpointer data)
{
  Guest *guest = g_new0 (Guest, 1);

  /* Who has stood there longest goes: a crowd of strangers keeps nobody out who says at once who he is. */
  if (door->guests->len >= GUESTS_MAX)
    g_ptr_array_remove_index (door->guests, 0);
  *guest = (Guest){ .door = door, .fd = fd, .other = other, .data = data };
  xf_fd_wake_for (fd, FIRST, NULL);
  guest->source = g_unix_fd_add (fd, G_IO_IN | G_IO_HUP | G_IO_ERR, readable, guest);
  guest->deadline_id = g_timeout_add_seconds (STAY_S, stays_too_long, guest);
  g_ptr_array_add (door->guests, guest);
}

XfMigrateDoor *
xf_migrate_door_new (void)
{
  XfMigrateDoor *door = g_new0 (XfMigrateDoor, 1);

  door->guests = g_ptr_array_new_with_free_func (guest_free);
  door->listeners = g_ptr_array_new ();
  return door;
}

void
xf_migrate_door_free (XfMigrateDoor *door)
{
  if (!door)
    return;
  g_ptr_array_unref (door->guests);
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
