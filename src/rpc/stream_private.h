/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The members of a stream. stream.c has its life and its frames without payload, stream_in.c receives data,
 * stream_out.c sends data.
 */
#pragma once

#include "rpc/conn_private.h"
#include "rpc/stream.h"

#define XF_STREAM_COPY_SIZE (64 * 1024) /* bytes at a time from or to a descriptor that is not a pipe */

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
  guint into_id;   /* waits until it accepts more; the connection is blocked meanwhile */
  guint8 *pending; /* copy mode: bytes that it has not accepted yet */
  gsize pending_have, pending_done;

  /* to the peer */
  int from;
  gboolean from_is_pipe, from_ready;
  guint from_id, pace_id;
  gsize frame_left;
  guint64 rate, budget;
  gint64 budget_us;
};

XfFrameHeader xf_stream_header (const XfStream *stream, XfFrameStatus status);
void xf_stream_send_empty (XfStream *stream, XfFrameStatus status);

/* TRUE when @fd is a pipe: its bytes are spliced, and it counts as one end of a tunnel until it is closed. */
gboolean xf_stream_open_end (int fd);
void xf_stream_close_end (int *fd, gboolean is_pipe);

/* Each closes its descriptor and drops the waits for it. */
void xf_stream_close_into (XfStream *stream);
void xf_stream_close_from (XfStream *stream);
