/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The writing side: content gathers into a frame, the frame is coded into its connection's queue, and queues empty as
 * fast as the connections take it. A full queue makes the writer wait, and so the source.
 */
#include <poll.h>
#include <string.h>
#include <zstd.h>

#include "base/error.h"
#include "pump/frame_private.h"

typedef struct {
  guint8 *data;
  gsize head, tail; /* what is queued is between */
} Queue;

struct XfFrameWriter {
  XfChannel *channels;
  guint n;
  Queue queues[XF_FRAME_CONNECTIONS_MAX];
  XfFrameCompress compress;
  int level;
  ZSTD_CCtx *zstd;
  guint futile, skip; /* auto: attempts in a row that gained little, and frames to let pass before the next */
  guint64 number;
  gsize filled;
  guint8 content[XF_FRAME_CONTENT];
  guint8 body[FRAME_BODY_MAX];
};

/* After so many in a row every 16th frame is tried. */
#define FUTILE_MAX 4

/* The largest frame beside what is already there. */
#define QUEUE_SIZE (XF_FRAME_QUEUE + sizeof (XfFrameHeader) + ZSTD_COMPRESSBOUND (FRAME_BODY_MAX))

static void
queue_put (Queue *queue, gconstpointer data, gsize size)
{
  memcpy (queue->data + queue->tail, data, size);
  queue->tail += size;
}

XfFrameWriter *
xf_frame_writer_new (XfChannel *channels, guint n, const guint8 id[XF_FRAME_ID_SIZE], XfFrameCompress compress, int level)
{
  XfFrameWriter *writer = g_new0 (XfFrameWriter, 1);

  g_assert (n >= 1 && n <= XF_FRAME_CONNECTIONS_MAX);
  *writer = (XfFrameWriter){ .channels = channels, .n = n, .compress = compress, .level = level };
  writer->zstd = ZSTD_createCCtx ();
  for (guint i = 0; i < n; i++) {
    XfFrameGreeting greeting = { .version = GUINT16_TO_LE (FRAME_VERSION),
                                 .index = GUINT16_TO_LE ((guint16)i),
                                 .count = GUINT16_TO_LE ((guint16)n) };

    memcpy (greeting.magic, FRAME_GREETING, sizeof (greeting.magic));
    memcpy (greeting.id, id, sizeof (greeting.id));
    writer->queues[i].data = g_malloc (QUEUE_SIZE);
    queue_put (&writer->queues[i], &greeting, sizeof (greeting));
  }
  return writer;
}

void
xf_frame_writer_free (XfFrameWriter *writer)
{
  for (guint i = 0; i < writer->n; i++)
    g_free (writer->queues[i].data);
  ZSTD_freeCCtx (writer->zstd);
  g_free (writer);
}

/* One attempt on each connection. */
static gboolean
push (XfFrameWriter *writer, GError **error)
{
  for (guint i = 0; i < writer->n; i++) {
    Queue *queue = &writer->queues[i];
    gsize n = 1;

    while (queue->head < queue->tail && n > 0) {
      if (!xf_channel_write_some (&writer->channels[i], queue->data + queue->head, queue->tail - queue->head, &n, error))
        return FALSE;
      queue->head += n;
    }
    if (queue->head == queue->tail)
      queue->head = queue->tail = 0;
  }
  return TRUE;
}

/* Until queue @i has no more than @limit bytes. */
static gboolean
drain (XfFrameWriter *writer, guint i, gsize limit, GError **error)
{
  Queue *queue = &writer->queues[i];

  for (;;) {
    struct pollfd fds[XF_FRAME_CONNECTIONS_MAX];
    guint n = 0;

    if (!push (writer, error))
      return FALSE;
    if (queue->tail - queue->head <= limit)
      break;
    for (guint j = 0; j < writer->n; j++) {
      if (writer->queues[j].tail > 0)
        fds[n++] = (struct pollfd){ .fd = writer->channels[j].fd, .events = POLLOUT };
    }
    if (!xf_loop_wait_any (writer->channels[0].loop, fds, n, error))
      return FALSE;
  }
  memmove (queue->data, queue->data + queue->head, queue->tail - queue->head);
  queue->tail -= queue->head;
  queue->head = 0;
  return TRUE;
}

/* Is time spent on compressing this frame time in which its connection works on what it has? */
static gboolean
should_compress (XfFrameWriter *writer, const Queue *queue)
{
  if (writer->compress != XF_FRAME_AUTO)
    return writer->compress == XF_FRAME_ZSTD;
  if (writer->skip > 0) {
    writer->skip--;
    return FALSE;
  }
  return writer->channels[0].loop->rate > 0 || queue->tail >= XF_FRAME_CONTENT;
}

/* Noise does not shrink, and rarely comes alone. */
static void
learn (XfFrameWriter *writer, gsize length, gsize packed)
{
  writer->futile = packed > length - length / 10 ? MIN (writer->futile + 1, FUTILE_MAX) : 0;
  writer->skip = writer->futile ? 1u << writer->futile : 0;
}

/* Puts @body behind @header into @queue, through zstd if that makes it smaller. Returns the bytes it takes. */
static gsize
code (XfFrameWriter *writer, Queue *queue, const guint8 *body, gsize length, guint8 *coding_out)
{
  guint8 *place = queue->data + queue->tail + sizeof (XfFrameHeader);
  gsize packed = 0;

  if (length > FRAME_ZERO_RUN && should_compress (writer, queue)) {
    packed = ZSTD_compressCCtx (writer->zstd, place, ZSTD_COMPRESSBOUND (FRAME_BODY_MAX), body, length, writer->level);
    learn (writer, length, packed);
  }
  if (packed > 0 && !ZSTD_isError (packed) && packed < length) {
    *coding_out = FRAME_PACKED;
    return packed;
  }
  memcpy (place, body, length);
  *coding_out = FRAME_STORED;
  return length;
}

static gboolean
write_frame (XfFrameWriter *writer, guint8 kind, GError **error)
{
  guint i = writer->number % writer->n;
  Queue *queue = &writer->queues[i];
  XfPumpCounts *counts = &writer->channels[0].loop->counts;
  XfFrameHeader header = { .magic = GUINT32_TO_LE (FRAME_MAGIC),
                           .kind = kind,
                           .number = GUINT64_TO_LE (writer->number),
                           .content = GUINT32_TO_LE ((guint32)writer->filled) };
  gsize cut, wire;

  if (!drain (writer, i, XF_FRAME_QUEUE, error))
    return FALSE;
  cut = xf_frame_cut_zeros (writer->content, writer->filled, writer->body, &counts->zeros);
  header.flags = cut ? FRAME_HOLES : 0;
  wire = code (writer, queue, cut ? writer->body : writer->content, cut ? cut : writer->filled, &header.coding);
  header.wire = GUINT32_TO_LE ((guint32)wire);
  header.hash = GUINT64_TO_LE (xf_frame_hash (&header, writer->content));
  queue_put (queue, &header, sizeof (header));
  queue->tail += wire;
  counts->frames++;
  *(header.coding == FRAME_PACKED ? &counts->packed : &counts->stored) += 1;
  writer->number++;
  writer->filled = 0;
  return push (writer, error);
}

gboolean
xf_frame_write (XfFrameWriter *writer, const guint8 *data, gsize size, GError **error)
{
  while (size > 0) {
    gsize n = MIN (size, XF_FRAME_CONTENT - writer->filled);

    memcpy (writer->content + writer->filled, data, n);
    writer->filled += n;
    data += n;
    size -= n;
    if (writer->filled == XF_FRAME_CONTENT && !write_frame (writer, FRAME_DATA, error))
      return FALSE;
  }
  return TRUE;
}

gboolean
xf_frame_write_end (XfFrameWriter *writer, GError **error)
{
  if ((writer->filled > 0 && !write_frame (writer, FRAME_DATA, error)) || !write_frame (writer, FRAME_END, error))
    return FALSE;
  for (guint i = 0; i < writer->n; i++) {
    if (!drain (writer, i, 0, error))
      return FALSE;
  }
  return TRUE;
}
