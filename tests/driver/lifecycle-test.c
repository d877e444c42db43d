/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Start, pause, end: the states and the events, in their order; and a failed step leaves nothing behind.
 */
#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "host.h"

static void
expect_events (Host *host, const char *expected)
{
  g_autofree char *events = host_take_events (host);

  g_assert_cmpstr (events, ==, expected);
}

static void
expect_state (Host *host, const guint8 *uuid, int state, int reason)
{
  int is;

  g_assert_cmpint (host_state (host, uuid, &is), ==, state);
  g_assert_cmpint (is, ==, reason);
}

static void
test_events (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = host_define (host, "g", NULL);

  expect_state (host, uuid, VIR_DOMAIN_SHUTOFF, 0);
  g_assert_true (host_start (host, uuid, 0, NULL));
  expect_state (host, uuid, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
  g_assert_true (host_call (host, xf_driver_domain_suspend, uuid, NULL));
  expect_state (host, uuid, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
  g_assert_true (host_call (host, xf_driver_domain_suspend, uuid, NULL)); /* it is paused already */
  g_assert_true (host_call (host, xf_driver_domain_resume, uuid, NULL));
  expect_state (host, uuid, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED);
  g_assert_true (host_destroy (host, uuid, NULL));
  expect_state (host, uuid, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED);
  expect_events (host, "g defined 0; g started 0; g suspended 0; g resumed 0; g stopped 1;");
  g_assert_true (host_start (host, uuid, VIR_DOMAIN_START_PAUSED, NULL));
  expect_state (host, uuid, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
  expect_events (host, "g started 0; g suspended 0;");
  host_free (host);
}

static void
test_shutdown (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = host_define (host, "g", NULL);

  g_assert_true (host_start (host, uuid, 0, NULL));
  g_assert_true (host_shutdown (host, uuid, NULL));
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_SHUTOFF);
  expect_state (host, uuid, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_SHUTDOWN);
  expect_events (host, "g defined 0; g started 0; g shutdown 0; g stopped 0;");
  g_assert_cmpuint (host_count_domains (host), ==, 0);
  host_free (host);
}

static void
expect_invalid (Host *host, gboolean ok, GError *error, const char *text)
{
  g_assert_false (ok);
  g_assert_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID);
  if (!strstr (error->message, text))
    g_error ("'%s' is not in: %s", text, error->message);
  g_error_free (error);
}

static void
test_wrong_state (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = host_define (host, "g", NULL);
  GError *error = NULL;
  gboolean ok;

  ok = host_call (host, xf_driver_domain_suspend, uuid, &error);
  expect_invalid (host, ok, g_steal_pointer (&error), "domain is not running");
  ok = host_destroy (host, uuid, &error);
  expect_invalid (host, ok, g_steal_pointer (&error), "domain is not running");
  ok = host_shutdown (host, uuid, &error);
  expect_invalid (host, ok, g_steal_pointer (&error), "domain is not running");
  g_assert_true (host_start (host, uuid, 0, NULL));
  ok = host_start (host, uuid, 0, &error);
  expect_invalid (host, ok, g_steal_pointer (&error), "already running");
  g_assert_false (host_start (host, uuid, VIR_DOMAIN_START_AUTODESTROY, &error));
  g_assert_error (error, XF_ERROR, XF_ERROR_INVALID_ARG);
  g_clear_error (&error);
  host_free (host);
}

static void
count_answer (const GError *error, gpointer data)
{
  guint *answers = data;

  answers[error ? 1 : 0]++;
}

/* The second job is refused at once, and the error names the first; queries are never refused. */
static void
test_one_job (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = host_define (host, "g", NULL);
  guint answers[2] = { 0, 0 };
  GError *error = NULL;
  XfDomainInfo info;
  gboolean ok;

  g_assert_true (host_start (host, uuid, 0, NULL));
  xf_driver_domain_suspend (host->driver, uuid, count_answer, answers);
  g_assert_true (xf_driver_domain_info (host->driver, uuid, &info, NULL));
  ok = host_shutdown (host, uuid, &error);
  expect_invalid (host, ok, g_steal_pointer (&error), "domain 'g' is being paused");
  host_wait (answers[0] == 1);
  g_assert_cmpuint (answers[1], ==, 0);
  g_assert_true (host_call (host, xf_driver_domain_resume, uuid, NULL));
  host_free (host);
}

/* ---- failures --------------------------------------------------------------------------------------------- */

static void
fail_start (Host *host, const guint8 *uuid, const char *control, const char *text)
{
  g_autoptr (GError) error = NULL;

  host_set_control (host, control);
  g_assert_false (host_start (host, uuid, 0, &error));
  if (!strstr (error->message, text))
    g_error ("'%s' is not in: %s", text, error->message);
  expect_state (host, uuid, VIR_DOMAIN_SHUTOFF, 0);
  g_assert_cmpuint (host_count_domains (host), ==, 0);
  host_set_control (host, "");
}

static void
test_failed_start (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = host_define (host, "g", NULL);
  g_autofree char *xml = host_xml ("t", NULL, NULL);

  fail_start (host, uuid, "fail=create\n", "told to fail at create");
  fail_start (host, uuid, "fail=unpause\n", "told to fail at unpause");
  fail_start (host, uuid, "memory-mib=516\n", "MiB");
  host_set_control (host, "fail=create\n");
  g_assert_false (host_create (host, xml, 0, NULL));
  g_assert_cmpuint (host_count_listed (host, 0), ==, 1);
  host_set_control (host, "");
  expect_events (host, "g defined 0;");
  g_assert_true (host_start (host, uuid, 0, NULL));
  host_free (host);
}

/* The domain of a failed start is destroyed until it is gone; the next start waits for that. */
static void
test_failed_start_stays (void)
{
  Host *host = host_new ();
  GLogLevelFlags fatal;
  g_autofree guint8 *uuid = host_define (host, "g", NULL);
  g_autoptr (GError) error = NULL;

  host_set_control (host, "fail=unpause,destroy\n");
  fatal = g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL); /* it warns */
  g_assert_false (host_start (host, uuid, 0, NULL));
  g_assert_false (host_start (host, uuid, 0, &error));
  g_assert_nonnull (strstr (error->message, "still being removed"));
  expect_state (host, uuid, VIR_DOMAIN_SHUTOFF, 0);
  host_set_control (host, "");
  host_wait (host_count_domains (host) == 0);
  host_wait (host_start (host, uuid, 0, NULL));
  (void)g_log_set_always_fatal (fatal);
  host_free (host);
}

static void
test_failed_steps (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = host_define (host, "g", NULL);
  g_autoptr (GError) error = NULL;
  g_autofree char *events = NULL;

  g_assert_true (host_start (host, uuid, 0, NULL));
  events = host_take_events (host);
  host_set_control (host, "fail=pause,destroy\n");
  g_assert_false (host_call (host, xf_driver_domain_suspend, uuid, &error));
  g_assert_nonnull (strstr (error->message, "'g'"));
  expect_state (host, uuid, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
  g_assert_false (host_destroy (host, uuid, NULL));
  expect_state (host, uuid, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
  expect_events (host, "");
  host_set_control (host, "");
  g_assert_true (host_destroy (host, uuid, NULL));
  expect_events (host, "g stopped 1;");
  host_free (host);
}

static guint
count_fds (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir))
    n++;
  return n;
}

static void
test_descriptors (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = host_define (host, "g", NULL);
  guint before = 0;

  for (int i = 0; i < 12; i++) {
    xf_autofd fd = -1;

    g_assert_true (host_start (host, uuid, 0, NULL));
    fd = xf_driver_domain_open_console (host->driver, uuid, NULL, 0, NULL);
    g_assert_cmpint (fd, >=, 0);
    g_assert_cmpint (xf_driver_domain_open_console (host->driver, uuid, NULL, 0, NULL), ==, -1);
    xf_clear_fd (&fd);
    g_assert_true (host_destroy (host, uuid, NULL));
    if (i == 1)
      before = count_fds ();
  }
  g_assert_cmpuint (count_fds (), ==, before);
  host_free (host);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/lifecycle/events", test_events);
  g_test_add_func ("/lifecycle/shutdown", test_shutdown);
  g_test_add_func ("/lifecycle/wrong-state", test_wrong_state);
  g_test_add_func ("/lifecycle/one-job", test_one_job);
  g_test_add_func ("/lifecycle/failed-start", test_failed_start);
  g_test_add_func ("/lifecycle/failed-start-stays", test_failed_start_stays);
  g_test_add_func ("/lifecycle/failed-steps", test_failed_steps);
  g_test_add_func ("/lifecycle/descriptors", test_descriptors);
  return g_test_run ();
}
