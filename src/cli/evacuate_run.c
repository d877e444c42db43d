/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The migrations of an evacuation: several at a time, then the heavy guests one after another. Each is one peer-to-peer
 * PERFORM on the connection of this command, so the daemon rolls all of them back if this program dies. A guest whose
 * migration has failed is tried at its other destinations. After a failure the next guest for the same destination is
 * checked before it is touched, so a host that has died costs one failed migration for each that was under way.
 *
 * SIGINT, SIGTERM and SIGHUP: no migration begins any more, and those that run are aborted. A migration that cannot be
 * aborted any more is waited for.
 */
#include <libvirt/libvirt.h>

#include "base/error.h"
#include "cli/evacuate.h"
#include "cli/findings.h"

#define PROGRESS_S 5
#define ABORT_AGAIN_MS 500

/* A destination is given up after so many checks that it has not answered. */
#define SILENT_MAX 2

/* One call about a guest. */
typedef struct {
  XfEvacuation *evacuation;
  XfMove *move;
} Task;

static void start_some (XfEvacuation *evacuation);

static Task *
task_new (XfEvacuation *evacuation, XfMove *move)
{
  Task *task = g_new0 (Task, 1);

  *task = (Task){ evacuation, move };
  return task;
}

static const char *
name_of (const XfMove *move)
{
  return move->guest->name;
}

static const char *
host_of (const XfEvacuation *evacuation, const XfMove *move)
{
  return xf_evacuate_destination (evacuation, move->destination)->host;
}

/* ---- the end of one migration ----------------------------------------------------------------------------- */

static void
give_room_back (XfEvacuation *evacuation, XfMove *move)
{
  xf_evacuate_destination (evacuation, move->destination)->room_kib += (gint64)move->guest->memory_kib;
}

/* It did not go there, and may go elsewhere. */
static void
try_elsewhere (XfEvacuation *evacuation, XfMove *move)
{
  move->tried[move->destination] = TRUE;
  give_room_back (evacuation, move);
  move->state = XF_MOVE_WAITS;
  move->began_us = 0;
  if (!evacuation->interrupted && xf_evacuate_choose (evacuation, move))
    xf_evacuate_say (evacuation, "%s: next destination %s", name_of (move), host_of (evacuation, move));
  else
    move->state = XF_MOVE_STAYS;
}

static void
arrived (XfEvacuation *evacuation, XfMove *move)
{
  move->state = XF_MOVE_DONE;
  move->seconds = (double)(g_get_monotonic_time () - move->began_us) / G_USEC_PER_SEC;
  xf_evacuate_destination (evacuation, move->destination)->doubted = FALSE;
  xf_evacuate_say (evacuation, "%s: arrived on %s after %.1f s%s", name_of (move), host_of (evacuation, move),
                   move->seconds,
                   move->guest->autostart ? "; it is not marked for autostart there (virsh autostart)" : "");
}

static void
failed (XfEvacuation *evacuation, XfMove *move, const GError *error)
{
  xf_evacuate_say (evacuation, "%s: did not go to %s: %s", name_of (move), host_of (evacuation, move), error->message);
  xf_evacuate_add_reason (move, move->destination, "", move->aborted ? "aborted" : "migration", error->message);
  if (xf_connection_is_lost (evacuation->connection)) {
    move->state = XF_MOVE_UNKNOWN;
    return;
  }
  /* An administrator has aborted it, here or with virsh: then it stays. */
  if (move->aborted || error->code == XF_ERROR_ABORTED) {
    move->state = XF_MOVE_STAYS;
    return;
  }
  xf_evacuate_destination (evacuation, move->destination)->doubted = TRUE;
  try_elsewhere (evacuation, move);
}

static void
performed (gconstpointer ret, const GError *error, gpointer data)
{
  g_autofree Task *task = data;
  XfEvacuation *evacuation = task->evacuation;

  evacuation->n_running--;
  if (error)
    failed (evacuation, task->move, error);
  else
    arrived (evacuation, task->move);
  start_some (evacuation);
}

/* ---- beginning -------------------------------------------------------------------------------------------- */

static void
perform (XfEvacuation *evacuation, XfMove *move)
{
  gboolean live = move->ways[move->destination] == XF_WAY_LIVE;
  xf_string uri = xf_evacuate_destination (evacuation, move->destination)->uri;
  xf_perform_args args = { .dom = xf_guests_dom (move->guest),
                           .dconnuri = &uri,
                           .flags = xf_evacuate_flags (evacuation, move, live) };

  move->began_us = g_get_monotonic_time ();
  xf_evacuate_say (evacuation, "%s: begins to move to %s%s%s", name_of (move), host_of (evacuation, move),
                   live ? "" : ", suspended", move->alone ? ", alone" : "");
  xf_connection_start (
    evacuation->connection,
    XF_CONNECTION_CALL (XF_REMOTE_PROGRAM, DOMAIN_MIGRATE_PERFORM3_PARAMS, xf_perform_args, xf_cookie_ret), &args,
    performed, task_new (evacuation, move));
}

static const XfCheckFinding *
first_blocker (const GPtrArray *findings)
{
  for (guint i = 0; i < findings->len; i++) {
    const XfCheckFinding *finding = findings->pdata[i];

    if (finding->blocks)
      return finding;
  }
  return NULL;
}

/* The answer of a check before a guest goes to a destination that has failed. */
static void
checked_again (GPtrArray *list, const GError *error, gpointer data)
{
  g_autofree Task *task = data;
  g_autoptr (GPtrArray) findings = list;
  XfEvacuation *evacuation = task->evacuation;
  XfMove *move = task->move;
  XfDestination *destination = xf_evacuate_destination (evacuation, move->destination);
  const XfCheckFinding *blocker = findings ? first_blocker (findings) : NULL;

  if (findings && !blocker && !evacuation->interrupted) {
    destination->doubted = FALSE;
    destination->silent = 0;
    perform (evacuation, move);
    return;
  }
  evacuation->n_running--;
  /* A daemon there that cannot answer for one guest may do so for the next one. */
  if (blocker && g_str_equal (blocker->resource, "destination") && ++destination->silent >= SILENT_MAX
      && !destination->down) {
    destination->down = g_strdup (blocker->text);
    xf_evacuate_say (evacuation, "destination %s is given up: %s", destination->host, blocker->text);
  }
  if (blocker)
    xf_evacuate_add_reason (move, move->destination, blocker->host, blocker->resource, blocker->text);
  else if (error)
    xf_evacuate_add_reason (move, move->destination, "", "check", error->message);
  try_elsewhere (evacuation, move);
  start_some (evacuation);
}

static void
check_again (XfEvacuation *evacuation, XfMove *move)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();
  gboolean live = move->ways[move->destination] == XF_WAY_LIVE;

  xf_findings_ask (evacuation->connection, move->guest->uuid,
                   xf_evacuate_destination (evacuation, move->destination)->uri, params,
                   xf_evacuate_flags (evacuation, move, live), checked_again, task_new (evacuation, move));
}

static void
start (XfEvacuation *evacuation, XfMove *move)
{
  move->state = XF_MOVE_RUNS;
  evacuation->n_running++;
  if (xf_evacuate_destination (evacuation, move->destination)->doubted)
    check_again (evacuation, move);
  else
    perform (evacuation, move);
}

/* Guests whose destination was given up after they were planned. */
static void
leave_destinations_that_are_down (XfEvacuation *evacuation)
{
  for (guint i = 0; i < evacuation->moves->len; i++) {
    XfMove *move = evacuation->moves->pdata[i];
    const XfDestination *destination;

    if (move->state != XF_MOVE_WAITS || move->destination == XF_NO_DESTINATION)
      continue;
    destination = xf_evacuate_destination (evacuation, move->destination);
    if (!destination->down)
      continue;
    xf_evacuate_add_reason (move, move->destination, destination->host, "destination", destination->down);
    try_elsewhere (evacuation, move);
  }
}

static XfMove *
next (const XfEvacuation *evacuation, gboolean alone)
{
  for (guint i = 0; i < evacuation->moves->len; i++) {
    XfMove *move = evacuation->moves->pdata[i];

    if (move->state == XF_MOVE_WAITS && move->destination != XF_NO_DESTINATION && move->alone == alone)
      return move;
  }
  return NULL;
}

static void
start_some (XfEvacuation *evacuation)
{
  XfMove *move;

  leave_destinations_that_are_down (evacuation);
  while (!evacuation->interrupted && !xf_connection_is_lost (evacuation->connection)
         && evacuation->n_running < evacuation->jobs && (move = next (evacuation, FALSE)))
    start (evacuation, move);
  if (!evacuation->interrupted && !xf_connection_is_lost (evacuation->connection) && evacuation->n_running == 0
      && (move = next (evacuation, TRUE)))
    start (evacuation, move);
  if (evacuation->n_running == 0)
    g_main_loop_quit (evacuation->loop);
}

/* ---- while they run --------------------------------------------------------------------------------------- */

static void
aborted (gconstpointer ret, const GError *error, gpointer data)
{
  /* A job that has not begun, or cannot be aborted any more: it is tried again until the migration ends. */
}

static void
progress (gconstpointer ret, const GError *error, gpointer data)
{
  g_autofree Task *task = data;
  const xf_job_info_ret *info = ret;

  if (error || task->move->state != XF_MOVE_RUNS || info->type == VIR_DOMAIN_JOB_NONE || info->data_total == 0)
    return;
  xf_evacuate_say (task->evacuation, "%s: %.0f %%, %" G_GUINT64_FORMAT " MiB of %" G_GUINT64_FORMAT " MiB remain",
                   name_of (task->move),
                   100.0 * (1.0 - MIN (1.0, (double)info->data_remaining / (double)info->data_total)),
                   (guint64)info->data_remaining >> 20, (guint64)info->data_total >> 20);
}

static void
for_each_running (XfEvacuation *evacuation, void (*act) (XfEvacuation *evacuation, XfMove *move))
{
  for (guint i = 0; i < evacuation->moves->len; i++) {
    XfMove *move = evacuation->moves->pdata[i];

    if (move->state == XF_MOVE_RUNS && move->began_us > 0)
      act (evacuation, move);
  }
}

static void
ask_progress (XfEvacuation *evacuation, XfMove *move)
{
  xf_dom_args args = { xf_guests_dom (move->guest) };

  xf_connection_start (evacuation->connection,
                       XF_CONNECTION_CALL (XF_REMOTE_PROGRAM, DOMAIN_GET_JOB_INFO, xf_dom_args, xf_job_info_ret), &args,
                       progress, task_new (evacuation, move));
}

static gboolean
tick (gpointer data)
{
  for_each_running (data, ask_progress);
  return G_SOURCE_CONTINUE;
}

static void
abort_one (XfEvacuation *evacuation, XfMove *move)
{
  xf_dom_args args = { xf_guests_dom (move->guest) };

  move->aborted = TRUE;
  xf_connection_start (evacuation->connection,
                       XF_CONNECTION_CALL (XF_REMOTE_PROGRAM, DOMAIN_ABORT_JOB, xf_dom_args, xf_void), &args, aborted,
                       NULL);
}

static gboolean
abort_when_interrupted (gpointer data)
{
  XfEvacuation *evacuation = data;

  if (evacuation->interrupted)
    for_each_running (evacuation, abort_one);
  return G_SOURCE_CONTINUE;
}

void
xf_evacuate_run (XfEvacuation *evacuation)
{
  guint tick_id = g_timeout_add_seconds (PROGRESS_S, tick, evacuation);
  guint abort_id = g_timeout_add (ABORT_AGAIN_MS, abort_when_interrupted, evacuation);

  evacuation->loop = g_main_loop_new (NULL, FALSE);
  start_some (evacuation);
  if (evacuation->n_running > 0)
    g_main_loop_run (evacuation->loop);
  g_clear_pointer (&evacuation->loop, g_main_loop_unref);
  g_source_remove (tick_id);
  g_source_remove (abort_id);
}

void
xf_evacuate_interrupt (XfEvacuation *evacuation)
{
  evacuation->interrupted = TRUE;
  xf_evacuate_say (evacuation, "interrupted: no further migration begins; aborting those that run (%u)",
                   evacuation->n_running);
  for_each_running (evacuation, abort_one);
}
