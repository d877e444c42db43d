/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Frames: what two pumps speak between them (docs/stream.md). The content is cut into frames of 256 KiB; each has a
 * number, and a checksum over number, lengths and content; frame N travels on connection N modulo their count. Runs of
 * zeros do not travel; the rest goes as it is or through zstd. A frame of kind END closes each connection.
 *
 * A writer and a reader are one connection's: of the content they see only the pieces whose turn it is there
 * (pump/turns.h). Memory is bounded: a writer keeps a queue of at most XF_FRAME_QUEUE, a reader one frame.
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

/* Which connection of which stream. Both sides know it; one that says otherwise is refused. */
typedef struct {
  guint8 id[XF_FRAME_ID_SIZE]; /* of the migration */
  guint index, count;          /* count: 1 to XF_FRAME_CONNECTIONS_MAX */
} XfFramePlace;

typedef struct XfFrameWriter XfFrameWriter;
typedef struct XfFrameReader XfFrameReader;

/* @channel stays the caller's and must outlive it. @level: zstd's. */
XfFrameWriter *xf_frame_writer_new (XfChannel *channel, const XfFramePlace *place, XfFrameCompress compress, int level);
void xf_frame_writer_free (XfFrameWriter *writer);
gboolean xf_frame_write (XfFrameWriter *writer, const guint8 *data, gsize size, GError **error);
/* Where the next content may be put without a copy, at least 1 byte of it; then say how much was. */
gboolean xf_frame_write_space (XfFrameWriter *writer, guint8 **data_out, gsize *size_out, GError **error);
gboolean xf_frame_write_filled (XfFrameWriter *writer, gsize size, GError **error);
/* The end: all that is queued goes, with the END frame. */
gboolean xf_frame_write_end (XfFrameWriter *writer, GError **error);

XfFrameReader *xf_frame_reader_new (XfChannel *channel, const XfFramePlace *place);
void xf_frame_reader_free (XfFrameReader *reader);
/* Exactly @size bytes of content; fewer (@n_out) only behind an END frame. A connection that ends before it is an
 * error. */
gboolean xf_frame_read (XfFrameReader *reader, guint8 *data, gsize size, gsize *n_out, GError **error);
/* Up to @most bytes of the frame in hand, waiting for one only if there is none. *@data_out is the reader's and good
 * until the next call. @n_out: 0 at the end. */
gboolean xf_frame_read_view (XfFrameReader *reader, gsize most, const guint8 **data_out, gsize *n_out, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfFrameWriter, xf_frame_writer_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfFrameReader, xf_frame_reader_free)
