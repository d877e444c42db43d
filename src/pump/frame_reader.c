/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The reading side: frames in the order of their numbers, each from the connection whose turn it is; what the others
 * have meanwhile waits in the kernel. Lengths are bounded before a byte is read, content is handed on only after its
 * checksum.
 */
#include <string.h>
#include <zstd.h>

#include "base/error.h"
#include "pump/frame_private.h"

struct XfFrameReader {
  XfChannel *channels;
  guint n;
  guint8 id[XF_FRAME_ID_SIZE];
  gboolean greeted, ended;
  guint order[XF_FRAME_CONNECTIONS_MAX]; /* which channel has which index */
  ZSTD_DCtx *zstd;
  guint64 number;
  gsize at, filled;
  guint8 content[XF_FRAME_CONTENT];
  guint8 body[FRAME_BODY_MAX];
  guint8 wire[FRAME_BODY_MAX];
};

XfFrameReader *
xf_frame_reader_new (XfChannel *channels, guint n, const guint8 id[XF_FRAME_ID_SIZE])
{
  XfFrameReader *reader = g_new0 (XfFrameReader, 1);

  g_assert (n >= 1 && n <= XF_FRAME_CONNECTIONS_MAX);
  reader->channels = channels;
  reader->n = n;
  reader->zstd = ZSTD_createDCtx ();
  memcpy (reader->id, id, sizeof (reader->id));
  return reader;
}

void
xf_frame_reader_free (XfFrameReader *reader)
{
  ZSTD_freeDCtx (reader->zstd);
  g_free (reader);
}

static gboolean
refuse (const XfFrameReader *reader, GError **error, const char *what)
{
  g_set_error (error, XF_ERROR, XF_ERROR_INVALID_STREAM, "frame %" G_GUINT64_FORMAT " of the migration stream: %s",
               reader->number, what);
  return FALSE;
}

static gboolean
read_exactly (XfFrameReader *reader, XfChannel *channel, gpointer data, gsize size, GError **error)
{
  gsize n;

  if (!xf_channel_read (channel, data, size, &n, error))
    return FALSE;
  return n == size || refuse (reader, error, "a connection ended before the stream did");
}

static gboolean
greet (XfFrameReader *reader, GError **error)
{
  guint32 seen = 0;

  for (guint i = 0; i < reader->n; i++) {
    XfFrameGreeting greeting;
    guint index;

    if (!read_exactly (reader, &reader->channels[i], &greeting, sizeof (greeting), error))
      return FALSE;
    index = GUINT16_FROM_LE (greeting.index);
    if (memcmp (greeting.magic, FRAME_GREETING, sizeof (greeting.magic)) != 0)
      return refuse (reader, error, "the other side is no xenferry-pump");
    if (GUINT16_FROM_LE (greeting.version) != FRAME_VERSION || greeting.flags != 0)
      return refuse (reader, error, "the other side speaks another version");
    if (memcmp (greeting.id, reader->id, sizeof (reader->id)) != 0)
      return refuse (reader, error, "a connection belongs to another migration");
    if (GUINT16_FROM_LE (greeting.count) != reader->n || index >= reader->n || seen & 1u << index)
      return refuse (reader, error, "the connections are not those of one stream");
    seen |= 1u << index;
    reader->order[index] = i;
  }
  reader->greeted = TRUE;
  return TRUE;
}

static gboolean
check_header (XfFrameReader *reader, const XfFrameHeader *header, GError **error)
{
  guint32 wire = GUINT32_FROM_LE (header->wire), content = GUINT32_FROM_LE (header->content);

  if (GUINT32_FROM_LE (header->magic) != FRAME_MAGIC || header->kind > FRAME_END || header->coding > FRAME_PACKED
      || header->flags & ~FRAME_HOLES || header->reserved != 0)
    return refuse (reader, error, "its header is damaged");
  if (GUINT64_FROM_LE (header->number) != reader->number)
    return refuse (reader, error, "another one came in its place");
  if (content > XF_FRAME_CONTENT || wire > FRAME_BODY_MAX || (header->kind == FRAME_END) != (content == 0)
      || (header->kind == FRAME_END && wire != 0))
    return refuse (reader, error, "its lengths cannot be");
  return TRUE;
}

static gboolean
decode (XfFrameReader *reader, const XfFrameHeader *header, GError **error)
{
  gsize length = GUINT32_FROM_LE (header->wire), content = GUINT32_FROM_LE (header->content);
  const guint8 *body = reader->wire;

  if (header->coding == FRAME_PACKED) {
    length = ZSTD_decompressDCtx (reader->zstd, reader->body, sizeof (reader->body), reader->wire, length);
    if (ZSTD_isError (length))
      return refuse (reader, error, "it cannot be decompressed");
    body = reader->body;
  }
  if (header->flags & FRAME_HOLES) {
    if (!xf_frame_put_zeros (body, length, reader->content, content))
      return refuse (reader, error, "its list of zeros is damaged");
  } else {
    if (length != content)
      return refuse (reader, error, "its length is not what it says");
    memcpy (reader->content, body, content);
  }
  return TRUE;
}

static gboolean
read_frame (XfFrameReader *reader, GError **error)
{
  XfChannel *channel;
  XfFrameHeader header;

  if (!reader->greeted && !greet (reader, error))
    return FALSE;
  channel = &reader->channels[reader->order[reader->number % reader->n]];
  if (!read_exactly (reader, channel, &header, sizeof (header), error) || !check_header (reader, &header, error)
      || !read_exactly (reader, channel, reader->wire, GUINT32_FROM_LE (header.wire), error)
      || !decode (reader, &header, error))
    return FALSE;
  if (xf_frame_hash (&header, reader->content) != GUINT64_FROM_LE (header.hash))
    return refuse (reader, error, "its checksum is wrong, it was damaged on the way");
  reader->number++;
  channel->loop->counts.frames++;
  reader->ended = header.kind == FRAME_END;
  reader->at = 0;
  reader->filled = GUINT32_FROM_LE (header.content);
  return TRUE;
}

gboolean
xf_frame_read_some (XfFrameReader *reader, guint8 *data, gsize size, gsize *n_out, GError **error)
{
  *n_out = 0;
  if (reader->at == reader->filled && !reader->ended && !read_frame (reader, error))
    return FALSE;
  *n_out = MIN (size, reader->filled - reader->at);
  memcpy (data, reader->content + reader->at, *n_out);
  reader->at += *n_out;
  return TRUE;
}

gboolean
xf_frame_read (XfFrameReader *reader, guint8 *data, gsize size, gsize *n_out, GError **error)
{
  *n_out = 0;
  while (*n_out < size) {
    gsize n;

    if (!xf_frame_read_some (reader, data + *n_out, size - *n_out, &n, error))
      return FALSE;
    if (n == 0)
      return TRUE;
    *n_out += n;
  }
  return TRUE;
}
