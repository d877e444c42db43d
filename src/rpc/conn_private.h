/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The members of a connection, for conn.c, conn_in.c, conn_out.c, keepalive.c and stream.c.
 */
#pragma once

#include "rpc/conn.h"

struct XfConn {
  gint refs;
  int fd;
  const XfTransport *transport;
  XfConnEvents events;
  gpointer data;
  char *name;
  gboolean abandoned;

  /* in */
  guint in_id;
  guint hup_id;  /* while blocked */
  guint blocked; /* number of reasons not to read: a full stream, too many pending calls */
  gboolean calls_block;
  guint calls;
  guint8 header_bytes[XF_FRAME_HEADER];
  gsize header_have;
  XfFrameHeader header; /* valid when header_have is XF_FRAME_HEADER */
  guint8 *payload;
  gsize payload_have;
  XfStream *sink; /* the payload goes into this stream */
  gsize sink_left;
  gsize share_left; /* of this turn */
  int low_water;    /* bytes that must have arrived before the socket wakes us; 0: the default */
  guint fds_left;   /* missing bytes that carry descriptors */
  gsize frame_max;  /* bytes, header included */
  XfConnPool *pool; /* NULL: without bounds */
  gsize charged;    /* bytes taken from the pool for the incoming frame */
  gboolean called;  /* a call was dispatched in this turn */

  /* out */
  guint out_id;
  GQueue out; /* of GBytes */
  gsize out_offset, out_bytes, queue_max;
  gboolean out_blocks; /* the queue is so long that nothing is read */
  gboolean close_when_written;
  GList *streams;      /* every stream of this connection */
  XfStream *sending;   /* the stream whose data frame is being written */
  GBytes *data_header; /* that frame's header until it is written */
  gsize data_header_offset;

  /* keepalive */
  guint keepalive_id, keepalive_interval_s, keepalive_count, keepalive_unanswered;
  gboolean heard; /* a frame has arrived since the last tick */
};

/* conn_name.c */
char *xf_conn_make_name (int fd, const XfTransport *transport);

/* conn_in.c */
void xf_conn_in_start (XfConn *conn);
void xf_conn_in_block (XfConn *conn);
void xf_conn_in_unblock (XfConn *conn);
/* The incoming frame is complete, or will not be completed. */
void xf_conn_in_release (XfConn *conn);
void xf_conn_in_forget_stream (XfConn *conn, XfStream *stream);

/* conn_out.c */
void xf_conn_out_wake (XfConn *conn);
void xf_conn_out_forget_stream (XfConn *conn, XfStream *stream, gsize missing);

/* keepalive.c */
void xf_keepalive_heard (XfConn *conn, const XfFrameHeader *header);
void xf_keepalive_stop (XfConn *conn);

/* stream.c */
XfStream *xf_stream_find (XfConn *conn, const XfFrameHeader *header);
gboolean xf_stream_has_sink (const XfStream *stream);
/* Bytes of data that one connection may move in a turn of the loop. The more tunnels there are, the fewer, so that
 * other clients wait no longer for ten tunnels than for one. */
gsize xf_stream_share (void);
/* Moves up to @left bytes of the payload from the connection into the stream. Returns their number, or -1 when the
 * connection has ended; 0: none now (the stream has blocked the connection, or the socket is empty). */
gssize xf_stream_take (XfStream *stream, gsize left);
void xf_stream_control (XfStream *stream, const XfFrameHeader *header, GBytes *payload);
/* Begins a data frame when there is data: returns its header; xf_stream_continue_frame() then writes its payload. */
gboolean xf_stream_begin_frame (XfStream *stream, GBytes **header_out);
/* TRUE when the whole frame is written; FALSE: the socket is full. */
gboolean xf_stream_continue_frame (XfStream *stream);
void xf_stream_connection_lost (XfStream *stream, const GError *error);
