/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reading from a connection. readable() repeats these steps: header; payload into memory or into a stream; dispatch. It
 * stops when the socket is empty, when the connection is blocked, or when the turn's share of bytes is used.
 */
#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "procs.h"
#include "rpc/conn_private.h"

/* Steps of one dispatch before other sources of the loop get their turn; data is limited by xf_stream_share(). */
#define SHARE_STEPS 64

/* A connection with bounds reads nothing while more than this waits for its peer. */
#define OUT_HIGH (1024 * 1024)

typedef enum { MORE, WAIT, ENDED } Step;

static void
end (XfConn *conn, int code, const char *why)
{
  g_autoptr (GError) error = g_error_new (XF_ERROR, code, "%s", why);

  xf_conn_close (conn, error);
}

/* Reads into memory; WAIT when nothing has arrived. */
static Step
read_some (XfConn *conn, guint8 *into, gsize wanted, gsize *have)
{
  gssize n = conn->transport->read (conn->fd, into + *have, wanted - *have);

  if (n > 0) {
    *have += n;
    return MORE;
  }
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return WAIT;
  if (n == 0 && conn->header_have == 0)
    xf_conn_close (conn, NULL);
  else
    end (conn, XF_ERROR_NO_CONNECT, n < 0 ? g_strerror (errno) : "the other side closed in the middle of a frame");
  return ENDED;
}

static gboolean
is_data (const XfFrameHeader *header)
{
  return (header->type == XF_FRAME_STREAM && header->status == XF_FRAME_CONTINUE)
         || header->type == XF_FRAME_STREAM_HOLE;
}

void
xf_conn_in_release (XfConn *conn)
{
  if (conn->pool)
    conn->pool->frames -= conn->charged;
  conn->charged = 0;
}

/* Room for a frame in the pool; FALSE: the connection is closed. */
static gboolean
charge (XfConn *conn, gsize size)
{
  if (!conn->pool || size <= XF_FRAME_SMALL)
    return TRUE;
  if (size > conn->pool->frames_max - MIN (conn->pool->frames, conn->pool->frames_max)) {
    end (conn, XF_ERROR_RPC,
         "unfinished frames of other clients leave no memory for one of this size; try again later");
    return FALSE;
  }
  conn->pool->frames += size;
  conn->charged = size;
  return TRUE;
}

static Step
begin_payload (XfConn *conn)
{
  gsize size = conn->header.length - XF_FRAME_HEADER;

  xf_keepalive_heard (conn, &conn->header);
  if (conn->fd < 0)
    return ENDED;
  conn->sink = NULL;
  if (is_data (&conn->header) && size > 0) {
    XfStream *stream = xf_stream_find (conn, &conn->header);

    if (stream && xf_stream_has_sink (stream)) {
      conn->sink = stream;
      conn->sink_left = size;
      return MORE;
    }
  }
  if (!charge (conn, size))
    return ENDED;
  conn->payload = g_try_malloc (size + 1);
  conn->payload_have = 0;
  if (conn->payload)
    return MORE;
  end (conn, XF_ERROR_RPC, "there is no memory for a frame of this size");
  return ENDED;
}

static Step
read_header (XfConn *conn)
{
  Step step = read_some (conn, conn->header_bytes, XF_FRAME_HEADER, &conn->header_have);

  if (step != MORE || conn->header_have < XF_FRAME_HEADER)
    return step;
  if (!xf_frame_get_header (conn->header_bytes, &conn->header)) {
    g_autofree char *why = g_strdup_printf ("a frame has the impossible length %u", conn->header.length);

    end (conn, XF_ERROR_RPC, why);
    return ENDED;
  }
  if (conn->header.length > conn->frame_max) {
    g_autofree char *why = g_strdup_printf ("a frame of %u bytes is larger than what it may send now, %" G_GSIZE_FORMAT,
                                            conn->header.length, conn->frame_max);

    end (conn, XF_ERROR_RPC, why);
    return ENDED;
  }
  return begin_payload (conn);
}

/* One byte for each descriptor follows a frame. None is received, so the kernel closes the descriptors. */
static void
expect_fds (XfConn *conn, GBytes *payload)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (payload, &size);

  if (conn->header.type == XF_FRAME_CALL_WITH_FDS && size >= 4)
    conn->fds_left = MIN (data[3], XF_FRAME_MAX_FDS);
}

static void
dispatch (XfConn *conn, GBytes *payload)
{
  const XfFrameHeader header = conn->header;
  XfStream *stream;

  switch (header.type) {
  case XF_FRAME_CALL:
  case XF_FRAME_CALL_WITH_FDS:
    conn->called = TRUE;
    expect_fds (conn, payload);
    conn->events.call (conn, &header, payload, conn->data);
    break;
  case XF_FRAME_REPLY:
    if (!conn->events.reply (conn, &header, payload, conn->data))
      end (conn, XF_ERROR_RPC, "a reply arrived that no call waits for");
    break;
  case XF_FRAME_MESSAGE:
    if (header.program != XF_KEEPALIVE_PROGRAM)
      conn->events.message (conn, &header, payload, conn->data);
    break;
  case XF_FRAME_STREAM:
    stream = xf_stream_find (conn, &header);
    if (stream)
      xf_stream_control (stream, &header, payload);
    break;
  default:
    g_debug ("%s: ignoring a frame of type %u", conn->name, header.type);
  }
}

static Step
frame_complete (XfConn *conn)
{
  g_autoptr (GBytes) payload = g_bytes_new_take (g_steal_pointer (&conn->payload), conn->payload_have);

  conn->header_have = 0;
  xf_conn_in_release (conn);
  dispatch (conn, payload);
  return conn->fd < 0 ? ENDED : MORE;
}

static Step
read_payload (XfConn *conn)
{
  gsize size = conn->header.length - XF_FRAME_HEADER;

  if (conn->payload_have < size) {
    Step step = read_some (conn, conn->payload, size, &conn->payload_have);

    if (step != MORE || conn->payload_have < size)
      return step;
  }
  return frame_complete (conn);
}

static Step
read_into_stream (XfConn *conn)
{
  gssize taken = xf_stream_take (conn->sink, MIN (conn->sink_left, conn->share_left));

  if (taken < 0)
    return ENDED;
  if (taken == 0)
    return WAIT;
  conn->sink_left -= taken;
  conn->share_left -= taken;
  if (conn->sink_left == 0) {
    conn->sink = NULL;
    conn->header_have = 0;
  }
  return MORE;
}

static Step
step (XfConn *conn)
{
  guint8 byte;
  gsize have = 0;

  if (conn->header_have == 0 && conn->fds_left > 0) {
    Step got = read_some (conn, &byte, 1, &have);

    conn->fds_left -= have;
    return got;
  }
  if (conn->header_have < XF_FRAME_HEADER)
    return read_header (conn);
  return conn->sink ? read_into_stream (conn) : read_payload (conn);
}

/* FALSE: the connections of this pool have used this turn's time. */
static gboolean
turn_has_time (XfConnPool *pool)
{
  gint64 turn = g_source_get_time (g_main_current_source ()); /* the same for everything in one turn */

  if (pool->turn != turn) {
    pool->turn = turn;
    pool->turn_us = 0;
  }
  return pool->turn_us < pool->turn_max_us;
}

static Step
read_share (XfConn *conn)
{
  guint steps = SHARE_STEPS;
  Step next = MORE;

  conn->share_left = xf_stream_share ();
  conn->called = FALSE;
  while (steps-- > 0 && conn->share_left > 0 && !(conn->called && conn->pool)) {
    next = step (conn);
    if (next != MORE || conn->blocked)
      break;
  }
  return next;
}

/* The peer does not read: do not let the queue grow. */
static void
hold_back (XfConn *conn)
{
  if (!conn->pool || conn->out_blocks || conn->out_bytes <= OUT_HIGH)
    return;
  conn->out_blocks = TRUE;
  xf_conn_in_block (conn);
}

static gboolean
readable (int fd, GIOCondition condition, gpointer data)
{
  g_autoptr (XfConn) conn = xf_conn_ref (data);
  gint64 began = g_get_monotonic_time ();
  Step next;

  if (conn->pool && !turn_has_time (conn->pool))
    return G_SOURCE_CONTINUE;
  next = read_share (conn);
  if (next == ENDED)
    return G_SOURCE_REMOVE;
  hold_back (conn);
  /* The rest of a data frame will certainly arrive: do not wake up for each small part of it. */
  xf_fd_wake_for (conn->fd, next == WAIT && conn->sink ? conn->sink_left : 1, &conn->low_water);
  if (!conn->blocked && !(conn->called && conn->pool))
    return G_SOURCE_CONTINUE;
  conn->in_id = 0;
  if (conn->called && conn->pool)
    conn->pool->turn_us += g_get_monotonic_time () - began;
  /* After the other sources: a connection that was not served in this turn precedes it in the next. */
  if (!conn->blocked)
    xf_conn_in_start (conn);
  return G_SOURCE_REMOVE;
}

void
xf_conn_in_start (XfConn *conn)
{
  conn->in_id = g_unix_fd_add (conn->fd, G_IO_IN | G_IO_HUP | G_IO_ERR, readable, conn);
}

/* Even without reading, notice that the peer is gone: otherwise the stream that blocks would wait for ever. */
static gboolean
hung_up (int fd, GIOCondition condition, gpointer data)
{
  XfConn *conn = data;

  conn->hup_id = 0;
  end (conn, XF_ERROR_NO_CONNECT, "the other side closed while its data waited to be taken");
  return G_SOURCE_REMOVE;
}

void
xf_conn_in_block (XfConn *conn)
{
  if (conn->blocked++ == 0 && conn->fd >= 0)
    conn->hup_id = g_unix_fd_add (conn->fd, (GIOCondition)POLLRDHUP | G_IO_HUP | G_IO_ERR, hung_up, conn);
}

void
xf_conn_in_unblock (XfConn *conn)
{
  g_assert (conn->blocked > 0);
  if (--conn->blocked > 0)
    return;
  g_clear_handle_id (&conn->hup_id, g_source_remove);
  if (conn->fd >= 0 && !conn->in_id)
    xf_conn_in_start (conn);
}

/* The stream has ended in the middle of a frame: the rest of the payload is read and dropped. */
void
xf_conn_in_forget_stream (XfConn *conn, XfStream *stream)
{
  if (conn->sink != stream)
    return;
  conn->sink = NULL;
  conn->payload = g_malloc (conn->header.length);
  conn->payload_have = conn->header.length - XF_FRAME_HEADER - conn->sink_left;
}
