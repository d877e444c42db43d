/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One stream over several channels: 256 KiB, the content of one frame, on each in turn. So the position of a byte in
 * the stream determines its channel, and no message has to say which. One channel carries the whole stream.
 */
#pragma once

#include "pump/frame.h"

typedef struct {
  XfChannel channels[XF_FRAME_CONNECTIONS_MAX];
  guint n, at; /* number of channels; the current one */
  gsize used;  /* bytes of the current turn */
} XfTurns;

/* The current channel; its turn ends after *@most_out more bytes. */
XfChannel *xf_turns_channel (XfTurns *turns, gsize *most_out);
void xf_turns_moved (XfTurns *turns, gsize size);
