/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One connection of libvirt's RPC, on either side: frames in and out, calls, streams, keepalive. It knows
 * frames, never guests. The transport is a connected socket today; XfTransport hides the differences of transports.
 *
 * In: the header is read first, alone, so that the payload of a stream frame can go from the socket into the stream's
 * descriptor without passing through this process. Any other payload is read completely, within the frame's limit. An
 * impossible frame ends its connection and has no other effect.
 * Out: complete frames wait in a queue. Data frames of streams are made when the queue is empty, one at a time, so that
 * calls, replies and keepalive can be sent between them. A client that does not read is disconnected when its queue
 * exceeds XF_CONN_QUEUE_MAX.
 */
#pragma once

#include <glib.h>

#include "base/log.h"
#include "rpc/frame.h"

#define XF_CONN_QUEUE_MAX (64 * 1024 * 1024)

/* Largest number of pending calls of one connection; further calls wait in the socket. */
#define XF_CONN_CALLS_MAX 256

/* A frame up to this size is not counted in a pool. */
#define XF_FRAME_SMALL (16 * 1024)

/* Shared by the connections of one kind of socket: memory for incomplete frames, and time in a turn of the loop. Zeroed
 * at first except the bounds. */
typedef struct {
  gsize frames_max, frames; /* bytes */
  gint64 turn_max_us, turn_us;
  gint64 turn; /* the turn to which @turn_us belongs */
  XfLogRate refusals;
} XfConnPool;

typedef struct XfConn XfConn;
typedef struct XfStream XfStream;

typedef struct {
  const char *name; /* "unix", "tcp" */
  /* Like read(2), write(2) and splice(2) on a non-blocking descriptor. */
  gssize (*read) (int fd, gpointer data, gsize length);
  gssize (*write) (int fd, gconstpointer data, gsize length, gboolean more);
  gssize (*splice_in) (int fd, int pipe_fd, gsize length);  /* from the peer */
  gssize (*splice_out) (int pipe_fd, int fd, gsize length); /* to the peer */
} XfTransport;

typedef struct {
  /* A CALL arrived; the callee may keep a reference to @payload. */
  void (*call) (XfConn *conn, const XfFrameHeader *header, GBytes *payload, gpointer data);
  /* A REPLY arrived. FALSE: no call waits for it; this ends the connection. */
  gboolean (*reply) (XfConn *conn, const XfFrameHeader *header, GBytes *payload, gpointer data);
  /* A MESSAGE of another program than keepalive. */
  void (*message) (XfConn *conn, const XfFrameHeader *header, GBytes *payload, gpointer data);
  /* The connection has ended; called once. @error NULL: the peer closed between two frames. */
  void (*closed) (XfConn *conn, const GError *error, gpointer data);
} XfConnEvents;

/* Takes @fd, a connected socket. Reading starts in the next turn of the loop. */
XfConn *xf_conn_new (int fd, const XfConnEvents *events, gpointer data);

XfConn *xf_conn_ref (XfConn *conn);
void xf_conn_unref (XfConn *conn);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfConn, xf_conn_unref)

/* Closes at once, with @error as the reason; streams end, closed() is called. A second call does nothing. */
void xf_conn_close (XfConn *conn, const GError *error);

/* Closes when the queue has been written. */
void xf_conn_close_after_write (XfConn *conn);

/* Like xf_conn_close(), without any callback. */
void xf_conn_abandon (XfConn *conn);

/* Bounds the cost of a server's connection: @frame_max bytes per frame, header included; @queue_max bytes of frames
 * that the peer has not read yet, where a single frame may be larger; and @pool, which is borrowed and outlives the
 * connection. One call is then answered per turn of the loop, with other connections in between, and no call is read
 * while much data waits for the peer. */
void xf_conn_set_limits (XfConn *conn, gsize frame_max, gsize queue_max, XfConnPool *pool);

gboolean xf_conn_is_open (const XfConn *conn);

/* Queues a complete frame; takes @frame. No effect on a closed connection. */
void xf_conn_send (XfConn *conn, GBytes *frame);

/* The user at the other end of a unix socket; FALSE for other transports. */
gboolean xf_conn_peer_uid (const XfConn *conn, guint *uid_out);

/* FALSE: the peer has closed its end, even if that has not been read yet. */
gboolean xf_conn_is_there (const XfConn *conn);

/* The origin by which connections are counted: "user 1000", "address 192.0.2.7", "network 2001:db8::/64". */
char *xf_conn_origin (const XfConn *conn);

/* TRUE when the log may have another line about a refused call: unknown peers can cause many. */
gboolean xf_conn_may_log_refusal (XfConn *conn);

/* The number of pending calls. */
guint xf_conn_calls (const XfConn *conn);

/* "unix:12(uid 0, pid 4711)" or "tcp:[::1]:40122", for the log. */
const char *xf_conn_name (const XfConn *conn);

/* Sends a keepalive request after @interval_s without a frame from the peer; after @count unanswered requests and
 * another interval the connection ends. 0: send none. Requests of the peer are always answered. */
void xf_conn_set_keepalive (XfConn *conn, guint interval_s, guint count);

/* Counts pending calls: at XF_CONN_CALLS_MAX the connection stops reading until a call ends. */
void xf_conn_call_begins (XfConn *conn);
void xf_conn_call_ends (XfConn *conn);
