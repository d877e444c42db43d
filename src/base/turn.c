/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/turn.h"

#include <time.h>

#include "base/log.h"

/* One loop per process is measured, because poll functions have no data of their own. */
static struct {
  GPollFunc poll;
  gint64 began_us; /* of processor time; 0: no turn has begun */
  gint64 longest_us;
  const char *what;
  XfLogRate rate;
} turn;

static gint64
processor_us (void)
{
  struct timespec used = { 0 };

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &used);
  return used.tv_sec * G_USEC_PER_SEC + used.tv_nsec / 1000;
}

static void
judge (gint64 took_us)
{
  const char *what = turn.what ? turn.what : "no call";
  guint dropped;

  if (took_us > turn.longest_us) {
    turn.longest_us = took_us;
    g_debug ("the longest turn of the loop until now: %.1f ms of processor time (%s)", (double)took_us / 1000, what);
  }
  if (took_us > XF_TURN_SLOW_MS * 1000 && xf_log_rate_allows (&turn.rate, 1, &dropped))
    g_warning ("one turn of the loop used %" G_GINT64_FORMAT " ms of processor time, its last call was %s; all others "
               "waited (%u more such turns were not logged)",
               took_us / 1000, what, dropped);
}

static gint
measured_poll (GPollFD *fds, guint n, gint timeout)
{
  gint ready;

  if (turn.began_us)
    judge (processor_us () - turn.began_us);
  ready = turn.poll (fds, n, timeout);
  turn.what = NULL;
  turn.began_us = processor_us ();
  return ready;
}

void
xf_turn_watch (GMainContext *context)
{
  if (turn.poll)
    return;
  turn.poll = g_main_context_get_poll_func (context);
  g_main_context_set_poll_func (context, measured_poll);
}

void
xf_turn_note (const char *what)
{
  turn.what = what;
}

gint64
xf_turn_longest_us (void)
{
  return turn.longest_us;
}
