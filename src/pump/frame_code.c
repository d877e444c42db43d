/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure functions on a frame's content: its checksum, and runs of zeros, which are most of a guest's memory.
 */
#include <string.h>
#include <xxhash.h>

#include "pump/frame_private.h"

guint64
xf_frame_hash (const XfFrameHeader *header, const guint8 *content)
{
  guint64 seed = XXH64 (header, FRAME_HASHED, 0);

  return XXH64 (content, GUINT32_FROM_LE (header->content), seed);
}

/* Zeros are searched in whole blocks: a page of zeros is found at any offset, except its two edges. */
#define BLOCK 64

static gboolean
block_is_zero (const guint8 *block)
{
  guint64 words[BLOCK / 8], all = 0;

  memcpy (words, block, BLOCK);
  for (guint i = 0; i < BLOCK / 8; i++)
    all |= words[i];
  return all == 0;
}

static gsize
zeros_at (const guint8 *content, gsize from, gsize size)
{
  gsize end = from;

  while (end + BLOCK <= size && block_is_zero (content + end))
    end += BLOCK;
  return end - from;
}

gsize
xf_frame_cut_zeros (const guint8 *content, gsize size, guint8 *body_out, guint64 *zeros)
{
  XfFrameRun runs[FRAME_RUNS_MAX];
  guint32 n = 0, n_le;
  gsize at = 0, literal = 0, out;

  while (at < size) {
    gsize run = zeros_at (content, at, size);

    if (run >= FRAME_ZERO_RUN) {
      runs[n++] = (XfFrameRun){ GUINT32_TO_LE ((guint32)(at - literal)), GUINT32_TO_LE ((guint32)run) };
      *zeros += run;
      literal = at + run;
    }
    at += MAX (run, BLOCK);
  }
  if (n == 0)
    return 0;
  if (literal < size)
    runs[n++] = (XfFrameRun){ GUINT32_TO_LE ((guint32)(size - literal)), 0 };
  n_le = GUINT32_TO_LE (n);
  memcpy (body_out, &n_le, sizeof (n_le));
  memcpy (body_out + sizeof (n_le), runs, n * sizeof (*runs));
  out = sizeof (n_le) + n * sizeof (*runs);
  at = 0;
  for (guint32 i = 0; i < n; i++) {
    memcpy (body_out + out, content + at, GUINT32_FROM_LE (runs[i].literal));
    out += GUINT32_FROM_LE (runs[i].literal);
    at += GUINT32_FROM_LE (runs[i].literal) + GUINT32_FROM_LE (runs[i].zeros);
  }
  return out;
}

gboolean
xf_frame_put_zeros (const guint8 *body, gsize length, guint8 *content_out, gsize size)
{
  XfFrameRun run;
  guint32 n;
  gsize at, out = 0;

  if (length < sizeof (n))
    return FALSE;
  memcpy (&n, body, sizeof (n));
  n = GUINT32_FROM_LE (n);
  if (n > FRAME_RUNS_MAX || length < sizeof (n) + n * sizeof (run))
    return FALSE;
  at = sizeof (n) + n * sizeof (run);
  for (guint32 i = 0; i < n; i++) {
    gsize literal, zeros;

    memcpy (&run, body + sizeof (n) + i * sizeof (run), sizeof (run));
    literal = GUINT32_FROM_LE (run.literal);
    zeros = GUINT32_FROM_LE (run.zeros);
    if (literal > length - at || literal > size - out || zeros > size - out - literal)
      return FALSE;
    memcpy (content_out + out, body + at, literal);
    memset (content_out + out + literal, 0, zeros);
    at += literal;
    out += literal + zeros;
  }
  return at == length && out == size;
}
