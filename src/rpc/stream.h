/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A stream of the RPC: bytes that belong to one call, in either or both directions. To the rest of the program it is
 * file descriptors: what the peer sends is moved into one, what another holds is moved to the peer; from and to pipes
 * by splice, so that the bytes of a migration never pass through this process's memory (docs/wire.md, Streams).
 *
 * Back-pressure: when the descriptor is full, the connection stops reading until it is not (keepalive.c knows); when
 * the socket is full, the descriptor is not read.
 *
 * The life: made after the call's successful reply was queued (server) or had come (client). It ends once, and says
 * how; after that nothing is called any more and the owner frees it. Freeing one that has not ended drops it in
 * silence: late frames of it are ignored.
 */
#pragma once

#include "rpc/conn.h"

typedef enum {
  XF_STREAM_FINISHED, /* the peer said that all is sent (server), or acknowledged our finish (client) */
  XF_STREAM_ABORTED,  /* the peer aborted it */
  XF_STREAM_FAILED,   /* the peer said an error, the connection was lost, or the local descriptor failed: @error */
} XfStreamEnd;

typedef struct {
  void (*ended) (XfStream *stream, XfStreamEnd how, const GError *error, gpointer data);
  /* All of the sending descriptor has been handed to the connection. */
  void (*sent) (XfStream *stream, gpointer data);
  /* The receiving descriptor takes no more (its reader is gone). From now on what comes is discarded; the stream has
   * not ended. */
  void (*broken) (XfStream *stream, gpointer data);
} XfStreamEvents;

/* @call: the header of the call or of its reply, which names the stream. @into, @from: taken, -1 for none; made
 * non-blocking. */
XfStream *xf_stream_new (XfConn *conn, const XfFrameHeader *call, gboolean is_server, int into, int from,
                         const XfStreamEvents *events, gpointer data);
void xf_stream_free (XfStream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfStream, xf_stream_free)

/* Gives a stream that was made without one its sending descriptor (taken). */
void xf_stream_send_from (XfStream *stream, int from);

/* Whatever still comes is read and dropped. */
void xf_stream_discard (XfStream *stream);

/* Client: no more data; ended(FINISHED) comes with the acknowledgement. */
void xf_stream_finish (XfStream *stream);

/* Client: ends it as worthless, without waiting. */
void xf_stream_abort (XfStream *stream);

/* Server: tells the peer that it is broken, and ends it here without ended(). */
void xf_stream_fail (XfStream *stream, const XfWireError *error);

/* Bytes a second that are sent at most; 0: no limit. */
void xf_stream_set_rate (XfStream *stream, guint64 bytes_per_s);

guint64 xf_stream_bytes (const XfStream *stream); /* moved so far, both directions */
