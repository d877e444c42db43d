/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * xenferry evacuate: moves every running guest off this host. In order: which guests there are and what blocks them, a
 * plan, the migrations, and again for guests that have begun to run here meanwhile. Then it asks the daemon which
 * guests are left, and its exit status says whether any is.
 */
#include "cli/evacuate.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/cli.h"
#include "conf/migrate_uri.h"

enum { ALL_MOVED = 0, GUESTS_LEFT = 1, USAGE = 2, NOT_POSSIBLE = 3 };

typedef struct {
  char *config, *socket;
  int jobs;
  char **uris;
} Options;

/* ---- members ---------------------------------------------------------------------------------------------- */

void
xf_evacuate_add_reason (XfMove *move, guint destination, const char *host, const char *resource, const char *text)
{
  XfMoveReason *reason = g_new0 (XfMoveReason, 1);

  *reason = (XfMoveReason){ destination, g_strdup (host), g_strdup (resource), g_strdup (text) };
  g_ptr_array_add (move->reasons, reason);
}

static void
move_free (gpointer data)
{
  XfMove *move = data;

  xf_guests_free_facts (move->guest);
  g_free (move->ways);
  g_free (move->tried);
  g_ptr_array_unref (move->reasons);
  g_free (move);
}

static void
destination_clear (gpointer data)
{
  XfDestination *destination = data;

  g_free (destination->uri);
  g_free (destination->host);
  g_free (destination->down);
}

/* ---- signals ---------------------------------------------------------------------------------------------- */

static gboolean
signalled (gpointer data)
{
  XfEvacuation *evacuation = data;

  if (evacuation->interrupted) {
    fprintf (stderr,
             "xenferry evacuate: left at the second signal; the daemon cancels the migrations that have not sent "
             "everything, see xenferry migrations\n");
    exit (GUESTS_LEFT);
  }
  xf_evacuate_interrupt (evacuation);
  return G_SOURCE_CONTINUE;
}

/* ---- the end ---------------------------------------------------------------------------------------------- */

static const XfGuestFacts *
find_guest (const GPtrArray *guests, const guint8 *uuid)
{
  for (guint i = 0; i < guests->len; i++) {
    const XfGuestFacts *facts = guests->pdata[i];

    if (memcmp (facts->uuid, uuid, sizeof (facts->uuid)) == 0)
      return facts;
  }
  return NULL;
}

/* Only the daemon knows what is left: a guest can have ended, or have come back. */
static void
count_left (XfEvacuation *evacuation)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) guests = xf_guests_running (evacuation->connection, &error);

  evacuation->left_known = guests != NULL;
  if (!guests) {
    fprintf (stderr, "xenferry evacuate: cannot ask which guests are left: %s\n", error->message);
    return;
  }
  evacuation->n_left = guests->len;
  for (guint i = 0; i < evacuation->moves->len; i++) {
    XfMove *move = evacuation->moves->pdata[i];
    const XfGuestFacts *facts = find_guest (guests, move->guest->uuid);

    if (facts)
      move->guest->state = facts->state;
    if (facts && move->state == XF_MOVE_DONE) {
      move->state = XF_MOVE_STAYS;
      xf_evacuate_add_reason (move, move->destination, "", "guest", "it was moved there, and runs here again");
    } else if (!facts && move->state != XF_MOVE_DONE) {
      move->state = XF_MOVE_GONE;
    }
  }
}

/* ---- the work --------------------------------------------------------------------------------------------- */

/* FALSE: nothing was begun. */
static gboolean
move_all (XfEvacuation *evacuation, GError **error)
{
  guint n_new;

  do {
    g_autoptr (GError) failed = NULL;
    gboolean first = evacuation->moves->len == 0;

    if (!xf_evacuate_survey_guests (evacuation, &n_new, &failed) && first) {
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
    if (failed)
      xf_evacuate_say (evacuation, "cannot look for further guests: %s", failed->message);
    if (failed || n_new == 0)
      break;
    xf_evacuate_plan (evacuation);
    if (evacuation->dry_run)
      break;
    xf_evacuate_say (evacuation, "%u guest%s to move, %u at a time", n_new, n_new > 1 ? "s" : "", evacuation->jobs);
    xf_evacuate_run (evacuation);
  } while (!evacuation->interrupted && !xf_connection_is_lost (evacuation->connection));
  return TRUE;
}

static gboolean
evacuate (XfEvacuation *evacuation, const Options *options, GError **error)
{
  g_autoptr (GPtrArray) guests = NULL;

  evacuation->connection = xf_connection_new_local (options->config, options->socket, error);
  if (!evacuation->connection || !xf_connection_open (evacuation->connection, FALSE, error))
    return FALSE;
  xf_connection_keep_alive (evacuation->connection);
  guests = xf_guests_running (evacuation->connection, error);
  if (!guests)
    return FALSE;
  if (guests->len > 0 && (!xf_evacuate_survey_destinations (evacuation, error) || !move_all (evacuation, error)))
    return FALSE;
  count_left (evacuation);
  return TRUE;
}

static int
status_of (const XfEvacuation *evacuation)
{
  if (evacuation->dry_run)
    return xf_evacuate_can_all (evacuation) ? ALL_MOVED : GUESTS_LEFT;
  return evacuation->left_known && evacuation->n_left == 0 ? ALL_MOVED : GUESTS_LEFT;
}

static int
run (XfEvacuation *evacuation, const Options *options)
{
  static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
  g_autoptr (GError) error = NULL;
  guint ids[G_N_ELEMENTS (signals)];
  gboolean done;

  /* A reader of the output that has gone must not end migrations. */
  signal (SIGPIPE, SIG_IGN);
  for (guint i = 0; i < G_N_ELEMENTS (signals); i++)
    ids[i] = g_unix_signal_add (signals[i], signalled, evacuation);
  done = evacuate (evacuation, options, &error);
  for (guint i = 0; i < G_N_ELEMENTS (signals); i++)
    g_source_remove (ids[i]);
  if (error)
    fprintf (stderr, "xenferry evacuate: %s\n", error->message);
  if (!done)
    return NOT_POSSIBLE;
  if (evacuation->json)
    xf_evacuate_print_json (evacuation);
  else if (evacuation->dry_run)
    xf_evacuate_print_plan (evacuation);
  else
    xf_evacuate_print_end (evacuation);
  return status_of (evacuation);
}

/* ---- the command ------------------------------------------------------------------------------------------ */

static gboolean
add_destinations (XfEvacuation *evacuation, char **uris, GError **error)
{
  for (guint i = 0; uris && uris[i]; i++) {
    g_auto (XfConnectUri) parsed = { 0 };
    XfDestination destination = { 0 };

    if (!xf_connect_uri_parse (uris[i], &parsed, error))
      return FALSE;
    destination.uri = g_strdup (uris[i]);
    destination.host = xf_connect_uri_describe (&parsed);
    g_array_append_val (evacuation->destinations, destination);
  }
  if (evacuation->destinations->len > 0)
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG,
               "give the URI of at least one destination, such as xen+tcp://host-b/system");
  return FALSE;
}

static gboolean
parse_options (int *argc, char ***argv, Options *options, XfEvacuation *evacuation, GError **error)
{
  const GOptionEntry entries[] = {
    { "jobs", 'j', 0, G_OPTION_ARG_INT, &options->jobs, "How many guests move at a time (default 2)", "N" },
    { "last-alone", 'l', 0, G_OPTION_ARG_NONE, &evacuation->last_alone,
      "The guests that are much larger or busier than the others move last, one after another", NULL },
    { "allow-suspend", 'a', 0, G_OPTION_ARG_NONE, &evacuation->allow_suspend,
      "A guest that cannot move live is suspended while it moves", NULL },
    { "tunnelled", 't', 0, G_OPTION_ARG_NONE, &evacuation->tunnelled, "The data travels in the management connection",
      NULL },
    { "tls", 0, 0, G_OPTION_ARG_NONE, &evacuation->tls, "The data is encrypted", NULL },
    { "dry-run", 'n', 0, G_OPTION_ARG_NONE, &evacuation->dry_run, "Print the plan and move nothing", NULL },
    { "json", 0, 0, G_OPTION_ARG_NONE, &evacuation->json, "Print JSON, and progress on standard error", NULL },
    { "config", 'c', 0, G_OPTION_ARG_FILENAME, &options->config, "The daemon's configuration file", "FILE" },
    { "socket", 's', 0, G_OPTION_ARG_FILENAME, &options->socket, "The daemon's socket", "PATH" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->uris, NULL, "DESTINATION-URI…" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("- moves every running guest off this host");

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (options->jobs < 1 || options->jobs > XF_EVACUATE_JOBS_MAX) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "--jobs is a number from 1 to %d", XF_EVACUATE_JOBS_MAX);
    return FALSE;
  }
  evacuation->jobs = (guint)options->jobs;
  return add_destinations (evacuation, options->uris, error);
}

int
xf_cli_evacuate (int argc, char **argv)
{
  Options options = { .jobs = 2 };
  XfEvacuation evacuation = { 0 };
  g_autoptr (GError) error = NULL;
  int status = USAGE;

  evacuation.destinations = g_array_new (FALSE, TRUE, sizeof (XfDestination));
  g_array_set_clear_func (evacuation.destinations, destination_clear);
  evacuation.moves = g_ptr_array_new_with_free_func (move_free);
  if (parse_options (&argc, &argv, &options, &evacuation, &error))
    status = run (&evacuation, &options);
  else
    fprintf (stderr, "xenferry evacuate: %s\n", error->message);
  g_clear_pointer (&evacuation.connection, xf_connection_free);
  g_ptr_array_unref (evacuation.moves);
  g_array_unref (evacuation.destinations);
  g_free (options.config);
  g_free (options.socket);
  g_strfreev (options.uris);
  return status;
}
