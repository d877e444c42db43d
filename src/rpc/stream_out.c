/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Data from a descriptor to the peer.
 */
#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "rpc/stream_private.h"

#define PACE_MS 20

void
xf_stream_close_from (XfStream *stream)
{
  g_clear_handle_id (&stream->from_id, g_source_remove);
  g_clear_handle_id (&stream->pace_id, g_source_remove);
  stream->from_ready = FALSE;
  xf_stream_close_end (&stream->from, stream->from_is_pipe);
}

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
  stream->from_is_pipe = xf_stream_open_end (from);
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

/* Bytes that may be sent now; the bucket holds a tenth of a second. 0: wait. */
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

/* The descriptor is at its end: a server tells the peer; for a client the owner decides. */
static void
all_sent (XfStream *stream)
{
  xf_stream_close_from (stream);
  if (stream->is_server)
    xf_stream_send_empty (stream, XF_FRAME_CONTINUE);
  if (stream->events.sent)
    stream->events.sent (stream, stream->data);
}

static gboolean
at_end (int fd)
{
  struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

  return poll (&poll_fd, 1, 0) == 1 && !(poll_fd.revents & POLLIN);
}

/* A descriptor that cannot be spliced (a pty): one frame, copied through memory. */
static void
send_by_copy (XfStream *stream, gsize most)
{
  g_autofree guint8 *frame = g_malloc (XF_FRAME_HEADER + XF_STREAM_COPY_SIZE);
  gssize n = read (stream->from, frame + XF_FRAME_HEADER, MIN (most, XF_STREAM_COPY_SIZE));
  XfFrameHeader header = xf_stream_header (stream, XF_FRAME_CONTINUE);

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
  XfFrameHeader header = xf_stream_header (stream, XF_FRAME_CONTINUE);
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
