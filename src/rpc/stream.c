/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/stream.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "rpc/conn_private.h"

/* A frame's payload at most: what a pipe of ours holds. */
/* What all tunnels together may move in one turn of the loop, and the least for one. */
#define TURN (2 * XF_PIPE_SIZE)
#define SHARE_MIN (64 * 1024)
#define COPY_SIZE (64 * 1024)
#define PACE_MS 20

struct XfStream {
  XfConn *conn;
  XfFrameHeader id; /* program, version, procedure, serial */
  gboolean is_server;
  gboolean over;
  XfStreamEvents events;
  gpointer data;
  guint64 bytes;

  /* from the peer */
  int into;
  gboolean into_is_pipe, discarding;
  guint into_id;   /* waiting until it takes more; the connection is blocked then */
  guint8 *pending; /* copy mode: what it has not taken yet */
  gsize pending_have, pending_done;

  /* to the peer */
  int from;
  gboolean from_is_pipe, from_ready;
  guint from_id, pace_id;
  gsize frame_left;
  guint64 rate, budget;
  gint64 budget_us;
};

static void watch_from (XfStream *stream);

/* ---- life ------------------------------------------------------------------------------------------------- */

static gboolean
is_pipe (int fd)
{
  struct stat status;

  return fstat (fd, &status) == 0 && S_ISFIFO (status.st_mode);
}

static void
unblock (XfStream *stream)
{
  if (!stream->into_id)
    return;
  g_clear_handle_id (&stream->into_id, g_source_remove);
  xf_conn_in_unblock (stream->conn);
}

/* Ends of tunnels that are open in this process. */
static guint tunnels;

gsize
xf_stream_share (void)
{
  return MAX (TURN / MAX (tunnels, 1), SHARE_MIN);
}

static void
close_into (XfStream *stream)
{
  unblock (stream);
  if (stream->into >= 0 && stream->into_is_pipe)
    tunnels--;
  xf_clear_fd (&stream->into);
  g_clear_pointer (&stream->pending, g_free);
  stream->pending_have = stream->pending_done = 0;
}

static void
close_from (XfStream *stream)
{
  g_clear_handle_id (&stream->from_id, g_source_remove);
  g_clear_handle_id (&stream->pace_id, g_source_remove);
  stream->from_ready = FALSE;
  if (stream->from >= 0 && stream->from_is_pipe)
    tunnels--;
  xf_clear_fd (&stream->from);
}

/* Out of the connection: from here on its frames are strangers. */
static void
leave (XfStream *stream)
{
  if (stream->over)
    return;
  stream->over = TRUE;
  close_into (stream);
  stream->conn->streams = g_list_remove (stream->conn->streams, stream);
  if (xf_conn_is_open (stream->conn)) {
    xf_conn_in_forget_stream (stream->conn, stream);
    xf_conn_out_forget_stream (stream->conn, stream, stream->frame_left);
  }
  stream->frame_left = 0;
  close_from (stream);
}

static void
end (XfStream *stream, XfStreamEnd how, const GError *error)
{
  leave (stream);
  stream->events.ended (stream, how, error, stream->data);
}

XfStream *
xf_stream_new (XfConn *conn, const XfFrameHeader *call, gboolean is_server, int into, int from,
               const XfStreamEvents *events, gpointer data)
{
  XfStream *stream = g_new0 (XfStream, 1);

  stream->conn = xf_conn_ref (conn);
  stream->id = *call;
  stream->is_server = is_server;
  stream->events = *events;
  stream->data = data;
  stream->into = into;
  stream->into_is_pipe = into >= 0 && is_pipe (into);
  tunnels += stream->into_is_pipe;
  stream->from = -1;
  if (into >= 0)
    (void)xf_fd_set_nonblocking (into, TRUE, NULL);
  conn->streams = g_list_append (conn->streams, stream);
  if (from >= 0)
    xf_stream_send_from (stream, from);
  return stream;
}

void
xf_stream_free (XfStream *stream)
{
  if (!stream)
    return;
  leave (stream);
  xf_conn_unref (stream->conn);
  g_free (stream);
}

void
xf_stream_connection_lost (XfStream *stream, const GError *error)
{
  if (stream->over)
    return;
  end (stream, XF_STREAM_FAILED, error);
}

XfStream *
xf_stream_find (XfConn *conn, const XfFrameHeader *header)
{
  for (GList *link = conn->streams; link; link = link->next) {
    XfStream *stream = link->data;

    if (stream->id.serial == header->serial && stream->id.procedure == header->procedure
        && stream->id.program == header->program)
      return stream;
  }
  return NULL;
}

guint64
xf_stream_bytes (const XfStream *stream)
{
  return stream->bytes;
}

/* ---- frames without payload ------------------------------------------------------------------------------- */

static XfFrameHeader
make_header (const XfStream *stream, XfFrameStatus status)
{
  XfFrameHeader header = stream->id;

  header.type = XF_FRAME_STREAM;
  header.status = status;
  return header;
}

static void
send_empty (XfStream *stream, XfFrameStatus status)
{
  XfFrameHeader header = make_header (stream, status);

  xf_conn_send (stream->conn, xf_frame_empty (&header));
}

static void
control_from_client (XfStream *stream, guint status)
{
  if (status == XF_FRAME_CONTINUE)
    return; /* an empty piece means nothing in this direction */
  /* Finish and abort are both acknowledged with OK. */
  send_empty (stream, XF_FRAME_OK);
  end (stream, status == XF_FRAME_OK ? XF_STREAM_FINISHED : XF_STREAM_ABORTED, NULL);
}

static void
control_from_server (XfStream *stream, guint status, GBytes *payload)
{
  g_auto (XfWireError) wire = { 0 };
  g_autoptr (GError) error = NULL;

  if (status == XF_FRAME_CONTINUE)
    return;
  if (status == XF_FRAME_OK) {
    end (stream, XF_STREAM_FINISHED, NULL);
    return;
  }
  (void)xf_frame_decode_error (payload, &wire);
  error = g_error_new_literal (XF_ERROR, XF_ERROR_INVALID_STREAM,
                               wire.message ? wire.message : "the stream failed there");
  end (stream, XF_STREAM_FAILED, error);
}

void
xf_stream_control (XfStream *stream, const XfFrameHeader *header, GBytes *payload)
{
  if (stream->is_server)
    control_from_client (stream, header->status);
  else
    control_from_server (stream, header->status, payload);
}

void
xf_stream_finish (XfStream *stream)
{
  if (!stream->over)
    send_empty (stream, XF_FRAME_OK);
}

void
xf_stream_abort (XfStream *stream)
{
  if (stream->over)
    return;
  leave (stream);
  send_empty (stream, XF_FRAME_ERROR);
}

void
xf_stream_fail (XfStream *stream, const XfWireError *error)
{
  XfFrameHeader header = make_header (stream, XF_FRAME_ERROR);
  GBytes *frame;

  if (stream->over)
    return;
  leave (stream);
  frame = xf_frame_encode_error (&header, error);
  if (frame)
    xf_conn_send (stream->conn, frame);
}

/* ---- from the peer ---------------------------------------------------------------------------------------- */

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
  close_into (stream);
}

static gboolean
into_writable (int fd, GIOCondition condition, gpointer data)
{
  XfStream *stream = data;

  stream->into_id = 0;
  xf_conn_in_unblock (stream->conn);
  return G_SOURCE_REMOVE;
}

/* The descriptor is full: the connection reads nothing until it is not. */
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

/* What a read from the connection came to: n > 0; 0: nothing now; -1: the connection has ended. */
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
  guint8 scratch[COPY_SIZE];
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
    stream->pending = g_malloc (COPY_SIZE);
  if (!flush_pending (stream))
    return block (stream);
  n = judge (stream, conn->transport->read (conn->fd, stream->pending, MIN (left, COPY_SIZE)));
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

/* ---- to the peer ------------------------------------------------------------------------------------------ */

static gboolean
from_readable (int fd, GIOCondition condition, gpointer data)
{
  XfStream *stream = data;

  stream->from_id = 0;
  stream->from_ready = TRUE;
  xf_conn_out_wake (stream->conn);
  return G_SOURCE_REMOVE;
}

static void
watch_from (XfStream *stream)
{
  stream->from_ready = FALSE;
  if (!stream->from_id)
    stream->from_id = g_unix_fd_add (stream->from, G_IO_IN | G_IO_HUP | G_IO_ERR, from_readable, stream);
}

void
xf_stream_send_from (XfStream *stream, int from)
{
  stream->from = from;
  stream->from_is_pipe = is_pipe (from);
  tunnels += stream->from_is_pipe;
  (void)xf_fd_set_nonblocking (from, TRUE, NULL);
  watch_from (stream);
}

void
xf_stream_set_rate (XfStream *stream, guint64 bytes_per_s)
{
  stream->rate = bytes_per_s;
  stream->budget = 0;
  stream->budget_us = g_get_monotonic_time ();
}

static gboolean
paced (gpointer data)
{
  XfStream *stream = data;

  stream->pace_id = 0;
  xf_conn_out_wake (stream->conn);
  return G_SOURCE_REMOVE;
}

/* How much may be sent now: a bucket that holds a tenth of a second. 0: wait. */
static gsize
allowance (XfStream *stream)
{
  gint64 now = g_get_monotonic_time ();

  if (!stream->rate)
    return xf_stream_share ();
  stream->budget += stream->rate * (now - stream->budget_us) / G_USEC_PER_SEC;
  stream->budget = MIN (stream->budget, MAX (stream->rate / 10, 4096));
  stream->budget_us = now;
  if (stream->budget >= MIN (4096, stream->rate / 100 + 1))
    return MIN (stream->budget, xf_stream_share ());
  if (!stream->pace_id)
    stream->pace_id = g_timeout_add (PACE_MS, paced, stream);
  return 0;
}

/* The descriptor's end: the peer is told (server), or the owner (client) decides. */
static void
all_sent (XfStream *stream)
{
  close_from (stream);
  if (stream->is_server)
    send_empty (stream, XF_FRAME_CONTINUE);
  if (stream->events.sent)
    stream->events.sent (stream, stream->data);
}

static gboolean
at_end (int fd)
{
  struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

  return poll (&poll_fd, 1, 0) == 1 && !(poll_fd.revents & POLLIN);
}

/* Small and unsplicable (a pty): one frame through memory. */
static void
send_by_copy (XfStream *stream, gsize most)
{
  g_autofree guint8 *frame = g_malloc (XF_FRAME_HEADER + COPY_SIZE);
  gssize n = read (stream->from, frame + XF_FRAME_HEADER, MIN (most, COPY_SIZE));
  XfFrameHeader header = make_header (stream, XF_FRAME_CONTINUE);

  if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
    watch_from (stream);
    return;
  }
  if (n <= 0) {
    all_sent (stream);
    return;
  }
  stream->bytes += n;
  header.length = XF_FRAME_HEADER + n;
  xf_frame_put_header (&header, frame);
  xf_conn_send (stream->conn, g_bytes_new_take (g_steal_pointer (&frame), header.length));
}

gboolean
xf_stream_begin_frame (XfStream *stream, GBytes **header_out)
{
  XfFrameHeader header = make_header (stream, XF_FRAME_CONTINUE);
  guint8 bytes[XF_FRAME_HEADER];
  gsize most;
  int there = 0;

  if (stream->from < 0 || !stream->from_ready || stream->pace_id)
    return FALSE;
  most = allowance (stream);
  if (most == 0)
    return FALSE;
  if (!stream->from_is_pipe) {
    send_by_copy (stream, most);
    return FALSE;
  }
  if (ioctl (stream->from, FIONREAD, &there) < 0 || there <= 0) {
    if (at_end (stream->from))
      all_sent (stream);
    else
      watch_from (stream);
    return FALSE;
  }
  stream->frame_left = MIN ((gsize)there, most);
  if (stream->rate)
    stream->budget -= MIN (stream->budget, stream->frame_left);
  header.length = XF_FRAME_HEADER + stream->frame_left;
  xf_frame_put_header (&header, bytes);
  *header_out = g_bytes_new (bytes, sizeof (bytes));
  return TRUE;
}

gboolean
xf_stream_continue_frame (XfStream *stream)
{
  XfConn *conn = stream->conn;

  while (stream->frame_left > 0) {
    gssize n = conn->transport->splice_out (stream->from, conn->fd, stream->frame_left);
    g_autoptr (GError) error = NULL;

    if (n > 0) {
      stream->frame_left -= n;
      stream->bytes += n;
      continue;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
      return FALSE;
    error = g_error_new (XF_ERROR, XF_ERROR_NO_CONNECT, "cannot send the stream: %s",
                         n < 0 ? g_strerror (errno) : "its bytes have vanished");
    xf_conn_close (conn, error);
    return FALSE;
  }
  return TRUE;
}
