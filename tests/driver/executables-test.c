/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The host's own resources, and through them the steps of all resources: their order, what a failure of each step does
 * to the migration and to the guest, and that everything is given back, also by the next daemon.
 */
#include <libvirt/libvirt.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "mover.h"

/* Logs its call; then it does what the file NAME.VERB beside the log says. */
#define SCRIPT                                                                                                         \
  "#!/bin/sh\n"                                                                                                        \
  "name=${0##*/}\n"                                                                                                    \
  "echo \"$name $1 $2 $3 $(grep -c '<name>g</name>')\" >> '%1$s/called'\n"                                             \
  "if [ -e '%1$s/'$name.$1 ]; then . '%1$s/'$name.$1; fi\n"

static void
add_executable (Mover *mover, const char *name)
{
  g_autofree char *path = g_build_filename (mover->host->config.resource_dir, name, NULL);
  g_autofree char *text = g_strdup_printf (SCRIPT, mover->host->dir);

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  g_assert_cmpint (chmod (path, 0755), ==, 0);
}

static void
set_up (Mover *mover, gconstpointer data)
{
  mover_set_up (mover, data);
  mover->host->config.resource_dir = g_build_filename (mover->host->dir, "resources.d", NULL);
  g_assert_cmpint (g_mkdir_with_parents (mover->host->config.resource_dir, 0755), ==, 0);
  mover_record (mover);
  add_executable (mover, "10-first");
  add_executable (mover, "20-second");
  host_restart_driver (mover->host);
}

static void
tear_down (Mover *mover, gconstpointer data)
{
  mover_forget (mover);
  mover_tear_down (mover, data);
}

/* What @name does in its step @verb, in shell. */
static void
does (Mover *mover, const char *name, const char *verb, const char *shell)
{
  g_autofree char *file = g_strdup_printf ("%s/%s.%s", mover->host->dir, name, verb);

  g_assert_true (g_file_set_contents (file, shell, -1, NULL));
}

/* The calls so far: "1c 2c 1p": the executable's number and the first letter of its step, C for commit. The checks run
 * at the same time: they are in the order of the numbers. */
static char *
calls (Mover *mover)
{
  g_autofree char *path = g_build_filename (mover->host->dir, "called", NULL), *text = NULL;
  g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func (g_free);
  g_auto (GStrv) lines = NULL;

  (void)g_file_get_contents (path, &text, NULL, NULL);
  lines = g_strsplit (text ? text : "", "\n", -1);
  for (guint i = 0; lines[i] && *lines[i]; i++) {
    g_auto (GStrv) words = g_strsplit (lines[i], " ", -1);
    gboolean first = g_str_equal (words[1], "check") && words[0][0] == '1';

    g_assert_cmpuint (g_strv_length (words), ==, 5);
    g_assert_cmpstr (words[2], ==, "destination");
    g_assert_cmpstr (words[3], ==, "g");
    g_assert_cmpstr (words[4], ==, "1"); /* the XML was on its standard input */
    g_ptr_array_insert (list, first ? 0 : -1,
                        g_strdup_printf ("%c%c", words[0][0], g_str_equal (words[1], "commit") ? 'C' : words[1][0]));
  }
  g_ptr_array_add (list, NULL);
  return g_strjoinv (" ", (char **)list->pdata);
}

static void
assert_calls (Mover *mover, const char *wanted)
{
  g_autofree char *list = calls (mover);

  g_assert_cmpstr (list, ==, wanted);
}

static gboolean
were_called (Mover *mover, const char *wanted)
{
  g_autofree char *list = calls (mover);

  return g_str_equal (list, wanted);
}

/* Nothing of the migration is left: the guest's name and UUID are free. */
static void
assert_gone (Mover *mover)
{
  g_assert_cmpuint (host_count_domains (mover->host), ==, 0);
  g_assert_cmpuint (host_count_listed (mover->host, 0), ==, 0);
}

static void
test_all_well (Mover *mover, gconstpointer data)
{
  mover_prepare (mover);
  assert_calls (mover, "1c 2c 1p 2p");
  mover_send (mover);
  mover_ask_finish (mover, FALSE);
  mover_wait (mover);
  assert_calls (mover, "1c 2c 1p 2p 1C 2C");
  g_assert_true (mover_runs (mover));
}

/* All that is wrong is collected, and nothing is changed. */
static void
test_check_fails (Mover *mover, gconstpointer data)
{
  does (mover, "10-first", "check", "echo 'no such switch' >&2; exit 1");
  does (mover, "20-second", "check", "echo 'no such vlan' >&2; exit 7");
  mover_ask_prepare (mover);
  mover_wait_end (mover);
  g_assert_error (mover->error, XF_ERROR, XF_ERROR_OPERATION_FAILED);
  g_assert_nonnull (strstr (mover->error->message, "executable:10-first"));
  g_assert_nonnull (strstr (mover->error->message, "no such switch"));
  g_assert_nonnull (strstr (mover->error->message, "executable:20-second"));
  g_assert_nonnull (strstr (mover->error->message, "no such vlan"));
  assert_calls (mover, "1c 2c");
  assert_gone (mover);
}

/* What was prepared before it is given back, in reverse order, before prepare is answered. */
static void
test_prepare_fails (Mover *mover, gconstpointer data)
{
  does (mover, "20-second", "prepare", "echo 'the port does not associate' >&2; exit 1");
  mover_ask_prepare (mover);
  mover_wait_end (mover);
  g_assert_error (mover->error, XF_ERROR, XF_ERROR_OPERATION_FAILED);
  g_assert_nonnull (strstr (mover->error->message, "the port does not associate"));
  assert_calls (mover, "1c 2c 1p 2p 2r 1r");
  assert_gone (mover);
}

/* The guest is restored, and still does not run here: finish is an error, and the source takes it back. */
static void
test_commit_fails (Mover *mover, gconstpointer data)
{
  does (mover, "10-first", "commit", "echo 'the lease is held' >&2; exit 1");
  mover_prepare (mover);
  mover_send (mover);
  mover_ask_finish (mover, FALSE);
  mover_wait_end (mover);
  g_assert_nonnull (mover->error);
  g_assert_nonnull (strstr (mover->error->message, "executable:10-first"));
  g_assert_nonnull (strstr (mover->error->message, "the lease is held"));
  assert_calls (mover, "1c 2c 1p 2p 1C 2r 1r");
  assert_gone (mover);
}

static char **
messages (Mover *mover)
{
  return xf_driver_domain_messages (mover->host->driver, mover_uuid, NULL);
}

/* The host or the guest says that it may fail: the guest runs, and has a message about it. */
static void
test_best_effort (Mover *mover, gconstpointer data)
{
  g_auto (GStrv) told = NULL;

  mover->inside = data;
  if (!data) {
    mover->host->config.resources = g_strdup ("executable=best-effort");
    host_restart_driver (mover->host);
  }
  does (mover, "10-first", "check", "exit 1");
  does (mover, "10-first", "prepare", "exit 1");
  does (mover, "20-second", "commit", "echo 'no answer from the switch' >&2; exit 1");
  mover_prepare (mover);
  mover_send (mover);
  mover_ask_finish (mover, FALSE);
  mover_wait (mover);
  assert_calls (mover, "1c 2c 1p 2p 1C 2C");
  g_assert_true (mover_runs (mover));
  told = messages (mover);
  g_assert_nonnull (told[0]);
  g_assert_nonnull (strstr (told[0], "no answer from the switch"));
}

/* What has failed with best effort is tried again while the guest runs; when it works, the message goes. */
static void
test_tried_again (Mover *mover, gconstpointer data)
{
  g_autofree char *broken = g_strdup_printf ("%s/20-second.commit", mover->host->dir);
  g_auto (GStrv) told = NULL, later = NULL;

  mover->host->config.resources = g_strdup ("executable=best-effort");
  host_restart_driver (mover->host);
  does (mover, "20-second", "commit", "exit 1");
  mover_prepare (mover);
  mover_send (mover);
  mover_ask_finish (mover, FALSE);
  mover_wait (mover);
  told = messages (mover);
  g_assert_nonnull (told[0]);
  g_assert_cmpint (unlink (broken), ==, 0);
  host_wait (were_called (mover, "1c 2c 1p 2p 1C 2C 2C")); /* only the one that has failed */
  host_idle (50);
  later = messages (mover);
  g_assert_null (later[0]);
  g_assert_true (mover_runs (mover));
}

/* It is not tried again for a guest that has ended meanwhile. */
static void
test_not_tried_again (Mover *mover, gconstpointer data)
{
  mover->host->config.resources = g_strdup ("executable=best-effort");
  host_restart_driver (mover->host);
  does (mover, "20-second", "commit", "exit 1");
  mover_prepare (mover);
  mover_send (mover);
  mover_ask_finish (mover, FALSE);
  mover_wait (mover);
  g_assert_true (host_destroy (mover->host, mover_uuid, NULL));
  host_idle (2500);
  assert_calls (mover, "1c 2c 1p 2p 1C 2C");
}

static void
test_unsafe (Mover *mover, gconstpointer data)
{
  mover->flags = VIR_MIGRATE_UNSAFE;
  does (mover, "20-second", "commit", "exit 1");
  mover_prepare (mover);
  mover_send (mover);
  mover_ask_finish (mover, FALSE);
  mover_wait (mover);
  g_assert_true (mover_runs (mover));
}

/* One that is ignored is not called at all; the guest's word counts more than the host's. */
static void
test_ignored (Mover *mover, gconstpointer data)
{
  mover->inside = "<metadata><x:resources xmlns:x='https://xenferry.org/schema/resources/1.0'>"
                  "<x:resource name='executable:20-second' want='ignore'/></x:resources></metadata>";
  does (mover, "20-second", "check", "exit 1");
  mover_prepare (mover);
  assert_calls (mover, "1c 1p");
  mover_ask_finish (mover, TRUE);
  mover_wait_end (mover);
  assert_calls (mover, "1c 1p 1r");
}

/* The guest stands still during commit: what does not end in its time has failed, and all that it started is killed. */
static void
test_too_slow (Mover *mover, gconstpointer data)
{
  gint64 start;

  does (mover, "10-first", "commit", "sleep 30 & sleep 30");
  mover_prepare (mover);
  mover_send (mover);
  start = g_get_monotonic_time ();
  mover_ask_finish (mover, FALSE);
  mover_wait_end (mover);
  g_assert_nonnull (strstr (mover->error->message, "within its time"));
  g_assert_cmpint (g_get_monotonic_time () - start, <, 8 * G_USEC_PER_SEC);
  assert_calls (mover, "1c 2c 1p 2p 1C 2r 1r");
  assert_gone (mover);
}

static void
test_cancelled (Mover *mover, gconstpointer data)
{
  mover_prepare (mover);
  mover_ask_finish (mover, TRUE);
  mover_wait_end (mover);
  g_assert_error (mover->error, XF_ERROR, XF_ERROR_FINISH_OK);
  assert_calls (mover, "1c 2c 1p 2p 2r 1r");
  assert_gone (mover);
}

/* The client leaves while a step is under way. */
static void
test_client_leaves (Mover *mover, gconstpointer data)
{
  does (mover, "10-first", "prepare", "sleep 30");
  mover_ask_prepare (mover);
  host_wait (were_called (mover, "1c 2c 1p"));
  xf_driver_client_gone (mover->host->driver, &mover_client);
  mover_wait_end (mover);
  g_assert_nonnull (mover->error);
  assert_calls (mover, "1c 2c 1p 2r 1r");
  assert_gone (mover);
}

/* ---- a daemon that is killed ------------------------------------------------------------------------------ */

static char *
entry_file (Mover *mover)
{
  g_autofree char *dir = g_build_filename (mover->host->config.lib_dir, "migrations", NULL);
  g_autoptr (GDir) files = g_dir_open (dir, 0, NULL);
  const char *name;

  while (files && (name = g_dir_read_name (files))) {
    if (g_str_has_suffix (name, ".destination.json"))
      return g_build_filename (dir, name, NULL);
  }
  return NULL;
}

/* A daemon that is killed leaves its journal as it is at this moment. The source of this migration has no journal, so
 * everything is given back. */
static void
kill_daemon (Mover *mover)
{
  g_autofree char *file = entry_file (mover), *text = NULL,
                  *killed = g_build_filename (mover->host->dir, "called", NULL);
  gsize length;

  g_assert_nonnull (file);
  g_assert_true (g_file_get_contents (file, &text, &length, NULL));
  host_stop_driver (mover->host);
  g_assert_true (g_file_set_contents (file, text, (gssize)length, NULL));
  g_assert_true (g_file_set_contents (killed, "", 0, NULL));
  host_start_driver (mover->host);
}

static void
test_killed_prepared (Mover *mover, gconstpointer data)
{
  mover_prepare (mover);
  kill_daemon (mover);
  host_wait (were_called (mover, "2r 1r"));
  assert_gone (mover);
  host_idle (100);
  /* Once: the next daemon has nothing to give back. */
  host_restart_driver (mover->host);
  host_idle (200);
  assert_calls (mover, "2r 1r");
}

/* The second's rollback works again: the next daemon calls it, and then there are @all calls; the one after has nothing
 * to do. */
static void
assert_mended (Mover *mover, const char *all)
{
  g_autofree char *broken = g_strdup_printf ("%s/20-second.rollback", mover->host->dir);

  g_assert_cmpint (unlink (broken), ==, 0);
  host_restart_driver (mover->host);
  host_wait (were_called (mover, all));
  host_idle (100);
  host_restart_driver (mover->host);
  host_idle (200);
  assert_calls (mover, all);
}

/* What could not be given back is tried again by the next daemon. */
static void
test_killed_rolling_back (Mover *mover, gconstpointer data)
{
  does (mover, "20-second", "rollback", "exit 1");
  mover_prepare (mover);
  kill_daemon (mover);
  host_wait (were_called (mover, "2r 1r"));
  host_idle (100);
  assert_mended (mover, "2r 1r 2r");
}

/* The same for a prepare that was refused, and so never had a source. */
static void
test_stays (Mover *mover, gconstpointer data)
{
  does (mover, "20-second", "prepare", "exit 1");
  does (mover, "20-second", "rollback", "exit 1");
  mover_ask_prepare (mover);
  mover_wait_end (mover);
  g_assert_nonnull (mover->error);
  assert_calls (mover, "1c 2c 1p 2p 2r 1r");
  assert_gone (mover);
  assert_mended (mover, "1c 2c 1p 2p 2r 1r 2r");
}

/* ---- the hook `migrate` ----------------------------------------------------------------------------------- */

static void
set_hook (Mover *mover, const char *text)
{
  g_autofree char *path = g_build_filename (mover->host->dir, "hooks", "libxl", NULL);
  g_autofree char *dir = g_path_get_dirname (path);

  g_assert_cmpint (g_mkdir_with_parents (dir, 0700), ==, 0);
  g_assert_true (g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_NONE, 0700, NULL));
  g_free (mover->host->config.hook_dir);
  mover->host->config.hook_dir = g_steal_pointer (&dir);
  host_restart_driver (mover->host);
}

/* What the hook writes is the guest that arrives; the checks see it. */
static void
test_hook_changes (Mover *mover, gconstpointer data)
{
  g_autofree char *xml = NULL;

  set_hook (mover, "#!/bin/sh\n[ \"$2\" = migrate ] && sed 's|<name>|<title>arrived</title><name>|'\nexit 0\n");
  mover_prepare (mover);
  assert_calls (mover, "1c 2c 1p 2p");
  mover_send (mover);
  mover_ask_finish (mover, FALSE);
  mover_wait (mover);
  g_assert_true (mover_runs (mover));
  xml = xf_driver_domain_xml (mover->host->driver, mover_uuid, 0, NULL);
  g_assert_nonnull (strstr (xml, "<title>arrived</title>"));
}

typedef struct {
  const char *script, *told;
} Refusal;

static const Refusal refusals[] = {
  { "#!/bin/sh\necho 'not on this host' >&2\nexit 3\n", "not on this host" },
  { "#!/bin/sh\nsed 's|</vcpu>|0</vcpu>|'\n", "number of vCPUs" },
  { "#!/bin/sh\necho '<domain'\n", "hook 'migrate'" },
};

static void
test_hook_refuses (Mover *mover, gconstpointer data)
{
  const Refusal *refusal = data;

  set_hook (mover, refusal->script);
  mover_ask_prepare (mover);
  mover_wait_end (mover);
  g_assert_nonnull (mover->error);
  g_assert_nonnull (strstr (mover->error->message, refusal->told));
  assert_calls (mover, "");
  assert_gone (mover);
}

/* libvirt's operations of a start: before a byte is sent, and when the guest runs; back when it does not arrive. */
static void
test_hook_operations (Mover *mover, gconstpointer data)
{
  g_autofree char *log = g_build_filename (mover->host->dir, "operations", NULL), *text = NULL;
  g_autofree char *script = g_strdup_printf ("#!/bin/sh\necho \"$1 $2 $3\" >> '%s'\n", log);
  gboolean arrives = data != NULL;

  set_hook (mover, script);
  mover_prepare (mover);
  g_assert_true (g_file_get_contents (log, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "g migrate begin\ng prepare begin\ng start begin\n");
  if (arrives)
    mover_send (mover);
  mover_ask_finish (mover, !arrives);
  mover_wait_end (mover);
  host_idle (300);
  g_clear_pointer (&text, g_free);
  g_assert_true (g_file_get_contents (log, &text, NULL, NULL));
  g_assert_cmpstr (text, ==,
                   data ? data : "g migrate begin\ng prepare begin\ng start begin\ng stopped end\ng release end\n");
}

/* The client leaves, or the daemon ends, while the hook runs. */
static void
test_hook_hangs (Mover *mover, gconstpointer data)
{
  set_hook (mover, "#!/bin/sh\nsleep 30\n");
  mover_ask_prepare (mover);
  host_idle (200);
  g_assert_false (mover->done);
  if (data)
    host_restart_driver (mover->host);
  else
    xf_driver_client_gone (mover->host->driver, &mover_client);
  mover_wait_end (mover);
  g_assert_nonnull (mover->error);
  host_idle (200);
  assert_gone (mover);
}

int
main (int argc, char **argv)
{
  static const char metadata[] = "<metadata><x:resources xmlns:x='https://xenferry.org/schema/resources/1.0'>"
                                 "<x:resource name='executable' want='best-effort'/></x:resources></metadata>";

  g_test_init (&argc, &argv, NULL);
  g_log_set_always_fatal (G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK);
  g_test_add ("/executables/all-well", Mover, NULL, set_up, test_all_well, tear_down);
  g_test_add ("/executables/check-fails", Mover, NULL, set_up, test_check_fails, tear_down);
  g_test_add ("/executables/prepare-fails", Mover, NULL, set_up, test_prepare_fails, tear_down);
  g_test_add ("/executables/commit-fails", Mover, NULL, set_up, test_commit_fails, tear_down);
  g_test_add ("/executables/best-effort/host", Mover, NULL, set_up, test_best_effort, tear_down);
  g_test_add ("/executables/best-effort/guest", Mover, metadata, set_up, test_best_effort, tear_down);
  g_test_add ("/executables/best-effort/tried-again", Mover, NULL, set_up, test_tried_again, tear_down);
  g_test_add ("/executables/best-effort/not-tried-again", Mover, NULL, set_up, test_not_tried_again, tear_down);
  g_test_add ("/executables/unsafe", Mover, NULL, set_up, test_unsafe, tear_down);
  g_test_add ("/executables/ignored", Mover, NULL, set_up, test_ignored, tear_down);
  g_test_add ("/executables/too-slow", Mover, NULL, set_up, test_too_slow, tear_down);
  g_test_add ("/executables/cancelled", Mover, NULL, set_up, test_cancelled, tear_down);
  g_test_add ("/executables/client-leaves", Mover, NULL, set_up, test_client_leaves, tear_down);
  g_test_add ("/executables/killed/prepared", Mover, NULL, set_up, test_killed_prepared, tear_down);
  g_test_add ("/executables/killed/rolling-back", Mover, NULL, set_up, test_killed_rolling_back, tear_down);
  g_test_add ("/executables/stays", Mover, NULL, set_up, test_stays, tear_down);
  g_test_add ("/executables/hook/changes", Mover, NULL, set_up, test_hook_changes, tear_down);
  for (gsize i = 0; i < G_N_ELEMENTS (refusals); i++) {
    g_autofree char *path = g_strdup_printf ("/executables/hook/refuses/%zu", i);

    g_test_add (path, Mover, &refusals[i], set_up, test_hook_refuses, tear_down);
  }
  g_test_add ("/executables/hook/operations/arrives", Mover,
              "g migrate begin\ng prepare begin\ng start begin\ng started begin\n", set_up, test_hook_operations,
              tear_down);
  g_test_add ("/executables/hook/operations/cancelled", Mover, NULL, set_up, test_hook_operations, tear_down);
  g_test_add ("/executables/hook/client-leaves", Mover, NULL, set_up, test_hook_hangs, tear_down);
  g_test_add ("/executables/hook/daemon-ends", Mover, "", set_up, test_hook_hangs, tear_down);
  return g_test_run ();
}
