/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What an evacuation must know before it plans: the free memory of each destination, the guests of this host, and for
 * each pair of them what blocks the migration. The checks change nothing on either host. A few of them are under way at
 * a time, because each may run programs on both hosts.
 */
#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "cli/evacuate.h"
#include "cli/findings.h"

#define CHECKS_AT_ONCE 8

/* ---- destinations ----------------------------------------------------------------------------------------- */

static void
take_memory (gconstpointer ret, gpointer data)
{
  *(guint64 *)data = ((const xf_u64_ret *)ret)->value / 1024;
}

static gboolean
ask_memory (XfDestination *destination, GError **error)
{
  g_autoptr (XfConnection) connection = xf_connection_new_uri (destination->uri, error);
  xf_void nothing = { 0 };

  return connection && xf_connection_open (connection, TRUE, error)
         && xf_connection_call (connection,
                                XF_CONNECTION_CALL (XF_REMOTE_PROGRAM, NODE_GET_FREE_MEMORY, xf_void, xf_u64_ret),
                                XF_CONNECTION_TIMEOUT_S, &nothing, take_memory, &destination->free_kib, error);
}

gboolean
xf_evacuate_survey_destinations (XfEvacuation *evacuation, GError **error)
{
  g_autoptr (GString) all = g_string_new (NULL);
  guint n = 0;

  for (guint i = 0; i < evacuation->destinations->len; i++) {
    XfDestination *destination = xf_evacuate_destination (evacuation, i);
    g_autoptr (GError) failed = NULL;

    g_clear_pointer (&destination->down, g_free);
    if (ask_memory (destination, &failed)) {
      destination->room_kib = (gint64)MIN (destination->free_kib, G_MAXINT64);
      n++;
      continue;
    }
    destination->down = g_strdup (failed->message);
    xf_evacuate_say (evacuation, "destination %s: %s", destination->uri, failed->message);
    g_string_append_printf (all, "%s%s: %s", all->len ? "; " : "", destination->uri, failed->message);
  }
  if (n == 0)
    g_set_error (error, XF_ERROR, XF_ERROR_NO_CONNECT, "no destination can be reached: %s", all->str);
  return n > 0;
}

/* ---- checks ----------------------------------------------------------------------------------------------- */

guint
xf_evacuate_flags (const XfEvacuation *evacuation, const XfMove *move, gboolean live)
{
  return VIR_MIGRATE_PEER2PEER | (live ? VIR_MIGRATE_LIVE : 0) | (evacuation->tunnelled ? VIR_MIGRATE_TUNNELLED : 0)
         | (evacuation->tls ? VIR_MIGRATE_TLS : 0)
         | (move->guest->persistent ? VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE : 0);
}

typedef struct {
  XfEvacuation *evacuation;
  GQueue waiting; /* of Check */
  guint under_way;
  GError *impossible; /* this daemon cannot check at all */
  gboolean abandoned; /* the answers are not waited for any more; the last one frees this */
} Checks;

/* First live; if that is blocked, not live. */
typedef struct {
  Checks *checks;
  XfMove *move;
  guint destination;
  gboolean live;
  GPtrArray *blocked; /* the findings of the live check */
} Check;

static void
checks_free (Checks *checks)
{
  g_clear_error (&checks->impossible);
  g_free (checks);
}

static void
check_free (Check *check)
{
  g_clear_pointer (&check->blocked, g_ptr_array_unref);
  g_free (check);
}

static void
add_blockers (Check *check, const GPtrArray *findings)
{
  for (guint i = 0; i < findings->len; i++) {
    const XfCheckFinding *finding = findings->pdata[i];

    if (finding->blocks)
      xf_evacuate_add_reason (check->move, check->destination, finding->host, finding->resource, finding->text);
  }
}

static void
judge_suspended (Check *check, const GPtrArray *findings)
{
  gboolean can = xf_findings_n_blocks (findings) == 0;

  if (can && check->checks->evacuation->allow_suspend) {
    check->move->ways[check->destination] = XF_WAY_SUSPENDED;
    return;
  }
  add_blockers (check, check->blocked);
  if (can)
    xf_evacuate_add_reason (check->move, check->destination, "", "live",
                            "it can go there suspended, without a live migration: --allow-suspend");
}

static void
checked (GPtrArray *findings, const GError *error, gpointer data)
{
  Check *check = data;
  Checks *checks = check->checks;

  checks->under_way--;
  if (checks->abandoned) {
    g_clear_pointer (&findings, g_ptr_array_unref);
    check_free (check);
    if (checks->under_way == 0)
      checks_free (checks);
    return;
  }
  if (error && error->code == XF_ERROR_NO_SUPPORT && !checks->impossible)
    checks->impossible = g_error_copy (error);
  if (!findings) {
    if (check->blocked)
      add_blockers (check, check->blocked);
    else
      xf_evacuate_add_reason (check->move, check->destination, "", "check", error->message);
  } else if (!check->live) {
    judge_suspended (check, findings);
  } else if (xf_findings_n_blocks (findings) == 0) {
    check->move->ways[check->destination] = XF_WAY_LIVE;
  } else {
    check->live = FALSE;
    check->blocked = findings;
    g_queue_push_head (&checks->waiting, check);
    return;
  }
  g_clear_pointer (&findings, g_ptr_array_unref);
  check_free (check);
}

static void
begin (Check *check)
{
  XfEvacuation *evacuation = check->checks->evacuation;
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();

  check->checks->under_way++;
  xf_findings_ask (evacuation->connection, check->move->guest->uuid,
                   xf_evacuate_destination (evacuation, check->destination)->uri, params,
                   xf_evacuate_flags (evacuation, check->move, check->live), checked, check);
}

/* Takes @checks. An interruption ends it at once: a check can take minutes. */
static gboolean
run_checks (Checks *checks, GError **error)
{
  gboolean possible;

  while (!checks->evacuation->interrupted && (checks->under_way > 0 || !g_queue_is_empty (&checks->waiting))) {
    while (checks->under_way < CHECKS_AT_ONCE && !g_queue_is_empty (&checks->waiting))
      begin (g_queue_pop_head (&checks->waiting));
    g_main_context_iteration (NULL, TRUE);
  }
  while (!g_queue_is_empty (&checks->waiting))
    check_free (g_queue_pop_head (&checks->waiting));
  possible = !checks->impossible;
  if (checks->impossible)
    g_propagate_error (error, g_steal_pointer (&checks->impossible));
  checks->abandoned = TRUE;
  if (checks->under_way == 0)
    checks_free (checks);
  return possible;
}

/* ---- guests ----------------------------------------------------------------------------------------------- */

static gboolean
is_known (const XfEvacuation *evacuation, const XfGuestFacts *guest)
{
  for (guint i = 0; i < evacuation->moves->len; i++) {
    const XfMove *move = evacuation->moves->pdata[i];

    if (memcmp (move->guest->uuid, guest->uuid, sizeof (guest->uuid)) == 0)
      return TRUE;
  }
  return FALSE;
}

static void
free_reason (gpointer data)
{
  XfMoveReason *reason = data;

  g_free (reason->host);
  g_free (reason->resource);
  g_free (reason->text);
  g_free (reason);
}

static XfMove *
move_new (const XfEvacuation *evacuation, XfGuestFacts *guest)
{
  XfMove *move = g_new0 (XfMove, 1);

  move->guest = guest;
  move->ways = g_new0 (XfWay, evacuation->destinations->len);
  move->tried = g_new0 (gboolean, evacuation->destinations->len);
  move->reasons = g_ptr_array_new_with_free_func (free_reason);
  move->destination = XF_NO_DESTINATION;
  return move;
}

static void
add_checks (XfEvacuation *evacuation, XfMove *move, Checks *checks)
{
  for (guint i = 0; i < evacuation->destinations->len; i++) {
    const XfDestination *destination = xf_evacuate_destination (evacuation, i);
    Check *check;

    if (destination->down) {
      xf_evacuate_add_reason (move, i, destination->host, "destination", destination->down);
      continue;
    }
    check = g_new0 (Check, 1);
    *check = (Check){ .checks = checks, .move = move, .destination = i, .live = TRUE };
    g_queue_push_tail (&checks->waiting, check);
  }
}

gboolean
xf_evacuate_survey_guests (XfEvacuation *evacuation, guint *n_out, GError **error)
{
  g_autoptr (GPtrArray) guests = xf_guests_running (evacuation->connection, error);
  Checks *checks;

  *n_out = 0;
  if (!guests)
    return FALSE;
  for (guint i = guests->len; i > 0; i--) {
    if (is_known (evacuation, guests->pdata[i - 1]))
      g_ptr_array_remove_index (guests, i - 1);
  }
  if (evacuation->last_alone && guests->len > 0 && !xf_guests_measure (evacuation->connection, guests, error))
    return FALSE;
  *n_out = guests->len;
  checks = g_new0 (Checks, 1);
  checks->evacuation = evacuation;
  while (guests->len > 0) {
    XfMove *move = move_new (evacuation, g_ptr_array_steal_index (guests, guests->len - 1));

    g_ptr_array_add (evacuation->moves, move);
    add_checks (evacuation, move, checks);
  }
  return run_checks (checks, error);
}
