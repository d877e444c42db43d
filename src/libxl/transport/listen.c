/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/transport/listen.h"

#include <errno.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/listen.h"
#include "base/secret.h"
#include "libxl/transport/lobby.h"
#include "libxl/transport/door.h"

/* The first eight bytes of libxl's migration stream (docs/wire.md, Migration URIs). */
static const char stream_ident[8] = { 'L', 'i', 'b', 'x', 'l', 'F', 'm', 't' };

/* The limits for connections that are not identified yet: number and time. One address may make all connections of a
 * migration. */
#define CANDIDATES_MAX 64
#define CANDIDATE_STAY_MS (30 * 1000)

/* A connection for which the process has no descriptor stays in the queue and is accepted after that time. */
#define ACCEPT_AGAIN_MS 500

struct XfMigrateListener {
  XfMigrateDoor *door; /* it uses the shared port; NULL: fd is its own */
  int fd;
  guint port;
  guint source;
  guint again_id;
  XfLobby *candidates;
  gboolean has_token;
  guint8 token[XF_TICKET_TOKEN];
  int chosen[XF_TICKET_CONNECTIONS_MAX]; /* by index; -1: not connected yet */
  guint n_chosen;
  XfMigrateAccepted func;
  gpointer data;
};

static void
close_door (XfMigrateListener *listener)
{
  if (listener->door)
    xf_migrate_door_remove (listener->door, listener);
  listener->door = NULL;
  g_clear_handle_id (&listener->source, g_source_remove);
  g_clear_handle_id (&listener->again_id, g_source_remove);
  xf_clear_fd (&listener->fd);
}

static void
set_option (int fd, int level, int name, int value)
{
  /* Best effort: a socket that is not TCP has no such options. */
  (void)setsockopt (fd, level, name, &value, sizeof (value));
}

void
xf_migrate_socket_tune (int fd)
{
  set_option (fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option (fd, IPPROTO_TCP, TCP_KEEPIDLE, 10);
  set_option (fd, IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set_option (fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
  set_option (fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 30 * 1000);
  set_option (fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

/* Accepts a connection of the migration. If it is the last, the other connections and the socket are closed before
 * @func is called. */
static void
choose (XfMigrateListener *listener, int fd, guint index, guint count)
{
  int fds[XF_TICKET_CONNECTIONS_MAX];

  listener->chosen[index] = fd;
  xf_fd_wake_for (fd, 1, NULL);
  (void)xf_fd_set_nonblocking (fd, FALSE, NULL);
  xf_migrate_socket_tune (fd);
  if (++listener->n_chosen < count)
    return;
  g_clear_pointer (&listener->candidates, xf_lobby_free);
  close_door (listener);
  for (guint i = 0; i < count; i++)
    fds[i] = xf_steal_fd (&listener->chosen[i]);
  listener->func (fds, count, listener->data);
}

/* The number of first bytes that identify a connection. */
static gsize
start_size (const XfMigrateListener *listener)
{
  return listener->has_token ? XF_TICKET_SIZE : sizeof (stream_ident);
}

static gboolean
is_right (const XfMigrateListener *listener, const XfTicket *ticket)
{
  return listener->has_token && xf_secret_equal (ticket->token, listener->token, XF_TICKET_TOKEN)
         && listener->chosen[ticket->index] < 0;
}

static gboolean
is_ours (XfMigrateListener *listener, const guint8 *start, XfTicket *ticket_out)
{
  *ticket_out = (XfTicket){ .index = 0, .count = 1 };
  if (!listener->has_token)
    return memcmp (start, stream_ident, sizeof (stream_ident)) == 0;
  return xf_ticket_get (start, ticket_out) && is_right (listener, ticket_out);
}

static guint
candidate_need (const guint8 *start, gsize n, gpointer data)
{
  XfMigrateListener *listener = data;
  XfTicket ticket;

  if (is_ours (listener, start, &ticket))
    return start_size (listener);
  g_info ("dropping a connection to migration port %u that does not begin with %s", listener->port,
          listener->has_token ? "this migration's ticket" : "a libxl stream");
  return 0;
}

static void
candidate_taken (int fd, const guint8 *start, gsize n, gpointer data)
{
  XfMigrateListener *listener = data;
  XfTicket ticket;

  if (is_ours (listener, start, &ticket) && (!listener->has_token || xf_ticket_skip (fd)))
    choose (listener, fd, ticket.index, ticket.count);
  else
    close (fd);
}

gboolean
xf_migrate_listener_take (XfMigrateListener *listener, const XfTicket *ticket, int fd)
{
  if (!is_right (listener, ticket))
    return FALSE;
  choose (listener, fd, ticket->index, ticket->count);
  return TRUE;
}

static gboolean door_readable (int fd, GIOCondition condition, gpointer data);

static gboolean
accept_again (gpointer data)
{
  XfMigrateListener *listener = data;

  listener->again_id = 0;
  listener->source = g_unix_fd_add (listener->fd, G_IO_IN, door_readable, listener);
  return G_SOURCE_REMOVE;
}

static gboolean
door_readable (int fd, GIOCondition condition, gpointer data)
{
  XfMigrateListener *listener = data;
  int connection = accept4 (fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

  if (connection >= 0) {
    xf_lobby_enter (listener->candidates, connection);
    return G_SOURCE_CONTINUE;
  }
  if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
    return G_SOURCE_CONTINUE;
  g_warning ("cannot accept a connection to migration port %u: %s", listener->port, g_strerror (errno));
  listener->source = 0;
  listener->again_id = g_timeout_add (ACCEPT_AGAIN_MS, accept_again, listener);
  return G_SOURCE_REMOVE;
}

static int
open_range (const XfDriverConfig *config, const char *address, guint *port_out, GError **error)
{
  g_autoptr (GError) last = NULL;

  for (guint port = config->migration_port_min; port <= config->migration_port_max; port++) {
    int fd;

    g_clear_error (&last);
    fd = xf_listen_tcp (address, port, CANDIDATES_MAX, &last);
    if (fd >= 0) {
      *port_out = port;
      return fd;
    }
    if (last->code != XF_ERROR_RESOURCE_BUSY) {
      g_propagate_error (error, g_steal_pointer (&last));
      return -1;
    }
  }
  g_set_error (error, XF_ERROR, XF_ERROR_RESOURCE_BUSY,
               "no free migration port between %u and %u (%s); wait for a migration to end or widen the range in the "
               "configuration",
               config->migration_port_min, config->migration_port_max, last ? last->message : "the range is empty");
  return -1;
}

static XfMigrateListener *
listener_new (guint port, const guint8 *token, XfMigrateAccepted func, gpointer data)
{
  XfMigrateListener *listener = g_new0 (XfMigrateListener, 1);
  XfLobbyLimits limits = { .crowd = { CANDIDATES_MAX, CANDIDATES_MAX / 2 }, .stay_ms = CANDIDATE_STAY_MS };

  listener->fd = -1;
  listener->has_token = token != NULL;
  if (token)
    memcpy (listener->token, token, XF_TICKET_TOKEN);
  for (guint i = 0; i < XF_TICKET_CONNECTIONS_MAX; i++)
    listener->chosen[i] = -1;
  limits.first_bytes = start_size (listener);
  listener->candidates = xf_lobby_new (&limits, candidate_need, candidate_taken, listener);
  listener->func = func;
  listener->data = data;
  listener->port = port;
  return listener;
}

XfMigrateListener *
xf_migrate_listener_new_shared (XfMigrateDoor *door, guint port, const guint8 *token, XfMigrateAccepted func,
                                gpointer data)
{
  XfMigrateListener *listener = listener_new (port, token, func, data);

  listener->door = door;
  xf_migrate_door_add (door, listener);
  return listener;
}

XfMigrateListener *
xf_migrate_listener_new (const XfDriverConfig *config, const char *address, guint port, const guint8 *token,
                         XfMigrateAccepted func, gpointer data, GError **error)
{
  g_autoptr (XfMigrateListener) listener = listener_new (port, token, func, data);

  if (!address)
    address = config->migration_listen;
  listener->fd = port ? xf_listen_tcp (address, port, CANDIDATES_MAX, error)
                      : open_range (config, address, &listener->port, error);
  if (listener->fd < 0) {
    g_prefix_error (error, "no port for migration data: ");
    return NULL;
  }
  listener->source = g_unix_fd_add (listener->fd, G_IO_IN, door_readable, listener);
  return g_steal_pointer (&listener);
}

guint
xf_migrate_listener_port (const XfMigrateListener *listener)
{
  return listener->port;
}

void
xf_migrate_listener_free (XfMigrateListener *listener)
{
  if (!listener)
    return;
  close_door (listener);
  for (guint i = 0; i < XF_TICKET_CONNECTIONS_MAX; i++)
    xf_clear_fd (&listener->chosen[i]);
  g_clear_pointer (&listener->candidates, xf_lobby_free);
  g_free (listener);
}
