/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The inside of a connection, for conn.c, conn_in.c, conn_out.c, keepalive.c and stream.c.
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
  guint blocked; /* reasons not to read: a stream that is full, calls over the limit */
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
  int low_water;    /* bytes that must be there before the socket wakes us; 0: as it was made */
  guint fds_left;   /* bytes that carry descriptors, still to come */
  gsize frame_max;  /* bytes, header included */
  XfConnPool *pool; /* NULL: without bounds */
  gsize charged;    /* of the pool's bytes, for the frame that comes */
  gboolean called;  /* a call was dispatched in this turn */

  /* out */
  guint out_id;
  GQueue out; /* of GBytes */
  gsize out_offset, out_bytes, queue_max;
  gboolean out_blocks; /* so much waits that nothing is read */
  gboolean close_when_written;
  GList *streams;      /* every stream of this connection */
  XfStream *sending;   /* whose data frame is under way */
  GBytes *data_header; /* its header, until that is written */
  gsize data_header_offset;

  /* keepalive */
  guint keepalive_id, keepalive_interval_s, keepalive_count, keepalive_unanswered;
  gboolean heard; /* a frame since the last tick */
};

/* conn_name.c */
char *xf_conn_make_name (int fd, const XfTransport *transport);

/* conn_in.c */
void xf_conn_in_start (XfConn *conn);
void xf_conn_in_block (XfConn *conn);
void xf_conn_in_unblock (XfConn *conn);
/* The frame that was coming is there, or never will be. */
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
/* Bytes of data that one connection may move in a turn of the loop: the fewer, the more tunnels there are, so that
 * whoever asks something meanwhile waits no longer for ten of them than for one. */
gsize xf_stream_share (void);
/* Takes up to @left bytes of the payload from the connection; how many, or -1 when the connection has ended. 0: not now
 * (the stream has blocked the connection, or the socket is empty). */
gssize xf_stream_take (XfStream *stream, gsize left);
void xf_stream_control (XfStream *stream, const XfFrameHeader *header, GBytes *payload);
/* The next data frame's header, when there is data; then its payload piece by piece. */
gboolean xf_stream_begin_frame (XfStream *stream, GBytes **header_out);
/* TRUE when the whole frame is out; FALSE: the socket is full. */
gboolean xf_stream_continue_frame (XfStream *stream);
void xf_stream_connection_lost (XfStream *stream, const GError *error);
