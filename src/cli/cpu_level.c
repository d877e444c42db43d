/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * xenferry cpu-level: the CPU features that several hosts have in common, as the element <cpu> of domain XML. A guest
 * that starts with it can move between all of them.
 */
#include <glib.h>
#include <stdio.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/connection.h"
#include "libxl/convert/features.h"
#include "procs.h"

typedef struct {
  char *config, *socket;
  gboolean raw;
  char **uris;
} Options;

static void
take (gconstpointer ret, gpointer data)
{
  *(char **)data = g_strdup (((const xf_string_ret *)ret)->value);
}

/* Takes @connection. */
static char *
ask (XfConnection *connection, const char *where, GError **error)
{
  g_autoptr (XfConnection) owned = connection;
  xf_void nothing = { 0 };
  char *features = NULL;

  if (owned && xf_connection_open (owned, TRUE, error)
      && xf_connection_call (owned, XF_CONNECTION_CALL (XF_XENFERRY_PROGRAM, GET_CPU_FEATURES, xf_void, xf_string_ret),
                             XF_CONNECTION_TIMEOUT_S, &nothing, take, &features, error))
    return features;
  g_prefix_error (error, "%s: ", where);
  return NULL;
}

/* What each host has, this one first. */
static GPtrArray *
ask_all (const Options *options, GError **error)
{
  g_autoptr (GPtrArray) hosts = g_ptr_array_new_with_free_func (g_free);
  char *features = ask (xf_connection_new_local (options->config, options->socket, error), "this host", error);

  for (guint i = 0; features && options->uris && options->uris[i]; i++) {
    g_ptr_array_add (hosts, features);
    features = ask (xf_connection_new_uri (options->uris[i], error), options->uris[i], error);
  }
  if (!features)
    return NULL;
  g_ptr_array_add (hosts, features);
  g_ptr_array_add (hosts, NULL);
  return g_steal_pointer (&hosts);
}

static gboolean
run (const Options *options, GError **error)
{
  g_autoptr (GPtrArray) hosts = ask_all (options, error);
  g_autofree char *level = hosts ? xf_features_baseline ((const char *const *)hosts->pdata, error) : NULL;
  /* The definition may be started on each of the hosts. */
  g_autofree char *xml = level && !options->raw ? xf_features_level_xml (level, hosts->len == 2 ? level : NULL, error)
                                                : NULL;

  if (!level || (!options->raw && !xml))
    return FALSE;
  printf ("%s\n", options->raw ? level : g_strchomp (xml));
  return TRUE;
}

static gboolean
parse_options (int *argc, char ***argv, Options *options, GError **error)
{
  const GOptionEntry entries[] = {
    { "raw", 0, 0, G_OPTION_ARG_NONE, &options->raw, "The level as words, and not as domain XML", NULL },
    { "config", 'c', 0, G_OPTION_ARG_FILENAME, &options->config, "The daemon's configuration file", "FILE" },
    { "socket", 's', 0, G_OPTION_ARG_FILENAME, &options->socket, "The daemon's socket", "PATH" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->uris, NULL, NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext)
    context = g_option_context_new ("[URI…] - the <cpu> of guests that can move between this host and those");

  g_option_context_add_main_entries (context, entries, NULL);
  return g_option_context_parse (context, argc, argv, error);
}

int
xf_cli_cpu_level (int argc, char **argv)
{
  Options options = { 0 };
  g_autoptr (GError) error = NULL;
  int status = 1;

  if (!parse_options (&argc, &argv, &options, &error))
    status = 2;
  else if (run (&options, &error))
    status = 0;
  if (error)
    fprintf (stderr, "xenferry cpu-level: %s\n", error->message);
  g_free (options.config);
  g_free (options.socket);
  g_strfreev (options.uris);
  return status;
}
