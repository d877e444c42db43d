/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * xenferry migrations: prints the daemon's journal and record, and sends a person's decision for a waiting migration.
 * It calls the daemon on its own socket, with xenferry's own program. Standard output has one entry per migration and
 * nothing else, for scripts; all that is for a person goes to standard error.
 */
#include <glib.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/connection.h"
#include "conf/uuid.h"
#include "procs.h"

typedef struct {
  char *config, *socket;
  gboolean all;
  char *resolve;
  gboolean warned; /* of what the decision does */
  char **words;
} Options;

/* ---- printing --------------------------------------------------------------------------------------------- */

static void
print_entry (const xf_migration *entry)
{
  g_autofree char *id = xf_uuid_to_string ((const guint8 *)entry->id), *when = NULL;
  g_autoptr (GDateTime) changed = g_date_time_new_from_unix_local (entry->changed);

  if (!*entry->guest) {
    printf ("not readable, and left alone: %s\n", entry->reason ? *entry->reason : "");
    return;
  }
  when = changed ? g_date_time_format (changed, "%F %T") : g_strdup ("-");
  printf ("%s  %-20s  %-13s %s '%s' since %s\n", id, entry->guest, entry->state, entry->is_source ? "to" : "from",
          entry->peer ? *entry->peer : "an unnamed host", when);
  if (entry->reason)
    printf ("    %s\n", *entry->reason);
}

static void
print_list (gconstpointer ret, gpointer data)
{
  const Options *options = data;
  const xf_migrations_ret *list = ret;
  guint n = 0;

  for (guint i = 0; i < list->migrations.migrations_len; i++) {
    const xf_migration *entry = &list->migrations.migrations_val[i];

    if (!options->all && entry->is_final)
      continue;
    print_entry (entry);
    n++;
  }
  if (n == 0)
    fprintf (stderr, "%s\n",
             options->all ? "no migration is under way on this host, and none is remembered"
                          : "no migration is under way on this host (--all also shows those that have ended)");
}

/* ---- before a decision ------------------------------------------------------------------------------------ */

static gboolean
is_here (const Options *options)
{
  return g_str_equal (options->words[0], "here");
}

/* What the decision does, and what must be true before it is made. */
static void
warn (const xf_migration *entry, gboolean here)
{
  const char *peer = entry->peer ? *entry->peer : "an unnamed host";

  if (entry->is_source && here)
    fprintf (
      stderr,
      "Domain '%s' will continue on this host. POWER THE OTHER HOST OFF FIRST ('%s'): if it comes back while it\n"
      "holds a copy of the guest, the guest runs twice, and the copies destroy its disks.\n",
      entry->guest, peer);
  else if (entry->is_source)
    fprintf (stderr,
             "Domain '%s' will end on this host, with its memory. See first that it runs on the other host, '%s'.\n",
             entry->guest, peer);
  else if (here)
    fprintf (
      stderr,
      "Host '%s' will be informed that domain '%s' has arrived on this host, and will end its copy. If the guest\n"
      "has not run here, it is lost with its memory.\n",
      peer, entry->guest);
  else
    fprintf (
      stderr,
      "Host '%s' will be informed that domain '%s' has not run on this host, and will continue it there. If the\n"
      "guest has run here, its disks have changed, and its memory there no longer fits them.\n",
      peer, entry->guest);
}

static void
warn_of_resolve (gconstpointer ret, gpointer data)
{
  Options *options = data;
  const xf_migrations_ret *list = ret;
  guint8 id[XF_UUID_SIZE];

  (void)xf_uuid_parse (options->resolve, id);
  for (guint i = 0; i < list->migrations.migrations_len; i++) {
    const xf_migration *entry = &list->migrations.migrations_val[i];

    /* One that is stuck has an answer already: it does not run on the other host. */
    if (entry->is_final || g_str_equal (entry->state, "stuck") || !xf_uuid_equal ((const guint8 *)entry->id, id))
      continue;
    warn (entry, is_here (options));
    options->warned = TRUE;
  }
}

/* A script has no terminal, and has asked its person itself. */
static gboolean
confirm (const Options *options, GError **error)
{
  char answer[16] = "";

  if (!options->warned || !isatty (STDIN_FILENO))
    return TRUE;
  fprintf (stderr, "Have you made sure of that? Type yes: ");
  if (fgets (answer, sizeof (answer), stdin) && g_str_equal (g_strstrip (answer), "yes"))
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_ABORTED, "nothing was decided");
  return FALSE;
}

/* ---- asking ----------------------------------------------------------------------------------------------- */

/* Over a connection of its own: a person may take long to answer between two calls. */
static gboolean
ask (Options *options, const XfConnectionCall *call, gconstpointer args, XfConnectionTake take, GError **error)
{
  g_autoptr (XfConnection) connection = xf_connection_new_local (options->config, options->socket, error);

  return connection && xf_connection_call (connection, call, XF_CONNECTION_TIMEOUT_S, args, take, options, error);
}

static gboolean
ask_list (Options *options, XfConnectionTake take, GError **error)
{
  xf_void nothing = { 0 };

  return ask (options, XF_CONNECTION_CALL (XF_XENFERRY_PROGRAM, LIST_MIGRATIONS, xf_void, xf_migrations_ret), &nothing,
              take, error);
}

static gboolean
resolve (Options *options, GError **error)
{
  xf_resolve_args args = { .here = is_here (options) };

  (void)xf_uuid_parse (options->resolve, (guint8 *)args.id);
  return ask (options, XF_CONNECTION_CALL (XF_XENFERRY_PROGRAM, RESOLVE_MIGRATION, xf_resolve_args, xf_void), &args,
              NULL, error);
}

/* ---- the command ------------------------------------------------------------------------------------------ */

static gboolean
check (const Options *options, GError **error)
{
  guint8 id[XF_UUID_SIZE];
  const char *word = options->words ? options->words[0] : NULL;

  if (!options->resolve && !word)
    return TRUE;
  if (options->resolve && xf_uuid_parse (options->resolve, id) && word && !options->words[1]
      && (g_str_equal (word, "here") || g_str_equal (word, "there")))
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG,
               "--resolve takes the id of a migration, and then 'here' or 'there'");
  return FALSE;
}

static gboolean
parse_options (int *argc, char ***argv, Options *options, GError **error)
{
  const GOptionEntry entries[] = {
    { "all", 'a', 0, G_OPTION_ARG_NONE, &options->all, "Also those that are over and are remembered", NULL },
    { "resolve", 'r', 0, G_OPTION_ARG_STRING, &options->resolve,
      "For one that is 'settling': the guest continues here (power the other host off first), or runs there and ends "
      "here",
      "ID here|there" },
    { "config", 'c', 0, G_OPTION_ARG_FILENAME, &options->config, "The daemon's configuration file", "FILE" },
    { "socket", 's', 0, G_OPTION_ARG_FILENAME, &options->socket, "The daemon's socket", "PATH" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->words, NULL, NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext)
    context = g_option_context_new ("- migrations under way, and the host or decision each waits for");

  g_option_context_add_main_entries (context, entries, NULL);
  return g_option_context_parse (context, argc, argv, error) && check (options, error);
}

static gboolean
run (Options *options, GError **error)
{
  if (!options->resolve)
    return ask_list (options, print_list, error);
  return ask_list (options, warn_of_resolve, error) && confirm (options, error) && resolve (options, error);
}

int
xf_cli_migrations (int argc, char **argv)
{
  Options options = { 0 };
  g_autoptr (GError) error = NULL;
  int status = 1;

  if (!parse_options (&argc, &argv, &options, &error))
    status = 2;
  else if (run (&options, &error))
    status = 0;
  if (error)
    fprintf (stderr, "xenferry migrations: %s\n", error->message);
  g_free (options.config);
  g_free (options.socket);
  g_free (options.resolve);
  g_strfreev (options.words);
  return status;
}
