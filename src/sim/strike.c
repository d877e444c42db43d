/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A daemon is stopped or killed where the control file says; the test sees a stopped process, does its deed and
 * continues it; nobody sleeps for anything. Where that can be is what base/watch.h announces: every move of a state
 * machine, and the points that have a name. Needs nothing of the simulated Xen: the tests on the real one use it too.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/watch.h"
#include "sim/strike.h"

const char *
sim_dir (void)
{
  const char *dir = host_dir ();

  if (!dir) {
    fprintf (stderr, "the simulated Xen host needs XF_SIM_HOST, the name of its directory\n");
    abort ();
  }
  return dir;
}

/* Whose machine it is, and which: "migration UUID of 'NAME', SIDE". Of another form: nobody's, and the whole. */
static void
read_machine (const char *id, char **name_out, char **side_out)
{
  const char *name = strstr (id, " of '"), *side = g_strrstr (id, "', ");

  if (name && side && name + 5 <= side) {
    *name_out = g_strndup (name + 5, side - (name + 5));
    *side_out = g_strdup (side + 3);
  } else {
    *name_out = NULL;
    *side_out = g_strdup (id);
  }
  g_strdelimit (*side_out, " ,", '-');
}

guint32
sim_count_call (const char *call)
{
  gboolean fails;
  guint32 number = host_calls_add (sim_dir (), &fails);

  if (!fails)
    return 0;
  host_trace (sim_dir (), "failed call %u %s", number, call);
  return number;
}

/* Both are of the whole process, whatever the thread; when raise() returns, it has been continued. */
static void
strike (const char *dir, const char *name, const char *point)
{
  if (host_control_strikes (dir, name, "die", point)) {
    host_trace (dir, "died at %s", point);
    raise (SIGKILL);
  }
  if (host_control_strikes (dir, name, "stop", point)) {
    host_trace (dir, "stopped at %s", point);
    raise (SIGSTOP);
  }
}

void
xf_sm_watcher (const char *id, const char *from, const char *to)
{
  g_autofree char *name = NULL, *side = NULL, *point = NULL;
  g_autofree char *from_word = g_strdelimit (g_strdup (from), " ", '-');
  g_autofree char *to_word = g_strdelimit (g_strdup (to), " ", '-');

  read_machine (id, &name, &side);
  host_trace (sim_dir (), "move %s %s %s -> %s", name ? name : "-", side, from_word, to_word);
  point = g_strdup_printf ("%s:%s->%s", side, from_word, to_word);
  strike (sim_dir (), name, point);
}

char *
xf_watcher_boot_id (void)
{
  return host_boot_id (sim_dir ());
}

int
xf_watcher_point (const char *point)
{
  guint32 number;

  strike (sim_dir (), NULL, point);
  host_pause_at (sim_dir (), NULL, point);
  number = sim_count_call (point);
  if (number == 0)
    return 0;
  g_message (SIM_FAILURE_FORMAT, number, point);
  return EIO;
}
