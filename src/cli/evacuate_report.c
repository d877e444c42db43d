/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What an evacuation prints: progress while it runs, the plan, and at the end which guests are left and why. With
 * --json standard output has one object, and progress goes to standard error. docs/xenferry.1.md describes the members.
 */
#include <stdio.h>

#include "cli/evacuate.h"
#include "cli/output.h"

void
xf_evacuate_say (const XfEvacuation *evacuation, const char *format, ...)
{
  FILE *out = evacuation->json ? stderr : stdout;
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  fprintf (out, "%s\n", text);
  fflush (out);
}

static gboolean
is_planned (const XfMove *move)
{
  return move->state == XF_MOVE_WAITS && move->destination != XF_NO_DESTINATION;
}

/* Runs here, as far as this program knows. */
static gboolean
is_here (const XfMove *move)
{
  return move->state != XF_MOVE_DONE && move->state != XF_MOVE_GONE;
}

gboolean
xf_evacuate_can_all (const XfEvacuation *evacuation)
{
  for (guint i = 0; i < evacuation->moves->len; i++) {
    if (!is_planned (evacuation->moves->pdata[i]))
      return FALSE;
  }
  return TRUE;
}

/* ---- text ------------------------------------------------------------------------------------------------- */

static void
print_reasons (const XfEvacuation *evacuation, const XfMove *move)
{
  for (guint i = 0; i < move->reasons->len; i++) {
    const XfMoveReason *reason = move->reasons->pdata[i];
    gboolean has_host = *reason->host != '\0';

    printf ("    to %s: %s%s%s%s: %s\n", xf_evacuate_destination (evacuation, reason->destination)->host,
            has_host ? "host " : "", reason->host, has_host ? ", " : "", reason->resource, reason->text);
  }
}

static void
print_row (const XfEvacuation *evacuation, const XfMove *move)
{
  gboolean live = move->ways[move->destination] == XF_WAY_LIVE;

  printf ("  %-24s %8" G_GUINT64_FORMAT " MiB  %-9s to %s%s%s\n", move->guest->name, move->guest->memory_kib / 1024,
          live ? "live" : "suspended", xf_evacuate_destination (evacuation, move->destination)->uri,
          move->alone ? ", alone" : "", move->tight ? ", which may not have enough memory" : "");
}

static void
print_stays (const XfEvacuation *evacuation, const XfMove *move)
{
  printf ("  %s (%s)%s\n", move->guest->name, xf_guests_state_name (move->guest->state),
          move->state == XF_MOVE_UNKNOWN ? ": not known whether it is still here; see xenferry migrations"
          : move->reasons->len == 0      ? ": its migration was not begun"
                                         : ":");
  print_reasons (evacuation, move);
}

void
xf_evacuate_print_plan (const XfEvacuation *evacuation)
{
  guint n = 0;

  for (guint i = 0; i < evacuation->moves->len; i++)
    n += is_planned (evacuation->moves->pdata[i]) ? 1 : 0;
  printf ("%u of %u guests can move, %u at a time, in this order:\n", n, evacuation->moves->len, evacuation->jobs);
  for (int alone = FALSE; alone <= TRUE; alone++) {
    for (guint i = 0; i < evacuation->moves->len; i++) {
      const XfMove *move = evacuation->moves->pdata[i];

      if (is_planned (move) && move->alone == alone)
        print_row (evacuation, move);
    }
  }
  if (n < evacuation->moves->len)
    printf ("%u cannot:\n", evacuation->moves->len - n);
  for (guint i = 0; i < evacuation->moves->len; i++) {
    if (!is_planned (evacuation->moves->pdata[i]))
      print_stays (evacuation, evacuation->moves->pdata[i]);
  }
}

void
xf_evacuate_print_end (const XfEvacuation *evacuation)
{
  guint n_moved = 0;

  for (guint i = 0; i < evacuation->moves->len; i++)
    n_moved += ((XfMove *)evacuation->moves->pdata[i])->state == XF_MOVE_DONE ? 1 : 0;
  printf ("%u of %u guests have moved", n_moved, evacuation->moves->len);
  if (!evacuation->left_known)
    printf ("; the daemon cannot say how many are left\n");
  else if (evacuation->n_left == 0)
    printf ("; no guest runs on this host any more\n");
  else
    printf ("; %u left on this host:\n", evacuation->n_left);
  for (guint i = 0; i < evacuation->moves->len; i++) {
    const XfMove *move = evacuation->moves->pdata[i];

    if (is_here (move))
      print_stays (evacuation, move);
  }
  for (guint i = 0; i < evacuation->moves->len; i++) {
    const XfMove *move = evacuation->moves->pdata[i];

    if (move->state != XF_MOVE_GONE)
      continue;
    printf ("  %s is no longer on this host, although its migration did not succeed:\n", move->guest->name);
    print_reasons (evacuation, move);
  }
}

/* ---- JSON ------------------------------------------------------------------------------------------------- */

static const char *
result_of (const XfEvacuation *evacuation, const XfMove *move)
{
  switch (move->state) {
  case XF_MOVE_DONE:
    return "moved";
  case XF_MOVE_GONE:
    return "gone";
  case XF_MOVE_UNKNOWN:
    return "unknown";
  case XF_MOVE_WAITS:
  case XF_MOVE_RUNS:
    return evacuation->dry_run && is_planned (move) ? "planned" : "left";
  case XF_MOVE_STAYS:
    break;
  }
  return "left";
}

static void
put_reasons (yajl_gen json, const XfEvacuation *evacuation, const XfMove *move)
{
  xf_output_key (json, "reasons");
  yajl_gen_array_open (json);
  for (guint i = 0; i < move->reasons->len; i++) {
    const XfMoveReason *reason = move->reasons->pdata[i];

    yajl_gen_map_open (json);
    xf_output_text (json, "destination", xf_evacuate_destination (evacuation, reason->destination)->uri);
    xf_output_text (json, "host", *reason->host ? reason->host : NULL);
    xf_output_text (json, "resource", reason->resource);
    xf_output_text (json, "text", reason->text);
    yajl_gen_map_close (json);
  }
  yajl_gen_array_close (json);
}

static void
put_move (yajl_gen json, const XfEvacuation *evacuation, const XfMove *move)
{
  gboolean to = move->destination != XF_NO_DESTINATION;

  yajl_gen_map_open (json);
  xf_output_text (json, "name", move->guest->name);
  xf_output_uuid (json, "uuid", move->guest->uuid);
  xf_output_number (json, "memory_kib", move->guest->memory_kib);
  xf_output_text (json, "result", result_of (evacuation, move));
  xf_output_text (json, "state", is_here (move) ? xf_guests_state_name (move->guest->state) : NULL);
  xf_output_text (json, "destination", to ? xf_evacuate_destination (evacuation, move->destination)->uri : NULL);
  if (to) {
    xf_output_boolean (json, "live", move->ways[move->destination] == XF_WAY_LIVE);
    xf_output_boolean (json, "alone", move->alone);
    xf_output_boolean (json, "may_not_fit", move->tight);
  }
  if (move->state == XF_MOVE_DONE)
    xf_output_number (json, "milliseconds", (guint64)(move->seconds * 1000));
  put_reasons (json, evacuation, move);
  yajl_gen_map_close (json);
}

static void
put_destination (yajl_gen json, const XfDestination *destination)
{
  yajl_gen_map_open (json);
  xf_output_text (json, "uri", destination->uri);
  xf_output_number (json, "free_memory_kib", destination->free_kib);
  xf_output_text (json, "error", destination->down);
  yajl_gen_map_close (json);
}

void
xf_evacuate_print_json (const XfEvacuation *evacuation)
{
  yajl_gen json = xf_output_new ();

  yajl_gen_map_open (json);
  xf_output_boolean (json, "dry_run", evacuation->dry_run);
  xf_output_boolean (json, "interrupted", evacuation->interrupted);
  xf_output_key (json, "left");
  if (evacuation->left_known)
    yajl_gen_integer (json, evacuation->n_left);
  else
    yajl_gen_null (json);
  xf_output_key (json, "destinations");
  yajl_gen_array_open (json);
  for (guint i = 0; i < evacuation->destinations->len; i++)
    put_destination (json, xf_evacuate_destination (evacuation, i));
  yajl_gen_array_close (json);
  xf_output_key (json, "guests");
  yajl_gen_array_open (json);
  for (guint i = 0; i < evacuation->moves->len; i++)
    put_move (json, evacuation, evacuation->moves->pdata[i]);
  yajl_gen_array_close (json);
  yajl_gen_map_close (json);
  xf_output_print (json);
}
