/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/stream.h"

#include <sys/stat.h>

#include "base/error.h"
#include "base/fd.h"
#include "rpc/stream_private.h"

/* Bytes for all tunnels together in one turn of the loop, and the minimum for one. */
#define TURN (2 * XF_PIPE_SIZE)
#define SHARE_MIN (64 * 1024)

/* ---- tunnels ---------------------------------------------------------------------------------------------- */

/* Open ends of tunnels in this process. */
static guint tunnels;

gboolean
xf_stream_open_end (int fd)
{
  struct stat status;
  gboolean is_pipe = fstat (fd, &status) == 0 && S_ISFIFO (status.st_mode);

  tunnels += is_pipe;
  return is_pipe;
}

void
xf_stream_close_end (int *fd, gboolean is_pipe)
{
  if (*fd >= 0 && is_pipe)
    tunnels--;
  xf_clear_fd (fd);
}

gsize
xf_stream_share (void)
{
  return MAX (TURN / MAX (tunnels, 1), SHARE_MIN);
}

/* ---- life ------------------------------------------------------------------------------------------------- */

/* Leaves the connection, which ignores later frames of this stream. */
static void
leave (XfStream *stream)
{
  if (stream->over)
    return;
  stream->over = TRUE;
  xf_stream_close_into (stream);
  stream->conn->streams = g_list_remove (stream->conn->streams, stream);
  if (xf_conn_is_open (stream->conn)) {
    xf_conn_in_forget_stream (stream->conn, stream);
    xf_conn_out_forget_stream (stream->conn, stream, stream->frame_left);
  }
  stream->frame_left = 0;
  xf_stream_close_from (stream);
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
  stream->from = -1;
  if (into >= 0) {
    stream->into_is_pipe = xf_stream_open_end (into);
    (void)xf_fd_set_nonblocking (into, TRUE, NULL);
  }
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

XfFrameHeader
xf_stream_header (const XfStream *stream, XfFrameStatus status)
{
  XfFrameHeader header = stream->id;

  header.type = XF_FRAME_STREAM;
  header.status = status;
  return header;
}

void
xf_stream_send_empty (XfStream *stream, XfFrameStatus status)
{
  XfFrameHeader header = xf_stream_header (stream, status);

  xf_conn_send (stream->conn, xf_frame_empty (&header));
}

static void
control_from_client (XfStream *stream, guint status)
{
  if (status == XF_FRAME_CONTINUE)
    return; /* an empty piece means nothing in this direction */
  /* Finish and abort are both acknowledged with OK. */
  xf_stream_send_empty (stream, XF_FRAME_OK);
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
    xf_stream_send_empty (stream, XF_FRAME_OK);
}

void
xf_stream_abort (XfStream *stream)
{
  if (stream->over)
    return;
  leave (stream);
  xf_stream_send_empty (stream, XF_FRAME_ERROR);
}

void
xf_stream_fail (XfStream *stream, const XfWireError *error)
{
  XfFrameHeader header = xf_stream_header (stream, XF_FRAME_ERROR);
  GBytes *frame;

  if (stream->over)
    return;
  leave (stream);
  frame = xf_frame_encode_error (&header, error);
  if (frame)
    xf_conn_send (stream->conn, frame);
}
