/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which guest goes where, and when. The largest guest chooses first, because it fits into the fewest places: the
 * destination with the most room. The smallest guest begins first, so that few guests are left if there is not enough
 * time for all. No input or output.
 */
#include <string.h>

#include "cli/evacuate.h"

/* With --last-alone, a guest that is this much heavier than the middle one moves alone. */
#define HEAVY 2.0

/* What a guest costs: its memory, and again for each processor that writes to it meanwhile. */
static double
weight (const XfMove *move)
{
  return (double)move->guest->memory_kib * (1.0 + move->guest->busy);
}

static int
by_weight (gconstpointer a, gconstpointer b)
{
  const XfMove *first = *(XfMove *const *)a, *second = *(XfMove *const *)b;
  double difference = weight (first) - weight (second);

  if (difference != 0)
    return difference < 0 ? -1 : 1;
  return strcmp (first->guest->name, second->guest->name);
}

static gboolean
may_go (const XfEvacuation *evacuation, const XfMove *move, guint i)
{
  return !xf_evacuate_destination (evacuation, i)->down && move->ways[i] != XF_WAY_NONE && !move->tried[i];
}

/* Is destination @i better for it than @j? Room before none, then live before suspended, then the most room. */
static gboolean
is_better (const XfEvacuation *evacuation, const XfMove *move, guint i, guint j)
{
  gint64 room_i = xf_evacuate_destination (evacuation, i)->room_kib;
  gint64 room_j = xf_evacuate_destination (evacuation, j)->room_kib;
  gint64 need = (gint64)move->guest->memory_kib;

  if ((room_i >= need) != (room_j >= need))
    return room_i >= need;
  if (move->ways[i] != move->ways[j])
    return move->ways[i] == XF_WAY_LIVE;
  return room_i > room_j;
}

gboolean
xf_evacuate_choose (XfEvacuation *evacuation, XfMove *move)
{
  guint best = XF_NO_DESTINATION;
  XfDestination *chosen;

  for (guint i = 0; i < evacuation->destinations->len; i++) {
    if (may_go (evacuation, move, i) && (best == XF_NO_DESTINATION || is_better (evacuation, move, i, best)))
      best = i;
  }
  move->destination = best;
  if (best == XF_NO_DESTINATION)
    return FALSE;
  chosen = xf_evacuate_destination (evacuation, best);
  move->tight = chosen->room_kib < (gint64)move->guest->memory_kib;
  chosen->room_kib -= (gint64)move->guest->memory_kib;
  return TRUE;
}

static gboolean
is_open (const XfMove *move)
{
  return move->state == XF_MOVE_WAITS && move->destination == XF_NO_DESTINATION;
}

static void
mark_heavy (XfEvacuation *evacuation)
{
  g_autoptr (GPtrArray) planned = g_ptr_array_new ();
  double middle;

  for (guint i = 0; i < evacuation->moves->len; i++) {
    XfMove *move = evacuation->moves->pdata[i];

    if (move->state == XF_MOVE_WAITS)
      g_ptr_array_add (planned, move);
  }
  if (planned->len == 0)
    return;
  /* The array of moves, and so this one, is sorted by weight. */
  middle = weight (planned->pdata[(planned->len - 1) / 2]);
  for (guint i = 0; i < planned->len; i++)
    ((XfMove *)planned->pdata[i])->alone = weight (planned->pdata[i]) > HEAVY * middle;
}

void
xf_evacuate_plan (XfEvacuation *evacuation)
{
  g_ptr_array_sort (evacuation->moves, by_weight);
  for (guint i = evacuation->moves->len; i > 0; i--) {
    XfMove *move = evacuation->moves->pdata[i - 1];

    if (is_open (move) && !xf_evacuate_choose (evacuation, move))
      move->state = XF_MOVE_STAYS;
  }
  if (evacuation->last_alone)
    mark_heavy (evacuation);
}
