/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pump/turns.h"

XfChannel *
xf_turns_channel (XfTurns *turns, gsize *most_out)
{
  *most_out = turns->n > 1 ? XF_FRAME_CONTENT - turns->used : G_MAXINT32;
  return &turns->channels[turns->at];
}

void
xf_turns_moved (XfTurns *turns, gsize size)
{
  if (turns->n == 1)
    return;
  turns->used += size;
  g_assert (turns->used <= XF_FRAME_CONTENT);
  if (turns->used == XF_FRAME_CONTENT) {
    turns->used = 0;
    turns->at = (turns->at + 1) % turns->n;
  }
}
