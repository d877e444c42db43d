/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * xenferryd: command line, configuration, main loop, signals. It stays in the foreground, under the
 * service manager or the process that started it.
 */
#include <glib-unix.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/turn.h"
#include "daemon/daemon.h"
#include "daemon/service.h"

/* A higher limit only costs time: closing all descriptors of a new process loops up to the limit. */
#define DESCRIPTORS_WANTED 65536

typedef struct {
  char *config;
  char *log_level;
  gboolean version;
} Options;

static gboolean
parse_options (int *argc, char ***argv, Options *options, GError **error)
{
  gboolean foreground = FALSE;
  const GOptionEntry entries[] = {
    { "config", 'c', 0, G_OPTION_ARG_FILENAME, &options->config, "Configuration file", "FILE" },
    { "log-level", 'l', 0, G_OPTION_ARG_STRING, &options->log_level, "error, warning, message, info or debug",
      "LEVEL" },
    { "foreground", 'f', 0, G_OPTION_ARG_NONE, &foreground, "Stay in the foreground (it always does)", NULL },
    { "version", 'V', 0, G_OPTION_ARG_NONE, &options->version, "Print the version and end", NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);

  g_option_context_set_summary (context, "Carries running Xen guests between hosts; speaks libvirt's protocol.");
  g_option_context_add_main_entries (context, entries, NULL);
  return g_option_context_parse (context, argc, argv, error);
}

static gboolean
asked_to_end (gpointer data)
{
  g_main_loop_quit (data);
  return G_SOURCE_CONTINUE;
}

/* The data of asked_to_reload(). */
typedef struct {
  const Options *options;
  const char *path;
  XfDaemon *daemon;
} Reload;

static gboolean
asked_to_reload (gpointer data)
{
  const Reload *reload = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (XfSettings) fresh = xf_settings_load (reload->path, &error);

  /* A level from the command line stays in effect. */
  if (fresh && !reload->options->log_level)
    (void)xf_log_set_level (fresh->log_level, &error);
  if (fresh)
    xf_daemon_reload (reload->daemon, fresh);
  else
    g_warning ("SIGHUP: the settings stay as they were: %s", error->message);
  return G_SOURCE_CONTINUE;
}

/* Each client, stream and migration has descriptors: the soft limit, 1024 in most places, is for programs that
 * select(). */
static void
raise_descriptor_limit (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= DESCRIPTORS_WANTED)
    return;
  limit.rlim_cur = MIN (limit.rlim_max, DESCRIPTORS_WANTED);
  if (setrlimit (RLIMIT_NOFILE, &limit) < 0)
    g_warning ("cannot raise the limit of open files to %" G_GUINT64_FORMAT, (guint64)limit.rlim_cur);
}

static gboolean
serve (const Options *options, const char *path, XfSettings *settings, GError **error)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (XfDaemon) daemon = NULL;
  Reload reload = { options, path, NULL };

  /* Before the sockets exist: a process that sees a socket may send a signal. The loop handles it. */
  g_unix_signal_add (SIGTERM, asked_to_end, loop);
  g_unix_signal_add (SIGINT, asked_to_end, loop);
  g_unix_signal_add (SIGHUP, asked_to_reload, &reload);
  daemon = reload.daemon = xf_daemon_new (settings, error);
  if (!daemon)
    return FALSE;
  g_message ("xenferryd %s serves %s", XF_VERSION, settings->unix_sock);
  xf_service_notify ("READY=1");
  xf_daemon_autostart (daemon);
  xf_turn_watch (NULL);
  g_main_loop_run (loop);
  xf_service_notify ("STOPPING=1");
  g_message ("xenferryd ends; guests go on; the longest turn of its loop used %.1f ms of processor time",
             (double)xf_turn_longest_us () / 1000);
  return TRUE;
}

static gboolean
run (const Options *options, GError **error)
{
  const char *path = options->config ? options->config : g_getenv ("XENFERRY_CONFIG");
  g_autoptr (XfSettings) settings = xf_settings_load (path, error);

  if (!settings || !xf_log_init (options->log_level ? options->log_level : settings->log_level, error))
    return FALSE;
  raise_descriptor_limit ();
  return serve (options, path, settings, error);
}

int
main (int argc, char **argv)
{
  Options options = { 0 };
  g_autoptr (GError) error = NULL;
  gboolean ok;

  setlocale (LC_ALL, "C.UTF-8");
  signal (SIGPIPE, SIG_IGN);
  ok = parse_options (&argc, &argv, &options, &error);
  if (ok && argc > 1) {
    g_set_error (&error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION, "'%s' is not an option", argv[1]);
    ok = FALSE;
  }
  if (ok && options.version)
    printf ("xenferryd %s\n", XF_VERSION);
  else if (ok)
    ok = run (&options, &error);
  if (!ok)
    fprintf (stderr, "xenferryd: %s\n", error->message);
  g_free (options.config);
  g_free (options.log_level);
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
