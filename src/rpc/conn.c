/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The life of a connection; reading is in conn_in.c, writing in conn_out.c.
 */
#include "rpc/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "rpc/conn_private.h"

/* Lines per second, for all connections of a pool. */
#define REFUSALS_LOGGED 5

static gssize
socket_read (int fd, gpointer data, gsize length)
{
  return recv (fd, data, length, MSG_DONTWAIT);
}

static gssize
socket_write (int fd, gconstpointer data, gsize length, gboolean more)
{
  return send (fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0));
}

static gssize
socket_splice_in (int fd, int pipe_fd, gsize length)
{
  return splice (fd, NULL, pipe_fd, NULL, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}

static gssize
socket_splice_out (int pipe_fd, int fd, gsize length)
{
  return splice (pipe_fd, NULL, fd, NULL, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}

static const XfTransport transports[] = {
  { "unix", socket_read, socket_write, socket_splice_in, socket_splice_out },
  { "tcp", socket_read, socket_write, socket_splice_in, socket_splice_out },
};

/* Of a connected socket; the socket's family says whether it is unix or tcp. */
static const XfTransport *
transport_for_socket (int fd)
{
  struct sockaddr_storage address;
  socklen_t length = sizeof (address);

  if (getsockname (fd, (struct sockaddr *)&address, &length) == 0 && address.ss_family == AF_UNIX)
    return &transports[0];
  return &transports[1];
}

XfConn *
xf_conn_new (int fd, const XfConnEvents *events, gpointer data)
{
  XfConn *conn = g_new0 (XfConn, 1);
  int on = 1;

  conn->refs = 1;
  conn->fd = fd;
  conn->transport = transport_for_socket (fd);
  conn->events = *events;
  conn->data = data;
  conn->frame_max = XF_FRAME_MAX;
  conn->queue_max = XF_CONN_QUEUE_MAX;
  conn->name = xf_conn_make_name (fd, conn->transport);
  g_queue_init (&conn->out);
  (void)xf_fd_set_nonblocking (fd, TRUE, NULL);
  /* Replies are small, and a client waits for them. */
  (void)setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof (on));
  xf_conn_in_start (conn);
  return conn;
}

XfConn *
xf_conn_ref (XfConn *conn)
{
  conn->refs++;
  return conn;
}

void
xf_conn_unref (XfConn *conn)
{
  if (--conn->refs > 0)
    return;
  xf_conn_abandon (conn);
  g_free (conn->name);
  g_free (conn);
}

static void
shut (XfConn *conn, const GError *error)
{
  g_autoptr (GError) lost = NULL;

  xf_clear_fd (&conn->fd);
  g_clear_handle_id (&conn->in_id, g_source_remove);
  g_clear_handle_id (&conn->hup_id, g_source_remove);
  g_clear_handle_id (&conn->out_id, g_source_remove);
  xf_keepalive_stop (conn);
  g_queue_clear_full (&conn->out, (GDestroyNotify)g_bytes_unref);
  conn->out_bytes = 0;
  g_clear_pointer (&conn->data_header, g_bytes_unref);
  g_clear_pointer (&conn->payload, g_free);
  xf_conn_in_release (conn);
  conn->sink = conn->sending = NULL;
  lost = error ? g_error_copy (error)
               : g_error_new_literal (XF_ERROR, XF_ERROR_NO_CONNECT, "the other side closed the connection");
  while (conn->streams) {
    XfStream *stream = conn->streams->data;

    conn->streams = g_list_delete_link (conn->streams, conn->streams);
    xf_stream_connection_lost (stream, lost);
  }
}

void
xf_conn_close (XfConn *conn, const GError *error)
{
  g_autoptr (XfConn) held = NULL;

  if (conn->fd < 0)
    return;
  held = xf_conn_ref (conn);
  g_debug ("%s: closed%s%s", conn->name, error ? ": " : "", error ? error->message : "");
  shut (conn, error);
  if (!conn->abandoned)
    conn->events.closed (conn, error, conn->data);
}

void
xf_conn_close_after_write (XfConn *conn)
{
  conn->close_when_written = TRUE;
  xf_conn_out_wake (conn);
}

void
xf_conn_abandon (XfConn *conn)
{
  conn->abandoned = TRUE;
  if (conn->fd >= 0)
    shut (conn, NULL);
}

void
xf_conn_set_limits (XfConn *conn, gsize frame_max, gsize queue_max, XfConnPool *pool)
{
  xf_conn_in_release (conn);
  conn->frame_max = frame_max;
  conn->queue_max = queue_max;
  conn->pool = pool;
}

gboolean
xf_conn_may_log_refusal (XfConn *conn)
{
  guint dropped;

  return !conn->pool || xf_log_rate_allows (&conn->pool->refusals, REFUSALS_LOGGED, &dropped);
}

guint
xf_conn_calls (const XfConn *conn)
{
  return conn->calls;
}

gboolean
xf_conn_is_open (const XfConn *conn)
{
  return conn->fd >= 0;
}

gboolean
xf_conn_peer_uid (const XfConn *conn, guint *uid_out)
{
  struct ucred credentials;
  socklen_t length = sizeof (credentials);

  if (!g_str_equal (conn->transport->name, "unix")
      || getsockopt (conn->fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
    return FALSE;
  *uid_out = credentials.uid;
  return TRUE;
}

gboolean
xf_conn_is_there (const XfConn *conn)
{
  struct pollfd end = { .fd = conn->fd, .events = POLLRDHUP };

  return conn->fd >= 0 && poll (&end, 1, 0) <= 0;
}

const char *
xf_conn_name (const XfConn *conn)
{
  return conn->name;
}

void
xf_conn_call_begins (XfConn *conn)
{
  if (++conn->calls < XF_CONN_CALLS_MAX || conn->calls_block)
    return;
  conn->calls_block = TRUE;
  xf_conn_in_block (conn);
}

void
xf_conn_call_ends (XfConn *conn)
{
  g_assert (conn->calls > 0);
  if (--conn->calls >= XF_CONN_CALLS_MAX || !conn->calls_block)
    return;
  conn->calls_block = FALSE;
  xf_conn_in_unblock (conn);
}
