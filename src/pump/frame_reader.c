/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The reading side of one connection. Lengths are bounded before a byte is read; content is passed on only after its
 * checksum. Every frame except a stream's last is full, so its number gives the position of its content.
 */
#include <string.h>
#include <zstd.h>

#include "base/error.h"
#include "pump/frame_private.h"

struct XfFrameReader {
  XfChannel *channel;
  XfFramePlace place;
  gboolean greeted, ended;
  gboolean short_seen; /* only the end may follow */
  ZSTD_DCtx *zstd;
  guint64 number;
  gsize at, filled;
  guint8 content[XF_FRAME_CONTENT];
  guint8 body[FRAME_BODY_MAX];
  guint8 wire[FRAME_BODY_MAX];
};

XfFrameReader *
xf_frame_reader_new (XfChannel *channel, const XfFramePlace *place)
{
  XfFrameReader *reader = g_new0 (XfFrameReader, 1);

  g_assert (place->index < place->count && place->count <= XF_FRAME_CONNECTIONS_MAX);
  reader->channel = channel;
  reader->place = *place;
  reader->number = place->index;
  reader->zstd = ZSTD_createDCtx ();
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
read_exactly (XfFrameReader *reader, gpointer data, gsize size, GError **error)
{
  gsize n;

  if (!xf_channel_read (reader->channel, data, size, &n, error))
    return FALSE;
  return n == size || refuse (reader, error, "a connection ended before the stream did");
}

static gboolean
greet (XfFrameReader *reader, GError **error)
{
  XfFrameGreeting greeting;

  if (!read_exactly (reader, &greeting, sizeof (greeting), error))
    return FALSE;
  if (memcmp (greeting.magic, FRAME_GREETING, sizeof (greeting.magic)) != 0)
    return refuse (reader, error, "the other side is no xenferry-pump");
  if (GUINT16_FROM_LE (greeting.version) != FRAME_VERSION || greeting.flags != 0)
    return refuse (reader, error, "the other side speaks another version");
  if (memcmp (greeting.id, reader->place.id, sizeof (greeting.id)) != 0)
    return refuse (reader, error, "a connection belongs to another migration");
  if (GUINT16_FROM_LE (greeting.count) != reader->place.count
      || GUINT16_FROM_LE (greeting.index) != reader->place.index)
    return refuse (reader, error, "the connections are not those of one stream, or not in their order");
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
    return refuse (reader, error, "another one arrived in its place");
  if (content > XF_FRAME_CONTENT || wire > FRAME_BODY_MAX || (header->kind == FRAME_END) != (content == 0)
      || (header->kind == FRAME_END && wire != 0))
    return refuse (reader, error, "its lengths cannot be");
  if (reader->short_seen && header->kind != FRAME_END)
    return refuse (reader, error, "it follows the last one");
  return TRUE;
}

/* Decodes a body into reader->content. */
static gboolean
read_body (XfFrameReader *reader, const XfFrameHeader *header, GError **error)
{
  gsize length = GUINT32_FROM_LE (header->wire), content = GUINT32_FROM_LE (header->content);
  gboolean holes = header->flags & FRAME_HOLES;
  const guint8 *body = reader->wire;

  if (header->coding == FRAME_STORED && !holes)
    return (length == content || refuse (reader, error, "its length field is wrong"))
           && read_exactly (reader, reader->content, content, error);
  if (!read_exactly (reader, reader->wire, length, error))
    return FALSE;
  if (header->coding == FRAME_PACKED) {
    guint8 *place = holes ? reader->body : reader->content;

    length = ZSTD_decompressDCtx (reader->zstd, place, holes ? FRAME_BODY_MAX : XF_FRAME_CONTENT, reader->wire, length);
    if (ZSTD_isError (length))
      return refuse (reader, error, "it cannot be decompressed");
    body = place;
  }
  if (holes)
    return xf_frame_put_zeros (body, length, reader->content, content)
           || refuse (reader, error, "its list of zeros is damaged");
  return length == content || refuse (reader, error, "its length field is wrong");
}

static gboolean
read_frame (XfFrameReader *reader, GError **error)
{
  XfFrameHeader header;

  if (!reader->greeted && !greet (reader, error))
    return FALSE;
  if (!read_exactly (reader, &header, sizeof (header), error) || !check_header (reader, &header, error)
      || !read_body (reader, &header, error))
    return FALSE;
  if (xf_frame_hash (&header, reader->content) != GUINT64_FROM_LE (header.hash))
    return refuse (reader, error, "its checksum is wrong, it was damaged in transit");
  reader->number += reader->place.count;
  reader->channel->loop->counts->frames++;
  reader->ended = header.kind == FRAME_END;
  reader->at = 0;
  reader->filled = GUINT32_FROM_LE (header.content);
  reader->short_seen = reader->filled < XF_FRAME_CONTENT;
  return TRUE;
}

gboolean
xf_frame_read_view (XfFrameReader *reader, gsize most, const guint8 **data_out, gsize *n_out, GError **error)
{
  *n_out = 0;
  if (reader->at == reader->filled && !reader->ended && !read_frame (reader, error))
    return FALSE;
  *data_out = reader->content + reader->at;
  *n_out = MIN (most, reader->filled - reader->at);
  reader->at += *n_out;
  return TRUE;
}

gboolean
xf_frame_read (XfFrameReader *reader, guint8 *data, gsize size, gsize *n_out, GError **error)
{
  *n_out = 0;
  while (*n_out < size) {
    const guint8 *view;
    gsize n;

    if (!xf_frame_read_view (reader, size - *n_out, &view, &n, error))
      return FALSE;
    if (n == 0)
      return TRUE;
    memcpy (data + *n_out, view, n);
    *n_out += n;
  }
  return TRUE;
}
