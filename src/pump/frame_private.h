/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The layout of frames, and the coding of their content (frame_code.c) in both directions. All numbers are little
 * endian.
 */
#pragma once

#include "pump/frame.h"

#define FRAME_VERSION 1
#define FRAME_MAGIC 0x52464658u /* "XFFR" */
#define FRAME_GREETING "XFERPUMP"
#define FRAME_HASHED offsetof (XfFrameHeader, hash)

/* First on each connection. */
typedef struct {
  char magic[8];
  guint16 version, flags, index, count;
  guint8 id[XF_FRAME_ID_SIZE];
} XfFrameGreeting;

enum { FRAME_DATA = 0, FRAME_END = 1 };
enum { FRAME_STORED = 0, FRAME_PACKED = 1 }; /* zstd */
enum { FRAME_HOLES = 1 };                    /* the body begins with a list of runs */

typedef struct {
  guint32 magic;
  guint8 kind, coding, flags, reserved;
  guint64 number;
  guint32 wire, content; /* bytes after this header, and of content */
  guint64 hash;          /* XXH64 of the content; its seed is the hash of this header up to here */
} XfFrameHeader;

/* A run: literal bytes, then zeros. Only FRAME_ZERO_RUN zeros or more become part of a run. */
#define FRAME_ZERO_RUN 512u
#define FRAME_RUNS_MAX (XF_FRAME_CONTENT / FRAME_ZERO_RUN + 1)
typedef struct {
  guint32 literal, zeros;
} XfFrameRun;

/* The largest body, before zstd and on the wire. */
#define FRAME_BODY_MAX (XF_FRAME_CONTENT + sizeof (guint32) + FRAME_RUNS_MAX * sizeof (XfFrameRun))

guint64 xf_frame_hash (const XfFrameHeader *header, const guint8 *content);

/* Removes runs of zeros from @content. @body_out: FRAME_BODY_MAX bytes. Returns the length, 0 when there is no run;
 * adds to *@zeros. */
gsize xf_frame_cut_zeros (const guint8 *content, gsize size, guint8 *body_out, guint64 *zeros);

/* The inverse; FALSE when the list does not produce exactly @size bytes. */
gboolean xf_frame_put_zeros (const guint8 *body, gsize length, guint8 *content_out, gsize size);
