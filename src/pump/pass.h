/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The stages put together, and the bytes through them:
 *
 *   in (TLS) ─► frames off ─► guard ─► frames on ─► out (TLS)
 *
 * Each but the two ends may be missing. Where two plain descriptors meet and one is a pipe, bytes that nobody looks at
 * move inside the kernel.
 */
#pragma once

#include "pump/guard.h"
#include "pump/turns.h"

typedef struct XfLegs XfLegs;

typedef struct {
  XfPumpLoop loop;
  XfTurns in, out;
  XfLegs *legs_in, *legs_out; /* whose pipes those are; NULL: nobody's */
  XfFrameReader *reader;      /* NULL: no frames come in */
  XfFrameWriter *writer;      /* NULL: none go out */
  XfGuard *guard;             /* NULL: nobody looks */
  guint8 *buffer;             /* XF_PASS_BUFFER */
} XfPass;

#define XF_PASS_BUFFER XF_FRAME_CONTENT

/* @pass belongs to the caller; what it points to is freed, its channels are closed. */
void xf_pass_clear (XfPass *pass);

/* Moves the stream from its beginning to its end. FALSE with @error when it must not be used: what went out already is
 * not complete then, and never has an END. */
gboolean xf_pass_run (XfPass *pass, GError **error);
