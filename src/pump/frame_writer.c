/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The writing side: content is collected in the connection's queue and becomes a frame there. The queue is written as
 * fast as the connection accepts it. A full queue makes the writer wait, and so the source.
 */
#include <poll.h>
#include <string.h>
#include <zstd.h>

#include "base/error.h"
#include "pump/frame_private.h"

/* Space of a frame while it is made, and afterwards. */
#define FRAME_MAX (sizeof (XfFrameHeader) + FRAME_BODY_MAX)
/* The queued bytes move to the front when there is no room after them: with twice the limit, each byte at most once. */
#define QUEUE_SIZE (2 * XF_FRAME_QUEUE + FRAME_MAX)
#define PACKED_MAX ZSTD_COMPRESSBOUND (FRAME_BODY_MAX)

/* After this many failed attempts in a row only every 16th frame is tried. */
#define FUTILE_MAX 4

struct XfFrameWriter {
  XfChannel *channel;
  guint count; /* number of connections: the distance between our frame numbers */
  XfFrameCompress compress;
  int level;
  ZSTD_CCtx *zstd;
  guint futile, skip; /* auto: attempts in a row with little gain, and frames to skip before the next */
  guint64 number;
  gsize head, tail; /* the queued bytes are between them */
  gsize filled;     /* content of the current frame, after the tail and room for a header */
  guint8 queue[QUEUE_SIZE];
  guint8 body[FRAME_BODY_MAX];
  guint8 packed[PACKED_MAX];
};

XfFrameWriter *
xf_frame_writer_new (XfChannel *channel, const XfFramePlace *place, XfFrameCompress compress, int level)
{
  XfFrameWriter *writer = g_new0 (XfFrameWriter, 1);
  XfFrameGreeting greeting = { .version = GUINT16_TO_LE (FRAME_VERSION),
                               .index = GUINT16_TO_LE ((guint16)place->index),
                               .count = GUINT16_TO_LE ((guint16)place->count) };

  g_assert (place->index < place->count && place->count <= XF_FRAME_CONNECTIONS_MAX);
  memcpy (greeting.magic, FRAME_GREETING, sizeof (greeting.magic));
  memcpy (greeting.id, place->id, sizeof (greeting.id));
  writer->channel = channel;
  writer->count = place->count;
  writer->number = place->index;
  writer->compress = compress;
  writer->level = level;
  writer->zstd = ZSTD_createCCtx ();
  memcpy (writer->queue, &greeting, sizeof (greeting));
  writer->tail = sizeof (greeting);
  return writer;
}

void
xf_frame_writer_free (XfFrameWriter *writer)
{
  ZSTD_freeCCtx (writer->zstd);
  g_free (writer);
}

/* Writes as much as possible without waiting. */
static gboolean
push (XfFrameWriter *writer, GError **error)
{
  gsize n = 1;

  while (writer->head < writer->tail && n > 0) {
    if (!xf_channel_write_some (writer->channel, writer->queue + writer->head, writer->tail - writer->head, &n, error))
      return FALSE;
    writer->head += n;
  }
  if (writer->head == writer->tail)
    writer->head = writer->tail = 0;
  return TRUE;
}

/* Writes until at most @limit bytes are queued. */
static gboolean
drain (XfFrameWriter *writer, gsize limit, GError **error)
{
  for (;;) {
    if (!push (writer, error))
      return FALSE;
    if (writer->tail - writer->head <= limit)
      return TRUE;
    if (!xf_loop_wait (writer->channel->loop, writer->channel->fd, POLLOUT, error))
      return FALSE;
  }
}

static gboolean
make_room (XfFrameWriter *writer, GError **error)
{
  if (!drain (writer, XF_FRAME_QUEUE, error))
    return FALSE;
  if (writer->tail + FRAME_MAX > QUEUE_SIZE) {
    memmove (writer->queue, writer->queue + writer->head, writer->tail - writer->head);
    writer->tail -= writer->head;
    writer->head = 0;
  }
  return TRUE;
}

/* TRUE when the connection is busy while this frame is compressed. */
static gboolean
should_compress (XfFrameWriter *writer)
{
  if (writer->compress != XF_FRAME_AUTO)
    return writer->compress == XF_FRAME_ZSTD;
  if (writer->skip > 0) {
    writer->skip--;
    return FALSE;
  }
  return writer->channel->loop->rate > 0 || writer->tail - writer->head >= XF_FRAME_CONTENT;
}

/* Noise does not become smaller, and usually more noise follows. */
static void
learn (XfFrameWriter *writer, gsize length, gsize packed)
{
  writer->futile = packed > length - length / 10 ? MIN (writer->futile + 1, FUTILE_MAX) : 0;
  writer->skip = writer->futile ? 1u << writer->futile : 0;
}

/* Makes the body for @content: without its zeros, and compressed with zstd if that makes it smaller; @header says
 * which. The body is in writer->packed, or in writer->body, or @content itself. Returns its length. */
static gsize
code (XfFrameWriter *writer, const guint8 *content, XfFrameHeader *header)
{
  XfPumpCounts *counts = writer->channel->loop->counts;
  gsize length = xf_frame_cut_zeros (content, writer->filled, writer->body, &counts->zeros), packed = 0;
  const guint8 *body = length ? writer->body : content;

  header->flags = length ? FRAME_HOLES : 0;
  length = length ? length : writer->filled;
  if (length > FRAME_ZERO_RUN && should_compress (writer)) {
    packed = ZSTD_compressCCtx (writer->zstd, writer->packed, sizeof (writer->packed), body, length, writer->level);
    learn (writer, length, packed);
  }
  if (packed > 0 && !ZSTD_isError (packed) && packed < length) {
    header->coding = FRAME_PACKED;
    counts->packed++;
    return packed;
  }
  counts->stored++;
  return length;
}

static gboolean
write_frame (XfFrameWriter *writer, guint8 kind, GError **error)
{
  guint8 *place = writer->queue + writer->tail, *content = place + sizeof (XfFrameHeader);
  XfFrameHeader header = { .magic = GUINT32_TO_LE (FRAME_MAGIC),
                           .kind = kind,
                           .number = GUINT64_TO_LE (writer->number),
                           .content = GUINT32_TO_LE ((guint32)writer->filled) };
  gsize length = code (writer, content, &header);

  header.wire = GUINT32_TO_LE ((guint32)length);
  header.hash = GUINT64_TO_LE (xf_frame_hash (&header, content));
  if (header.coding == FRAME_PACKED)
    memcpy (content, writer->packed, length);
  else if (header.flags & FRAME_HOLES)
    memcpy (content, writer->body, length);
  memcpy (place, &header, sizeof (header));
  writer->tail += sizeof (header) + length;
  writer->channel->loop->counts->frames++;
  writer->number += writer->count;
  writer->filled = 0;
  return push (writer, error);
}

gboolean
xf_frame_write_space (XfFrameWriter *writer, guint8 **data_out, gsize *size_out, GError **error)
{
  if (writer->filled == 0 && !make_room (writer, error))
    return FALSE;
  *data_out = writer->queue + writer->tail + sizeof (XfFrameHeader) + writer->filled;
  *size_out = XF_FRAME_CONTENT - writer->filled;
  return TRUE;
}

gboolean
xf_frame_write_filled (XfFrameWriter *writer, gsize size, GError **error)
{
  g_assert (size <= XF_FRAME_CONTENT - writer->filled);
  writer->filled += size;
  return writer->filled < XF_FRAME_CONTENT || write_frame (writer, FRAME_DATA, error);
}

gboolean
xf_frame_write (XfFrameWriter *writer, const guint8 *data, gsize size, GError **error)
{
  while (size > 0) {
    guint8 *space;
    gsize n;

    if (!xf_frame_write_space (writer, &space, &n, error))
      return FALSE;
    n = MIN (n, size);
    memcpy (space, data, n);
    if (!xf_frame_write_filled (writer, n, error))
      return FALSE;
    data += n;
    size -= n;
  }
  return TRUE;
}

gboolean
xf_frame_write_end (XfFrameWriter *writer, GError **error)
{
  return (writer->filled == 0 || write_frame (writer, FRAME_DATA, error)) && make_room (writer, error)
         && write_frame (writer, FRAME_END, error) && drain (writer, 0, error);
}
