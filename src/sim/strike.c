/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Stops or kills a daemon where the control file says. A test waits for a stopped process, acts, and continues it, so
 * it needs no sleep. base/watch.h announces the places: each move of a state machine, and each named point. Does not
 * use the simulated Xen: the tests on the real one use it too.
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

/* Reads guest and side from "migration UUID of 'NAME', SIDE". Another form has no guest; all of it is the side. */
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

/* Both signals hit the whole process, whichever thread runs; when raise() returns, a test has continued it. */
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
