/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One connection of libvirt's RPC, on either side: frames in and out, calls, streams, keepalive. Knows frames, never
 * guests. The transport is a connected socket today; what differs between transports stays behind XfTransport.
 *
 * In: a header is read first, alone, so that the payload of a stream frame can go from the socket into the stream's
 * descriptor without passing through here; any other payload is read whole, bounded by the frame's limit. A frame
 * that cannot be one ends the connection, nothing else.
 * Out: whole frames wait in a queue; data frames of streams are made when the queue is empty, one at a time, so
 * that calls, replies and keepalive pass between them. A client that does not read is dropped when its queue grows
 * beyond XF_CONN_QUEUE_MAX.
 */
#pragma once

#include <glib.h>

#include "base/log.h"
#include "rpc/frame.h"

#define XF_CONN_QUEUE_MAX (64 * 1024 * 1024)

/* Calls that one connection may have under way at the same time; further ones wait in the socket. */
#define XF_CONN_CALLS_MAX 256

/* A frame up to this size counts against no pool. */
#define XF_FRAME_SMALL (16 * 1024)

/* What the connections of one kind share: memory for frames that have not arrived as a whole, and time in a turn of the
 * loop. Zeroed at first but for the bounds. */
typedef struct {
  gsize frames_max, frames; /* bytes */
  gint64 turn_max_us, turn_us;
  gint64 turn; /* the turn that @turn_us is of */
  XfLogRate refusals;
} XfConnPool;

typedef struct XfConn XfConn;
typedef struct XfStream XfStream;

typedef struct {
  const char *name; /* "unix", "tcp" */
  /* As read(2), write(2) and splice(2) on a non-blocking descriptor. */
  gssize (*read) (int fd, gpointer data, gsize length);
  gssize (*write) (int fd, gconstpointer data, gsize length, gboolean more);
  gssize (*splice_in) (int fd, int pipe_fd, gsize length);  /* from the peer */
  gssize (*splice_out) (int pipe_fd, int fd, gsize length); /* to the peer */
} XfTransport;

/* A connected socket; unix or tcp is told apart by its family. */
const XfTransport *xf_transport_for_socket (int fd);

typedef struct {
  /* A CALL arrived; @payload is the callee's to keep. */
  void (*call) (XfConn *conn, const XfFrameHeader *header, GBytes *payload, gpointer data);
  /* A REPLY arrived. FALSE: nobody waits for it, which ends the connection. */
  gboolean (*reply) (XfConn *conn, const XfFrameHeader *header, GBytes *payload, gpointer data);
  /* A MESSAGE of another program than keepalive. */
  void (*message) (XfConn *conn, const XfFrameHeader *header, GBytes *payload, gpointer data);
  /* The end, once. @error NULL: the peer closed in good order. */
  void (*closed) (XfConn *conn, const GError *error, gpointer data);
} XfConnEvents;

/* Takes @fd, a connected socket. Reading begins with the next turn of the loop. */
XfConn *xf_conn_new (int fd, const XfConnEvents *events, gpointer data);

XfConn *xf_conn_ref (XfConn *conn);
void xf_conn_unref (XfConn *conn);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfConn, xf_conn_unref)

/* Closes at once, with @error as the reason; streams end, closed() is called. A second call does nothing. */
void xf_conn_close (XfConn *conn, const GError *error);

/* Closes when all that is queued has been written. */
void xf_conn_close_after_write (XfConn *conn);

/* Like xf_conn_close(), but nobody is told. */
void xf_conn_abandon (XfConn *conn);

/* Bounds what the peer of a server's connection may cost: @frame_max bytes a frame, header included; @queue_max bytes
 * of frames that wait for it to read them, where one alone may be larger; and @pool, borrowed, which outlives the
 * connection. Calls are answered one a turn of the loop then, those of others between them; and none is read while much
 * waits to be read by the peer. */
void xf_conn_set_limits (XfConn *conn, gsize frame_max, gsize queue_max, XfConnPool *pool);

gboolean xf_conn_is_open (const XfConn *conn);

/* Queues a whole frame; takes @frame. Without effect on a closed connection. */
void xf_conn_send (XfConn *conn, GBytes *frame);

/* The user at the other end of a unix socket; FALSE for other transports. */
gboolean xf_conn_peer_uid (const XfConn *conn, guint *uid_out);

/* FALSE: the peer has closed its end, whether or not that has been read by now. */
gboolean xf_conn_is_there (const XfConn *conn);

/* Who is counted together: "user 1000", "address 192.0.2.7", "network 2001:db8::/64". */
char *xf_conn_origin (const XfConn *conn);

/* TRUE when a line of the log may tell of a refused call: strangers can have many refused. */
gboolean xf_conn_may_log_refusal (XfConn *conn);

/* Calls under way. */
guint xf_conn_calls (const XfConn *conn);

/* "unix:12(uid 0, pid 4711)" or "tcp:[::1]:40122", for the log. */
const char *xf_conn_name (const XfConn *conn);

/* Pings after @interval_s without a frame from the peer; after @count unanswered ones and another interval the
 * connection ends. 0: only answers. PINGs are always answered. */
void xf_conn_set_keepalive (XfConn *conn, guint interval_s, guint count);

/* Calls under way: at XF_CONN_CALLS_MAX the connection stops reading until some end. */
void xf_conn_call_begins (XfConn *conn);
void xf_conn_call_ends (XfConn *conn);
