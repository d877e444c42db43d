/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writing to a connection: queued frames come first, between the data frames of its streams.
 */
#include <errno.h>
#include <glib-unix.h>

#include "base/error.h"
#include "rpc/conn_private.h"

/* Bytes of one dispatch before other sources of the loop get their turn; data is limited to one frame. */
#define SHARE_FRAMES 8

/* A connection that was held back is read again when its queue has no more than this. */
#define OUT_LOW (256 * 1024)

typedef enum { MORE, FULL, IDLE, ENDED } Step;

static Step
failed (XfConn *conn)
{
  g_autoptr (GError) error = NULL;

  if (errno == EAGAIN || errno == EINTR)
    return FULL;
  error = g_error_new (XF_ERROR, XF_ERROR_NO_CONNECT, "cannot write: %s", g_strerror (errno));
  xf_conn_close (conn, error);
  return ENDED;
}

/* Writes the rest of @frame; MORE when all of it is written. */
static Step
write_rest (XfConn *conn, GBytes *frame, gsize *offset, gboolean more)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (frame, &size);
  gssize n = conn->transport->write (conn->fd, data + *offset, size - *offset, more);

  if (n < 0)
    return failed (conn);
  *offset += n;
  return *offset < size ? FULL : MORE;
}

static Step
write_queued (XfConn *conn)
{
  GBytes *frame = g_queue_peek_head (&conn->out);
  Step next = write_rest (conn, frame, &conn->out_offset, FALSE);

  if (next != MORE)
    return next;
  conn->out_offset = 0;
  conn->out_bytes -= g_bytes_get_size (frame);
  g_bytes_unref (g_queue_pop_head (&conn->out));
  if (conn->out_blocks && conn->out_bytes <= OUT_LOW) {
    conn->out_blocks = FALSE;
    xf_conn_in_unblock (conn);
  }
  return MORE;
}

/* The current data frame: its header, then its payload directly from the stream's descriptor. */
static Step
write_data (XfConn *conn)
{
  if (conn->data_header) {
    Step next = write_rest (conn, conn->data_header, &conn->data_header_offset, TRUE);

    if (next == MORE)
      g_clear_pointer (&conn->data_header, g_bytes_unref);
    return next;
  }
  if (!xf_stream_continue_frame (conn->sending))
    return conn->fd < 0 ? ENDED : FULL;
  conn->sending = NULL;
  return MORE;
}

/* Round robin: a stream that has sent goes to the end of the list. */
static Step
next_data_frame (XfConn *conn)
{
  for (GList *link = conn->streams; link; link = link->next) {
    if (!xf_stream_begin_frame (link->data, &conn->data_header))
      continue;
    conn->sending = link->data;
    conn->data_header_offset = 0;
    conn->streams = g_list_remove_link (conn->streams, link);
    conn->streams = g_list_concat (conn->streams, link);
    return MORE;
  }
  /* The queue now has a stream's end, or a piece that was copied. */
  if (conn->fd < 0)
    return ENDED;
  return g_queue_is_empty (&conn->out) ? IDLE : MORE;
}

static Step
step (XfConn *conn)
{
  if (conn->sending)
    return write_data (conn);
  if (!g_queue_is_empty (&conn->out))
    return write_queued (conn);
  if (!conn->close_when_written)
    return next_data_frame (conn);
  xf_conn_close (conn, NULL);
  return ENDED;
}

static gboolean
writable (int fd, GIOCondition condition, gpointer data)
{
  g_autoptr (XfConn) conn = xf_conn_ref (data);
  guint frames = SHARE_FRAMES;
  Step next = MORE;
  gboolean had_share = FALSE;

  while (next == MORE && !had_share && frames-- > 0) {
    had_share = conn->sending && !conn->data_header;
    next = step (conn);
  }
  if (next == MORE || next == FULL)
    return G_SOURCE_CONTINUE;
  if (next == IDLE)
    conn->out_id = 0;
  return G_SOURCE_REMOVE;
}

void
xf_conn_out_wake (XfConn *conn)
{
  if (conn->fd >= 0 && !conn->out_id)
    conn->out_id = g_unix_fd_add (conn->fd, G_IO_OUT, writable, conn);
}

/* The stream has ended in the middle of its frame. The header has announced a number of bytes, and no other frame can
 * follow before them, so zeros replace the missing ones. The stream's end follows and says that it has failed. */
void
xf_conn_out_forget_stream (XfConn *conn, XfStream *stream, gsize missing)
{
  static const guint8 zeros[4096];
  GBytes *header = g_steal_pointer (&conn->data_header);

  if (conn->sending != stream) {
    conn->data_header = header;
    return;
  }
  conn->sending = NULL;
  while (missing > 0) {
    gsize piece = MIN (missing, sizeof (zeros));

    g_queue_push_head (&conn->out, g_bytes_new_static (zeros, piece));
    conn->out_bytes += piece;
    missing -= piece;
  }
  if (header) {
    conn->out_offset = conn->data_header_offset;
    conn->out_bytes += g_bytes_get_size (header);
    g_queue_push_head (&conn->out, header);
  }
  xf_conn_out_wake (conn);
}

void
xf_conn_send (XfConn *conn, GBytes *frame)
{
  if (conn->fd < 0) {
    g_bytes_unref (frame);
    return;
  }
  conn->out_bytes += g_bytes_get_size (frame);
  g_queue_push_tail (&conn->out, frame);
  if (conn->out_bytes > conn->queue_max && g_queue_get_length (&conn->out) > 1) {
    g_autoptr (GError) error = g_error_new_literal (XF_ERROR, XF_ERROR_RPC, "it does not read what it is sent");

    xf_conn_close (conn, error);
    return;
  }
  xf_conn_out_wake (conn);
}
