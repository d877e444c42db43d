/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The stages in their order, and the movement of bytes through them:
 *
 *   in (TLS) ─► frames off ─► guard ─► frames on ─► out (TLS)
 *
 * Each stage except input and output may be missing. Between two plain descriptors of which one is a pipe, bytes that
 * no stage must see are moved inside the kernel.
 */
#pragma once

#include "pump/guard.h"
#include "pump/turns.h"

typedef struct XfLegs XfLegs;

typedef struct {
  XfPumpLoop loop;
  XfTurns in, out;
  XfLegs *legs_in, *legs_out; /* the legs at the other ends of the pipes; NULL: none */
  XfFrameReader *reader;      /* NULL: the input has no frames */
  XfFrameWriter *writer;      /* NULL: the output has no frames */
  XfGuard *guard;             /* NULL: no check */
  guint8 *buffer;             /* XF_PASS_BUFFER */
} XfPass;

#define XF_PASS_BUFFER XF_FRAME_CONTENT

/* Frees everything that @pass points to, and closes its channels; the caller owns @pass itself. */
void xf_pass_clear (XfPass *pass);

/* Moves the whole stream. FALSE with @error when the stream must not be used: the output is then incomplete, and never
 * has an END frame. */
gboolean xf_pass_run (XfPass *pass, GError **error);
