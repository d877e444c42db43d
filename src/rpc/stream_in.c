/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Data from the peer to a descriptor.
 */
#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <unistd.h>

#include "base/error.h"
#include "rpc/stream_private.h"

static void
unblock (XfStream *stream)
{
  if (!stream->into_id)
    return;
  g_clear_handle_id (&stream->into_id, g_source_remove);
  xf_conn_in_unblock (stream->conn);
}

void
xf_stream_close_into (XfStream *stream)
{
  unblock (stream);
  xf_stream_close_end (&stream->into, stream->into_is_pipe);
  g_clear_pointer (&stream->pending, g_free);
  stream->pending_have = stream->pending_done = 0;
}

gboolean
xf_stream_has_sink (const XfStream *stream)
{
  return stream->into >= 0 || stream->discarding;
}

void
xf_stream_discard (XfStream *stream)
{
  if (stream->over)
    return;
  stream->discarding = TRUE;
  xf_stream_close_into (stream);
}

static gboolean
into_writable (int fd, GIOCondition condition, gpointer data)
{
  XfStream *stream = data;

  stream->into_id = 0;
  xf_conn_in_unblock (stream->conn);
  return G_SOURCE_REMOVE;
}

/* The descriptor is full: the connection reads nothing until it accepts more. */
static gssize
block (XfStream *stream)
{
  if (!stream->into_id) {
    stream->into_id = g_unix_fd_add (stream->into, G_IO_OUT | G_IO_ERR | G_IO_HUP, into_writable, stream);
    xf_conn_in_block (stream->conn);
  }
  return 0;
}

static gboolean
takes_more (int fd)
{
  struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

  return poll (&poll_fd, 1, 0) == 1;
}

/* Evaluates a read from the connection: n > 0; 0: nothing has arrived; -1: the connection has ended. */
static gssize
judge (XfStream *stream, gssize n)
{
  g_autoptr (GError) error = NULL;

  if (n > 0) {
    stream->bytes += n;
    return n;
  }
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return 0;
  error = g_error_new (XF_ERROR, XF_ERROR_NO_CONNECT, "the connection was lost in the middle of a stream: %s",
                       n < 0 ? g_strerror (errno) : "end of file");
  xf_conn_close (stream->conn, error);
  return -1;
}

static gssize
take_nothing (XfStream *stream, gsize left)
{
  guint8 scratch[XF_STREAM_COPY_SIZE];
  XfConn *conn = stream->conn;

  return judge (stream, conn->transport->read (conn->fd, scratch, MIN (left, sizeof (scratch))));
}

static gssize
broken (XfStream *stream, gsize left)
{
  xf_stream_discard (stream);
  stream->events.broken (stream, stream->data);
  /* The owner may have ended it. */
  return stream->over ? 0 : take_nothing (stream, left);
}

static gssize
take_by_splice (XfStream *stream, gsize left)
{
  XfConn *conn = stream->conn;
  gssize n = conn->transport->splice_in (conn->fd, stream->into, left);

  if (n < 0 && errno == EPIPE)
    return broken (stream, left);
  if (n < 0 && errno == EAGAIN && !takes_more (stream->into))
    return block (stream);
  return judge (stream, n);
}

/* Writes what is pending; FALSE: the descriptor is full. A pty whose other end is gone swallows it. */
static gboolean
flush_pending (XfStream *stream)
{
  while (stream->pending_done < stream->pending_have) {
    gssize n = write (stream->into, stream->pending + stream->pending_done,
                      stream->pending_have - stream->pending_done);

    if (n < 0 && errno == EAGAIN)
      return FALSE;
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      break;
    stream->pending_done += n;
  }
  stream->pending_have = stream->pending_done = 0;
  return TRUE;
}

static gssize
take_by_copy (XfStream *stream, gsize left)
{
  XfConn *conn = stream->conn;
  gssize n;

  if (!stream->pending)
    stream->pending = g_malloc (XF_STREAM_COPY_SIZE);
  if (!flush_pending (stream))
    return block (stream);
  n = judge (stream, conn->transport->read (conn->fd, stream->pending, MIN (left, XF_STREAM_COPY_SIZE)));
  if (n <= 0)
    return n;
  stream->pending_have = n;
  if (!flush_pending (stream))
    block (stream);
  return n;
}

gssize
xf_stream_take (XfStream *stream, gsize left)
{
  if (stream->discarding)
    return take_nothing (stream, left);
  return stream->into_is_pipe ? take_by_splice (stream, left) : take_by_copy (stream, left);
}
