/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/transport/lobby.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

/* A socket may wake the loop for fewer bytes than it was set to (out-of-band bytes, a kernel that does not count). It
 * is checked again only after that time. */
#define PAUSE_MS 50

#define ENDED ((GIOCondition)POLLRDHUP | G_IO_HUP | G_IO_ERR)

typedef struct {
  XfLobby *lobby;
  int fd;
  guint needed;
  guint watch_id, pause_id, stay_id;
  XfCrowdSeat seat;
} Visitor;

struct XfLobby {
  XfLobbyLimits limits;
  XfLobbyNeed need;
  XfLobbyTaken taken;
  gpointer data;
  GPtrArray *visitors; /* of Visitor, owned, in the order of arrival */
};

static void
visitor_free (gpointer data)
{
  Visitor *visitor = data;

  g_clear_handle_id (&visitor->watch_id, g_source_remove);
  g_clear_handle_id (&visitor->pause_id, g_source_remove);
  g_clear_handle_id (&visitor->stay_id, g_source_remove);
  xf_clear_fd (&visitor->fd);
  g_free (visitor);
}

static void
leave (Visitor *visitor)
{
  g_ptr_array_remove (visitor->lobby->visitors, visitor);
}

static void watch (Visitor *visitor);

static gboolean
pause_ends (gpointer data)
{
  Visitor *visitor = data;

  visitor->pause_id = 0;
  watch (visitor);
  return G_SOURCE_REMOVE;
}

static void
take (Visitor *visitor, const guint8 *start, gsize n)
{
  XfLobby *lobby = visitor->lobby;
  XfLobbyTaken taken = lobby->taken;
  gpointer data = lobby->data;
  int fd = xf_steal_fd (&visitor->fd);

  leave (visitor);
  xf_fd_wake_for (fd, 1, NULL);
  taken (fd, start, n, data);
}

static gboolean
readable (int fd, GIOCondition condition, gpointer data)
{
  Visitor *visitor = data;
  XfLobby *lobby = visitor->lobby;
  guint8 start[XF_LOBBY_BYTES];
  ssize_t n = recv (fd, start, sizeof (start), MSG_PEEK | MSG_DONTWAIT);
  gboolean broken = n < 0 && errno != EAGAIN && errno != EINTR;

  visitor->watch_id = 0;
  n = MAX (n, 0);
  visitor->seat.has_spoken = n > 0;
  if ((guint)n >= lobby->limits.first_bytes)
    visitor->needed = lobby->need (start, n, lobby->data);
  if (broken || visitor->needed == 0 || ((guint)n < visitor->needed && condition & ENDED)) {
    g_debug ("dropping a connection whose first %zd bytes are not recognised", n);
    leave (visitor);
  } else if ((guint)n >= visitor->needed) {
    take (visitor, start, n);
  } else {
    visitor->pause_id = g_timeout_add (PAUSE_MS, pause_ends, visitor);
  }
  return G_SOURCE_REMOVE;
}

static void
watch (Visitor *visitor)
{
  xf_fd_wake_for (visitor->fd, visitor->needed, NULL);
  visitor->watch_id = g_unix_fd_add (visitor->fd, G_IO_IN | ENDED, readable, visitor);
}

static gboolean
stays_too_long (gpointer data)
{
  Visitor *visitor = data;

  visitor->stay_id = 0;
  leave (visitor);
  return G_SOURCE_REMOVE;
}

static void
make_room (XfLobby *lobby, const XfCrowdSeat *newcomer)
{
  g_autoptr (GPtrArray) seats = g_ptr_array_new ();
  gint leaver;

  for (guint i = 0; i < lobby->visitors->len; i++)
    g_ptr_array_add (seats, &((Visitor *)lobby->visitors->pdata[i])->seat);
  leaver = xf_crowd_leaver ((const XfCrowdSeat *const *)seats->pdata, seats->len, newcomer, &lobby->limits.crowd);
  if (leaver >= 0)
    g_ptr_array_remove_index (lobby->visitors, (guint)leaver);
}

void
xf_lobby_enter (XfLobby *lobby, int fd)
{
  Visitor *visitor = g_new0 (Visitor, 1);

  *visitor = (Visitor){ .lobby = lobby, .fd = fd, .needed = lobby->limits.first_bytes };
  xf_crowd_seat_init (&visitor->seat, fd);
  make_room (lobby, &visitor->seat);
  g_ptr_array_add (lobby->visitors, visitor);
  visitor->stay_id = g_timeout_add (lobby->limits.stay_ms, stays_too_long, visitor);
  watch (visitor);
}

XfLobby *
xf_lobby_new (const XfLobbyLimits *limits, XfLobbyNeed need, XfLobbyTaken taken, gpointer data)
{
  XfLobby *lobby = g_new0 (XfLobby, 1);

  *lobby = (XfLobby){ .limits = *limits, .need = need, .taken = taken, .data = data };
  lobby->visitors = g_ptr_array_new_with_free_func (visitor_free);
  return lobby;
}

void
xf_lobby_free (XfLobby *lobby)
{
  g_ptr_array_unref (lobby->visitors);
  g_free (lobby);
}
