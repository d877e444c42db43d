/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Guests that end by themselves, and the actions that their definitions name for this.
 */
#include <glib/gstdio.h>
#include <libvirt/libvirt.h>
#include <string.h>

#include "host.h"

static void
expect_events (Host *host, const char *expected)
{
  g_autofree char *events = host_take_events (host);

  g_assert_cmpstr (events, ==, expected);
}

static int
domid_of (Host *host, const guint8 *uuid)
{
  g_autoptr (XfDomainRef) ref = xf_driver_lookup_uuid (host->driver, uuid, NULL);

  return ref ? ref->id : -2;
}

/* Runs "g" with @actions, asks it for @ask, and waits for @state. */
static Host *
run (const char *actions, SimAsk ask, int state, guint8 **uuid_out)
{
  Host *host = host_new ();
  guint8 *uuid = host_define (host, "g", actions);
  int domid;

  g_assert_true (host_start (host, uuid, 0, NULL));
  domid = domid_of (host, uuid);
  g_string_truncate (host->events, 0);
  host_ask (host, "g", ask);
  host_wait (host_state (host, uuid, NULL) == state && (state != VIR_DOMAIN_RUNNING || domid_of (host, uuid) > domid));
  *uuid_out = uuid;
  return host;
}

static void
test_poweroff (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run (NULL, SIM_ASK_SHUTDOWN, VIR_DOMAIN_SHUTOFF, &uuid);
  int reason;

  g_assert_cmpint (host_state (host, uuid, &reason), ==, VIR_DOMAIN_SHUTOFF);
  g_assert_cmpint (reason, ==, VIR_DOMAIN_SHUTOFF_SHUTDOWN);
  expect_events (host, "g shutdown 0; g stopped 0;");
  g_assert_cmpuint (host_count_domains (host), ==, 0);
  host_free (host);
}

static void
test_reboot (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run ("<on_reboot>restart</on_reboot>", SIM_ASK_REBOOT, VIR_DOMAIN_RUNNING, &uuid);

  expect_events (host, "g stopped 0; g started 0;");
  g_assert_cmpuint (host_count_domains (host), ==, 1);
  /* The end of the new domain is noticed too. */
  host_ask (host, "g", SIM_ASK_SHUTDOWN);
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_SHUTOFF);
  host_free (host);
}

static void
test_crash (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run ("<on_crash>destroy</on_crash>", SIM_ASK_CRASH, VIR_DOMAIN_SHUTOFF, &uuid);
  int reason;

  (void)host_state (host, uuid, &reason);
  g_assert_cmpint (reason, ==, VIR_DOMAIN_SHUTOFF_CRASHED);
  expect_events (host, "g stopped 2;");
  host_free (host);
}

static void
test_crash_restart (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run ("<on_crash>restart</on_crash>", SIM_ASK_CRASH, VIR_DOMAIN_RUNNING, &uuid);

  g_assert_cmpuint (host_count_domains (host), ==, 1);
  host_free (host);
}

static void
test_preserve (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run ("<on_crash>preserve</on_crash>", SIM_ASK_CRASH, VIR_DOMAIN_CRASHED, &uuid);

  g_assert_cmpuint (host_count_domains (host), ==, 1);
  g_assert_false (host_call (host, xf_driver_domain_resume, uuid, NULL));
  g_assert_true (host_destroy (host, uuid, NULL));
  g_assert_cmpuint (host_count_domains (host), ==, 0);
  host_free (host);
}

static void
test_preserve_poweroff (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run ("<on_poweroff>preserve</on_poweroff>", SIM_ASK_SHUTDOWN, VIR_DOMAIN_SHUTDOWN, &uuid);

  g_assert_cmpuint (host_count_domains (host), ==, 1);
  host_free (host);
}

/* ---- core dumps ------------------------------------------------------------------------------------------- */

static guint
count_dumps (Host *host, const char *pattern, char **path_out)
{
  g_autofree char *dir = g_build_filename (host->config.lib_dir, "dump", NULL);
  g_autoptr (GDir) listing = g_dir_open (dir, 0, NULL);
  const char *name;
  guint n = 0;

  while (listing && (name = g_dir_read_name (listing))) {
    if (!g_pattern_match_simple (pattern, name))
      continue;
    n++;
    if (path_out)
      *path_out = g_build_filename (dir, name, NULL);
  }
  return n;
}

static void
expect_dump (Host *host)
{
  g_autofree char *path = NULL, *dir = NULL;
  GStatBuf status;

  g_assert_cmpuint (count_dumps (host, "g-20*T*Z", &path), ==, 1);
  g_assert_cmpuint (count_dumps (host, "*", NULL), ==, 1);
  g_assert_cmpint (g_stat (path, &status), ==, 0);
  g_assert_cmpint (status.st_size, ==, 16 * 1024 * 1024);
  dir = g_path_get_dirname (path);
  g_assert_cmpint (g_stat (dir, &status), ==, 0);
  g_assert_cmpint (status.st_mode & 0777, ==, 0700);
}

static char *
message_of (Host *host, const guint8 *uuid)
{
  g_auto (GStrv) messages = xf_driver_domain_messages (host->driver, uuid, NULL);

  return g_strjoinv ("; ", messages);
}

static void
test_coredump (void)
{
  g_autofree guint8 *uuid = NULL, *again = NULL;
  Host *host = run ("<on_crash>coredump-destroy</on_crash>", SIM_ASK_CRASH, VIR_DOMAIN_SHUTOFF, &uuid);

  expect_events (host, "g stopped 2;");
  expect_dump (host);
  host_free (host);
  host = run ("<on_crash>coredump-restart</on_crash>", SIM_ASK_CRASH, VIR_DOMAIN_RUNNING, &again);
  expect_events (host, "g stopped 0; g started 0;");
  expect_dump (host);
  g_assert_cmpuint (host_count_domains (host), ==, 1);
  host_free (host);
}

/* The rest of the action is carried out although the dump fails. */
static void
fail_dump (const char *actions, const char *control, int state)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = host_define (host, "g", actions);
  GLogLevelFlags fatal = g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL); /* it warns */
  g_autofree char *message = NULL;
  int domid;

  g_assert_true (host_start (host, uuid, 0, NULL));
  domid = domid_of (host, uuid);
  host_set_control (host, control);
  host_ask (host, "g", SIM_ASK_CRASH);
  host_wait (host_state (host, uuid, NULL) == state && (state != VIR_DOMAIN_RUNNING || domid_of (host, uuid) > domid));
  message = message_of (host, uuid);
  g_assert_nonnull (strstr (message, "the memory of domain 'g' could not be written to"));
  g_assert_nonnull (strstr (message, "dump"));
  g_assert_cmpuint (count_dumps (host, "*", NULL), ==, 0);
  (void)g_log_set_always_fatal (fatal);
  host_free (host);
}

static void
test_coredump_fails (void)
{
  fail_dump ("<on_crash>coredump-destroy</on_crash>", "fail=dump\n", VIR_DOMAIN_SHUTOFF);
  fail_dump ("<on_crash>coredump-restart</on_crash>", "fail-after=dump\n", VIR_DOMAIN_RUNNING);
}

static Host *
run_slow_dump (guint8 **uuid_out)
{
  Host *host = host_new ();

  *uuid_out = host_define (host, "g", "<on_crash>coredump-destroy</on_crash>");
  g_assert_true (host_start (host, *uuid_out, 0, NULL));
  host_set_control (host, "pause=dump\n");
  host_ask (host, "g", SIM_ASK_CRASH);
  host_wait (xf_guest_find_uuid (host->driver, *uuid_out)->job);
  return host;
}

/* During a dump the loop runs, and the guest is not touched. */
static void
test_coredump_slow (void)
{
  g_autofree guint8 *uuid = NULL, *other = NULL;
  Host *host = run_slow_dump (&uuid);
  g_autoptr (GError) error = NULL;
  g_autofree char *message = message_of (host, uuid);
  XfJobInfo info;

  other = host_define (host, "other", NULL);
  g_assert_true (host_start (host, other, 0, NULL));
  g_assert_false (host_destroy (host, uuid, &error));
  g_assert_nonnull (strstr (error->message, "'g' is being written to a file after its end"));
  g_assert_nonnull (strstr (message, "its memory is being written to a file"));
  g_assert_true (xf_driver_job_info (host->driver, uuid, &info, NULL));
  g_assert_cmpint (info.type, ==, VIR_DOMAIN_JOB_NONE);
  host_idle (1500); /* more than one poll */
  g_assert_cmpuint (host_count_domains (host), ==, 2);
  host_set_control (host, "");
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_SHUTOFF);
  expect_dump (host);
  host_free (host);
}

/* A failed removal is repeated, and does not dump again. */
static void
test_coredump_once (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = host_define (host, "g", "<on_crash>coredump-destroy</on_crash>");
  GLogLevelFlags fatal = g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL); /* it warns */
  g_autofree char *message = NULL;

  g_assert_true (host_start (host, uuid, 0, NULL));
  host_set_control (host, "fail=destroy\n");
  host_ask (host, "g", SIM_ASK_CRASH);
  host_idle (3500);
  message = message_of (host, uuid);
  g_assert_nonnull (strstr (message, "told to fail at destroy"));
  host_set_control (host, "");
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_SHUTOFF);
  expect_dump (host);
  (void)g_log_set_always_fatal (fatal);
  host_free (host);
}

/* A daemon that ends does not wait for a dump; its later completion does not touch freed memory. */
static void
test_coredump_outlives_driver (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run_slow_dump (&uuid);
  GLogLevelFlags fatal = g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL); /* it warns */

  host_stop_driver (host);
  host_set_control (host, "");
  host_wait (count_dumps (host, "g-20*Z", NULL) == 1);
  host_idle (100);
  (void)g_log_set_always_fatal (fatal);
  host_free (host);
}

/* A failed removal is reported and repeated. */
static void
test_clean_up_fails (void)
{
  Host *host = host_new ();
  GLogLevelFlags fatal;
  g_autofree guint8 *uuid = host_define (host, "g", NULL);
  g_auto (GStrv) messages = NULL;

  g_assert_true (host_start (host, uuid, 0, NULL));
  host_set_control (host, "fail=destroy\n");
  fatal = g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL); /* it warns */
  host_ask (host, "g", SIM_ASK_SHUTDOWN);
  host_wait ((g_strfreev (messages), messages = xf_driver_domain_messages (host->driver, uuid, NULL))[0]);
  g_assert_nonnull (strstr (messages[0], "told to fail at destroy"));
  host_set_control (host, "");
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_SHUTOFF && host_count_domains (host) == 0);
  g_assert_true (host_start (host, uuid, 0, NULL));
  (void)g_log_set_always_fatal (fatal);
  host_free (host);
}

static void
test_destroyed_by_others (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = host_define (host, "g", NULL);

  g_assert_true (host_start (host, uuid, 0, NULL));
  g_string_truncate (host->events, 0);
  host_domain_destroy (host->dir, domid_of (host, uuid));
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_SHUTOFF);
  expect_events (host, "g stopped 1;");
  host_free (host);
}

/* libxl reports an end only once; it is kept if a job has the guest at that moment. */
static void
end_during_job (SimAsk ask)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = host_define (host, "g", NULL);
  XfGuest *guest = xf_guest_find_uuid (host->driver, uuid);
  XfJob job;

  g_assert_true (host_start (host, uuid, 0, NULL));
  xf_job_init (&job, XF_JOB_SUSPEND, NULL, NULL);
  g_assert_true (xf_job_begin (guest, &job, NULL));
  if (ask == SIM_ASK_NOTHING)
    host_domain_destroy (host->dir, domid_of (host, uuid));
  else
    host_ask (host, "g", ask);
  host_idle (200);
  g_assert_cmpint (host_state (host, uuid, NULL), ==, VIR_DOMAIN_RUNNING);
  xf_job_end (guest, NULL);
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_SHUTOFF);
  g_assert_cmpuint (host_count_domains (host), ==, 0);
  host_free (host);
}

static void
test_end_during_job (void)
{
  end_during_job (SIM_ASK_SHUTDOWN);
  end_during_job (SIM_ASK_CRASH);
  end_during_job (SIM_ASK_NOTHING);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/death/poweroff", test_poweroff);
  g_test_add_func ("/death/reboot", test_reboot);
  g_test_add_func ("/death/crash", test_crash);
  g_test_add_func ("/death/crash-restart", test_crash_restart);
  g_test_add_func ("/death/preserve", test_preserve);
  g_test_add_func ("/death/preserve-poweroff", test_preserve_poweroff);
  g_test_add_func ("/death/coredump", test_coredump);
  g_test_add_func ("/death/coredump-fails", test_coredump_fails);
  g_test_add_func ("/death/coredump-slow", test_coredump_slow);
  g_test_add_func ("/death/coredump-once", test_coredump_once);
  g_test_add_func ("/death/coredump-outlives-driver", test_coredump_outlives_driver);
  g_test_add_func ("/death/clean-up-fails", test_clean_up_fails);
  g_test_add_func ("/death/destroyed-by-others", test_destroyed_by_others);
  g_test_add_func ("/death/end-during-job", test_end_during_job);
  return g_test_run ();
}
