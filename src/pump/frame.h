/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Frames: what two pumps speak between them (docs/stream.md). The content is cut into frames of up to 256 KiB; each has
 * a number, and a checksum over number, lengths and content; frame N travels on connection N modulo their count. Runs
 * of zeros do not travel; the rest goes as it is or through zstd. A frame of kind END closes the stream.
 *
 * Memory is bounded: the writer keeps at most one queue of XF_FRAME_QUEUE a connection, the reader one frame.
 */
#pragma once

#include "pump/channel.h"

#define XF_FRAME_CONTENT (256u << 10)
#define XF_FRAME_QUEUE (1u << 20)
#define XF_FRAME_ID_SIZE 16
#define XF_FRAME_CONNECTIONS_MAX 16

typedef enum {
  XF_FRAME_RAW,  /* never compresses */
  XF_FRAME_ZSTD, /* always tries */
  XF_FRAME_AUTO, /* only while the connection is behind, so that the time is not missed */
} XfFrameCompress;

typedef struct XfFrameWriter XfFrameWriter;
typedef struct XfFrameReader XfFrameReader;

/* @channels stay the caller's and must outlive it. @id: both sides know it; connections with another are refused. */
XfFrameWriter *xf_frame_writer_new (XfChannel *channels, guint n, const guint8 id[XF_FRAME_ID_SIZE],
                                    XfFrameCompress compress, int level);
void xf_frame_writer_free (XfFrameWriter *writer);
gboolean xf_frame_write (XfFrameWriter *writer, const guint8 *data, gsize size, GError **error);
/* The end: all that is queued goes, with the END frame. */
gboolean xf_frame_write_end (XfFrameWriter *writer, GError **error);

XfFrameReader *xf_frame_reader_new (XfChannel *channels, guint n, const guint8 id[XF_FRAME_ID_SIZE]);
void xf_frame_reader_free (XfFrameReader *reader);
/* Exactly @size bytes of content; fewer (@n_out) only behind an END frame. A connection that ends before it is an
 * error. */
gboolean xf_frame_read (XfFrameReader *reader, guint8 *data, gsize size, gsize *n_out, GError **error);
/* What is there of the frame in hand, waiting for one only if there is none; 0: the end. */
gboolean xf_frame_read_some (XfFrameReader *reader, guint8 *data, gsize size, gsize *n_out, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfFrameWriter, xf_frame_writer_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfFrameReader, xf_frame_reader_free)
