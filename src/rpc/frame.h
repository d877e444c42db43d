/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Frames of libvirt's RPC: 28 bytes of header, then a payload. Pure functions. The layouts: docs/wire.md, Frames;
 * docs/wire.md, Errors.
 */
#pragma once

#include <glib.h>
#include <rpc/types.h>
#include <rpc/xdr.h>

#define XF_FRAME_HEADER 28
#define XF_FRAME_MAX (32 * 1024 * 1024 + 4)
#define XF_FRAME_MAX_FDS 32

typedef enum {
  XF_FRAME_CALL,
  XF_FRAME_REPLY,
  XF_FRAME_MESSAGE,
  XF_FRAME_STREAM,
  XF_FRAME_CALL_WITH_FDS,
  XF_FRAME_REPLY_WITH_FDS,
  XF_FRAME_STREAM_HOLE,
} XfFrameType;

typedef enum { XF_FRAME_OK, XF_FRAME_ERROR, XF_FRAME_CONTINUE } XfFrameStatus;

typedef struct {
  guint32 length; /* of the whole frame */
  guint32 program;
  guint32 version;
  gint32 procedure;
  guint32 type;
  guint32 serial;
  guint32 status;
} XfFrameHeader;

/* An error on the wire, with libvirt's numbers. */
typedef struct {
  int code;
  int domain;
  char *message; /* owned */
  char *format;  /* str1: the message's pattern, "operation failed: %s", or NULL; not owned */
  char *detail;  /* str2: the text for %s; owned, or NULL */
} XfWireError;

void xf_wire_error_clear (XfWireError *error);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (XfWireError, xf_wire_error_clear)

void xf_frame_put_header (const XfFrameHeader *header, guint8 out[XF_FRAME_HEADER]);

/* Reads a header; FALSE when no frame can have that length. */
gboolean xf_frame_get_header (const guint8 in[XF_FRAME_HEADER], XfFrameHeader *header_out);

/* A complete frame with @value encoded as its payload; sets the length of @header. NULL when @value cannot be encoded:
 * larger than a frame may be, or beyond a limit of the .x file. */
GBytes *xf_frame_encode (XfFrameHeader *header, xdrproc_t xdr, gconstpointer value);

/* A frame without payload. */
GBytes *xf_frame_empty (XfFrameHeader *header);

/* Decodes a payload into @value (zeroed by the caller; xdr_free() it in any case). */
gboolean xf_frame_decode (GBytes *payload, xdrproc_t xdr, gpointer value);

/* An error reply or stream error. */
GBytes *xf_frame_encode_error (XfFrameHeader *header, const XfWireError *error);
gboolean xf_frame_decode_error (GBytes *payload, XfWireError *error_out);
