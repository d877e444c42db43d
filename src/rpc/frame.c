/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/frame.h"

#include <string.h>

#include "remote.h"

/* libvirt's virErrorLevel "error". */
#define LEVEL_ERROR 2

void
xf_wire_error_clear (XfWireError *error)
{
  g_clear_pointer (&error->message, g_free);
  g_clear_pointer (&error->detail, g_free);
}

static void
put_u32 (guint8 *out, guint32 value)
{
  value = GUINT32_TO_BE (value);
  memcpy (out, &value, sizeof (value));
}

static guint32
get_u32 (const guint8 *in)
{
  guint32 value;

  memcpy (&value, in, sizeof (value));
  return GUINT32_FROM_BE (value);
}

void
xf_frame_put_header (const XfFrameHeader *header, guint8 out[XF_FRAME_HEADER])
{
  put_u32 (out, header->length);
  put_u32 (out + 4, header->program);
  put_u32 (out + 8, header->version);
  put_u32 (out + 12, header->procedure);
  put_u32 (out + 16, header->type);
  put_u32 (out + 20, header->serial);
  put_u32 (out + 24, header->status);
}

gboolean
xf_frame_get_header (const guint8 in[XF_FRAME_HEADER], XfFrameHeader *header_out)
{
  *header_out = (XfFrameHeader){
    .length = get_u32 (in),
    .program = get_u32 (in + 4),
    .version = get_u32 (in + 8),
    .procedure = get_u32 (in + 12),
    .type = get_u32 (in + 16),
    .serial = get_u32 (in + 20),
    .status = get_u32 (in + 24),
  };
  return header_out->length >= XF_FRAME_HEADER && header_out->length <= XF_FRAME_MAX;
}

GBytes *
xf_frame_empty (XfFrameHeader *header)
{
  guint8 *frame = g_malloc (XF_FRAME_HEADER);

  header->length = XF_FRAME_HEADER;
  xf_frame_put_header (header, frame);
  return g_bytes_new_take (frame, XF_FRAME_HEADER);
}

GBytes *
xf_frame_encode (XfFrameHeader *header, xdrproc_t xdr, gconstpointer value)
{
  gulong size = xdr_sizeof (xdr, (gpointer)value);
  g_autofree guint8 *frame = NULL;
  XDR stream;
  gboolean encoded;

  if (size > XF_FRAME_MAX - XF_FRAME_HEADER)
    return NULL;
  frame = g_malloc0 (XF_FRAME_HEADER + size);
  header->length = XF_FRAME_HEADER + size;
  xf_frame_put_header (header, frame);
  xdrmem_create (&stream, (char *)frame + XF_FRAME_HEADER, size, XDR_ENCODE);
  encoded = xdr (&stream, (gpointer)value);
  xdr_destroy (&stream);
  if (!encoded)
    return NULL;
  return g_bytes_new_take (g_steal_pointer (&frame), header->length);
}

gboolean
xf_frame_decode (GBytes *payload, xdrproc_t xdr, gpointer value)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (payload, &size);
  XDR stream;
  gboolean decoded;

  /* XDR_DECODE only reads; its prototype has no const. */
  xdrmem_create (&stream, (char *)data, size, XDR_DECODE);
  decoded = xdr (&stream, value);
  xdr_destroy (&stream);
  return decoded;
}

GBytes *
xf_frame_encode_error (XfFrameHeader *header, const XfWireError *error)
{
  xf_error wire = { .code = error->code, .domain = error->domain, .level = LEVEL_ERROR, .int1 = -1, .int2 = -1 };
  xf_string message = error->message, format = error->format, detail = error->detail;

  wire.message = error->message ? &message : NULL;
  wire.str1 = error->format ? &format : NULL;
  wire.str2 = error->detail ? &detail : NULL;
  header->status = XF_FRAME_ERROR;
  return xf_frame_encode (header, (xdrproc_t)xdr_xf_error, &wire);
}

gboolean
xf_frame_decode_error (GBytes *payload, XfWireError *error_out)
{
  xf_error wire = { 0 };
  gboolean decoded = xf_frame_decode (payload, (xdrproc_t)xdr_xf_error, &wire);

  *error_out = (XfWireError){ 0 };
  if (decoded) {
    error_out->code = wire.code;
    error_out->domain = wire.domain;
    error_out->message = g_strdup (wire.message ? *wire.message : "the peer gave no reason");
  }
  xdr_free ((xdrproc_t)xdr_xf_error, &wire);
  return decoded;
}
