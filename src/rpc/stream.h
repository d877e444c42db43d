/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A stream of the RPC: bytes that belong to one call, in one or both directions. The rest of the program gives it file
 * descriptors: bytes from the peer are written to one, bytes read from the other are sent to the peer. Pipes are
 * spliced, so that the bytes of a migration never pass through this process's memory (docs/wire.md, Streams).
 *
 * Back-pressure: while the descriptor is full, the connection does not read (keepalive.c accounts for that); while the
 * socket is full, the descriptor is not read.
 *
 * Life: a stream is created after the call's successful reply was queued (server) or has arrived (client). It ends
 * once, with one callback that says how; no callback follows, and the owner frees it. Freeing a stream that has not
 * ended drops it without a frame; later frames of it are ignored.
 */
#pragma once

#include "rpc/conn.h"

typedef enum {
  XF_STREAM_FINISHED, /* the peer has finished it (server), or acknowledged our finish (client) */
  XF_STREAM_ABORTED,  /* the peer aborted it */
  XF_STREAM_FAILED,   /* the peer sent an error, the connection was lost, or the local descriptor failed: @error */
} XfStreamEnd;

typedef struct {
  void (*ended) (XfStream *stream, XfStreamEnd how, const GError *error, gpointer data);
  /* The sending descriptor is at its end, and all its bytes are handed to the connection. */
  void (*sent) (XfStream *stream, gpointer data);
  /* The receiving descriptor accepts no more bytes (its reader is gone). Further data is discarded; the stream has not
   * ended. */
  void (*broken) (XfStream *stream, gpointer data);
} XfStreamEvents;

/* @call: the header of the call or of its reply, which names the stream. @into, @from: taken, -1 for none; made
 * non-blocking. */
XfStream *xf_stream_new (XfConn *conn, const XfFrameHeader *call, gboolean is_server, int into, int from,
                         const XfStreamEvents *events, gpointer data);
void xf_stream_free (XfStream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfStream, xf_stream_free)

/* Sets the sending descriptor (taken) of a stream that was created without one. */
void xf_stream_send_from (XfStream *stream, int from);

/* Reads and drops all further data. */
void xf_stream_discard (XfStream *stream);

/* Client: no more data. The acknowledgement calls ended(FINISHED). */
void xf_stream_finish (XfStream *stream);

/* Client: aborts it, without waiting for the acknowledgement. */
void xf_stream_abort (XfStream *stream);

/* Server: sends @error to the peer, and ends the stream here without ended(). */
void xf_stream_fail (XfStream *stream, const XfWireError *error);

/* The largest number of bytes per second; 0: no limit. */
void xf_stream_set_rate (XfStream *stream, guint64 bytes_per_s);

guint64 xf_stream_bytes (const XfStream *stream); /* moved so far, both directions */
