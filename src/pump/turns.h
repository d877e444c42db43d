/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One stream over several channels: 256 KiB on each in turn, the content of a frame. So every place of the stream
 * belongs to one channel, and nobody has to say which. With one channel there are no turns.
 */
#pragma once

#include "pump/frame.h"

typedef struct {
  XfChannel channels[XF_FRAME_CONNECTIONS_MAX];
  guint n, at; /* how many, whose turn it is */
  gsize used;  /* bytes of this turn */
} XfTurns;

/* Whose turn it is; it ends after *@most_out more bytes. */
XfChannel *xf_turns_channel (XfTurns *turns, gsize *most_out);
void xf_turns_moved (XfTurns *turns, gsize size);
