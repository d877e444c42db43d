/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Guests that end by themselves, and what their definitions say about it.
 */
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

/* Runs "g" with @actions, lets it do @ask, and waits for @state. */
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
  /* And the new one's end is noticed too. */
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

/* A restart that cannot be: there is no running guest without a domain, and a transient one is gone. */
static void
test_restart_fails (void)
{
  Host *host = host_new ();
  GLogLevelFlags fatal;
  g_autofree guint8 *uuid = host_define (host, "g", "<on_reboot>restart</on_reboot>");
  g_autofree char *xml = host_xml ("t", NULL, "<on_reboot>restart</on_reboot>");
  int reason;

  g_assert_true (host_start (host, uuid, 0, NULL));
  g_assert_true (host_create (host, xml, 0, NULL));
  host_set_control (host, "fail=create\n");
  g_string_truncate (host->events, 0);
  fatal = g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL); /* it warns */
  host_ask (host, "g", SIM_ASK_REBOOT);
  host_ask (host, "t", SIM_ASK_REBOOT);
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_SHUTOFF && host_count_listed (host, 0) == 1);
  (void)host_state (host, uuid, &reason);
  g_assert_cmpint (reason, ==, VIR_DOMAIN_SHUTOFF_FAILED);
  g_assert_nonnull (strstr (host->events->str, "g stopped 5;"));
  g_assert_nonnull (strstr (host->events->str, "t stopped 5;"));
  host_set_control (host, "");
  g_assert_true (host_start (host, uuid, 0, NULL));
  (void)g_log_set_always_fatal (fatal);
  host_free (host);
}

/* What cannot be cleaned up says so, and is tried again. */
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

/* libxl tells an end once; a job that has the guest then must not swallow it. */
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
  g_test_add_func ("/death/restart-fails", test_restart_fails);
  g_test_add_func ("/death/clean-up-fails", test_clean_up_fails);
  g_test_add_func ("/death/destroyed-by-others", test_destroyed_by_others);
  g_test_add_func ("/death/end-during-job", test_end_during_job);
  return g_test_run ();
}
