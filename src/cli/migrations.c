/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * xenferry migrations: prints the daemon's journal and record, and sends a person's decision for a waiting migration.
 * It calls the daemon on its own socket, with xenferry's own program. Standard output has one entry per migration and
 * nothing else, for scripts; all that is for a person goes to standard error.
 */
#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "cli/cli.h"
#include "conf/uuid.h"
#include "daemon/settings.h"
#include "procs.h"
#include "rpc/client.h"

#define ANSWER_TIMEOUT_S 30

typedef struct {
  char *config, *socket;
  gboolean all;
  char *resolve;
  gboolean warned; /* of what the decision does */
  char **words;
} Options;

/* One call, and its result. */
typedef struct {
  GMainLoop *loop;
  void (*take) (gconstpointer ret, Options *options);
  Options *options;
  GError *error;
} Call;

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
print_list (gconstpointer ret, Options *options)
{
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

static void
print_nothing (gconstpointer ret, Options *options)
{
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
warn_of_resolve (gconstpointer ret, Options *options)
{
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

static void
replied (gconstpointer ret, const XfWireError *wire, const GError *lost, const XfFrameHeader *header, gpointer data)
{
  Call *call = data;

  if (ret)
    call->take (ret, call->options);
  else
    g_set_error_literal (&call->error, XF_ERROR, XF_ERROR_OPERATION_FAILED, wire ? wire->message : lost->message);
  g_main_loop_quit (call->loop);
}

static void
closed (const GError *error, gpointer data)
{
  /* The waiting call already has the error. */
}

static gboolean
too_late (gpointer data)
{
  Call *call = data;

  g_set_error (&call->error, XF_ERROR, XF_ERROR_TIMEOUT, "the daemon has not answered within %d s", ANSWER_TIMEOUT_S);
  g_main_loop_quit (call->loop);
  return G_SOURCE_CONTINUE;
}

static int
connect_to (const char *path, GError **error)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  xf_autofd fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (strlen (path) >= sizeof (address.sun_path)) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "the socket path '%s' is longer than a unix socket's may be",
                 path);
    return -1;
  }
  strcpy (address.sun_path, path);
  if (fd >= 0 && connect (fd, (struct sockaddr *)&address, sizeof (address)) == 0)
    return xf_steal_fd (&fd);
  xf_error_set_errno (error, errno, "cannot reach xenferryd on '%s'", path);
  return -1;
}

static void
start_list (XfClient *client, Call *call)
{
  xf_void nothing = { 0 };

  xf_client_call (client, XF_XENFERRY_PROGRAM, XF_PROC_LIST_MIGRATIONS, (xdrproc_t)xdr_xf_void, &nothing,
                  (xdrproc_t)xdr_xf_migrations_ret, sizeof (xf_migrations_ret), replied, call);
}

static void
start_resolve (XfClient *client, Call *call)
{
  xf_resolve_args args = { .here = is_here (call->options) };

  (void)xf_uuid_parse (call->options->resolve, (guint8 *)args.id);
  xf_client_call (client, XF_XENFERRY_PROGRAM, XF_PROC_RESOLVE_MIGRATION, (xdrproc_t)xdr_xf_resolve_args, &args,
                  (xdrproc_t)xdr_xf_void, sizeof (xf_void), replied, call);
}

/* Over a connection of its own: a person may take long to answer between two calls. */
static gboolean
ask (const char *path, Options *options, void (*start) (XfClient *client, Call *call),
     void (*take) (gconstpointer ret, Options *options), GError **error)
{
  int fd = connect_to (path, error);
  Call call = { .take = take, .options = options };
  XfClient *client;
  guint id;

  if (fd < 0)
    return FALSE;
  call.loop = g_main_loop_new (NULL, FALSE);
  client = xf_client_new (fd, closed, NULL);
  id = g_timeout_add_seconds (ANSWER_TIMEOUT_S, too_late, &call);
  start (client, &call);
  g_main_loop_run (call.loop);
  g_source_remove (id);
  xf_client_free (client);
  g_main_loop_unref (call.loop);
  if (!call.error)
    return TRUE;
  g_propagate_error (error, call.error);
  return FALSE;
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
  g_autoptr (XfSettings) settings = options->socket ? NULL : xf_settings_load (options->config, error);

  const char *path;

  if (!options->socket && !settings)
    return FALSE;
  path = options->socket ? options->socket : settings->unix_sock;
  if (!options->resolve)
    return ask (path, options, start_list, print_list, error);
  return ask (path, options, start_list, warn_of_resolve, error) && confirm (options, error)
         && ask (path, options, start_resolve, print_nothing, error);
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
