/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Frames: the format between two pumps (docs/stream.md, Frames). The content is cut into frames of 256 KiB. Each frame
 * has a number, and a checksum over number, lengths and content. Frame N travels on connection N modulo their count.
 * Runs of zeros are not sent; the rest is stored or compressed with zstd. A frame of kind END ends each connection.
 *
 * A writer and a reader belong to one connection and see only that connection's pieces of the content (pump/turns.h).
 * Memory is bounded: a writer has a queue of at most XF_FRAME_QUEUE, a reader has one frame.
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
  XF_FRAME_AUTO, /* only while the connection is slower than the input, so that compression costs no time */
} XfFrameCompress;

/* Which connection of which stream. Both sides know it; a reader refuses any other. */
typedef struct {
  guint8 id[XF_FRAME_ID_SIZE]; /* of the migration */
  guint index, count;          /* count: 1 to XF_FRAME_CONNECTIONS_MAX */
} XfFramePlace;

typedef struct XfFrameWriter XfFrameWriter;
typedef struct XfFrameReader XfFrameReader;

/* @channel belongs to the caller and must outlive the writer. @level: zstd's. */
XfFrameWriter *xf_frame_writer_new (XfChannel *channel, const XfFramePlace *place, XfFrameCompress compress, int level);
void xf_frame_writer_free (XfFrameWriter *writer);
gboolean xf_frame_write (XfFrameWriter *writer, const guint8 *data, gsize size, GError **error);
/* A buffer of at least 1 byte for the next content, to avoid a copy; xf_frame_write_filled() says how much was put. */
gboolean xf_frame_write_space (XfFrameWriter *writer, guint8 **data_out, gsize *size_out, GError **error);
gboolean xf_frame_write_filled (XfFrameWriter *writer, gsize size, GError **error);
/* Ends the connection: writes the queue and the END frame. */
gboolean xf_frame_write_end (XfFrameWriter *writer, GError **error);

XfFrameReader *xf_frame_reader_new (XfChannel *channel, const XfFramePlace *place);
void xf_frame_reader_free (XfFrameReader *reader);
/* Reads exactly @size bytes of content; fewer (@n_out) only after an END frame. A connection that ends earlier is an
 * error. */
gboolean xf_frame_read (XfFrameReader *reader, guint8 *data, gsize size, gsize *n_out, GError **error);
/* Up to @most bytes of the current frame; waits for a frame only if there is none. *@data_out belongs to the reader and
 * is valid until the next call. @n_out: 0 at the end. */
gboolean xf_frame_read_view (XfFrameReader *reader, gsize most, const guint8 **data_out, gsize *n_out, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfFrameWriter, xf_frame_writer_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfFrameReader, xf_frame_reader_free)
