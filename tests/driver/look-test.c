/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Guests that another toolstack pauses, renames and ends: the driver follows what Xen shows.
 */
#include <libvirt/libvirt.h>
#include <string.h>

#include "host.h"
#include "libxl/guest/end_watch.h"
#include "libxl/boot/discover.h"
#include "libxl/guest/driver_private.h"

typedef void (*Change) (Host *host, SimBlock *block, const char *word);

/* Changes the domain @name as another toolstack would. */
static void
by_others (Host *host, const char *name, Change change, const char *word)
{
  g_autoptr (GArray) ids = host_domains (host->dir);
  gboolean found = FALSE;

  for (guint i = 0; i < ids->len; i++) {
    SimBlock *block = host_block_map (host->dir, g_array_index (ids, guint32, i));

    if (block && g_str_equal (block->name, name)) {
      change (host, block, word);
      found = TRUE;
    }
    host_block_unmap (block);
  }
  g_assert_true (found);
}

static void
pause_it (Host *host, SimBlock *block, const char *word)
{
  host_set_paused (host->dir, block, TRUE);
}

static void
unpause_it (Host *host, SimBlock *block, const char *word)
{
  host_set_paused (host->dir, block, FALSE);
}

static void
expect_running (Host *host, SimBlock *block, const char *word)
{
  g_assert_cmpuint (block->paused, ==, word == NULL);
}

static void
rename_it (Host *host, SimBlock *block, const char *name)
{
  g_strlcpy (block->name, name, sizeof (block->name));
}

static Host *
run (const char *inside, guint8 **uuid_out)
{
  Host *host = host_new ();

  *uuid_out = host_define (host, "g", inside);
  g_assert_true (host_start (host, *uuid_out, 0, NULL));
  g_string_truncate (host->events, 0);
  return host;
}

static void
expect_events (Host *host, const char *expected)
{
  g_autofree char *events = host_take_events (host);

  g_assert_cmpstr (events, ==, expected);
}

static gboolean
is_called (Host *host, const guint8 *uuid, const char *name)
{
  g_autoptr (XfDomainRef) ref = xf_driver_lookup_uuid (host->driver, uuid, NULL);

  return ref && g_str_equal (ref->name, name);
}

static void
test_paused_by_others (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run (NULL, &uuid);

  by_others (host, "g", pause_it, NULL);
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_PAUSED);
  expect_events (host, "g suspended 0;");
  by_others (host, "g", unpause_it, NULL);
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_RUNNING);
  expect_events (host, "g resumed 0;");
  host_free (host);
}

/* Before the next poll: the command itself reads the state. */
static void
test_command_looks (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run (NULL, &uuid);

  by_others (host, "g", pause_it, NULL);
  g_assert_true (host_call (host, xf_driver_domain_resume, uuid, NULL));
  by_others (host, "g", expect_running, "yes");
  g_assert_true (host_call (host, xf_driver_domain_suspend, uuid, NULL));
  by_others (host, "g", unpause_it, NULL);
  g_assert_true (host_call (host, xf_driver_domain_suspend, uuid, NULL));
  by_others (host, "g", expect_running, NULL);
  g_assert_cmpint (host_state (host, uuid, NULL), ==, VIR_DOMAIN_PAUSED);
  host_free (host);
}

static void
reboot (XfDriver *driver, const guint8 *uuid, XfDone done, gpointer data)
{
  xf_driver_domain_reboot (driver, uuid, 0, done, data);
}

static void
test_crashed_refuses (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run ("<on_crash>preserve</on_crash>", &uuid);
  g_autoptr (GError) error = NULL;

  host_ask (host, "g", SIM_ASK_CRASH);
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_CRASHED);
  g_assert_false (host_call (host, xf_driver_domain_suspend, uuid, &error));
  g_assert_nonnull (strstr (error->message, "'g': it has crashed"));
  g_assert_false (host_call (host, xf_driver_domain_resume, uuid, NULL));
  g_assert_false (host_shutdown (host, uuid, NULL));
  g_assert_false (host_call (host, reboot, uuid, NULL));
  g_assert_cmpint (host_state (host, uuid, NULL), ==, VIR_DOMAIN_CRASHED);
  host_restart_driver (host);
  g_assert_cmpint (host_state (host, uuid, NULL), ==, VIR_DOMAIN_CRASHED);
  host_free (host);
}

static void
test_renamed_by_others (void)
{
  g_autofree guint8 *uuid = NULL, *other = NULL;
  Host *host = run (NULL, &uuid);
  g_autofree char *before = g_build_filename (host->config.config_dir, "g.xml", NULL);
  g_autofree char *after = g_build_filename (host->config.config_dir, "new.xml", NULL);

  g_assert_true (g_file_test (before, G_FILE_TEST_EXISTS));
  by_others (host, "g", rename_it, "new");
  host_wait (is_called (host, uuid, "new"));
  g_assert_true (g_file_test (after, G_FILE_TEST_EXISTS));
  g_assert_false (g_file_test (before, G_FILE_TEST_EXISTS));
  host_restart_driver (host);
  g_assert_true (is_called (host, uuid, "new"));
  /* A name that another guest has is adopted only when it is free. */
  other = host_define (host, "other", NULL);
  by_others (host, "new", rename_it, "other");
  host_idle (1500);
  g_assert_true (is_called (host, uuid, "new"));
  g_assert_true (xf_driver_domain_undefine (host->driver, other, 0, NULL));
  host_wait (is_called (host, uuid, "other"));
  host_free (host);
}

/* The driver notices an end although libxl's event is missing. */
static void
test_end_without_event (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run (NULL, &uuid);

  xf_end_unwatch (xf_guest_find_uuid (host->driver, uuid));
  host_ask (host, "g", SIM_ASK_SHUTDOWN);
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_SHUTOFF);
  expect_events (host, "g shutdown 0; g stopped 0;");
  host_free (host);
}

/* libxl reports one shutdown per watch. A save by another toolstack uses the watch up: when the guest continues, the
 * driver must set a new watch to get an event of its end. */
static void
test_watch_is_renewed (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run (NULL, &uuid);
  XfGuest *guest = xf_guest_find_uuid (host->driver, uuid);

  host_ask (host, "g", SIM_ASK_SUSPEND);
  host_wait (guest->watch_spent && host_state (host, uuid, NULL) == VIR_DOMAIN_PAUSED);
  g_assert_cmpint (libxl_domain_resume (xf_ctx_libxl (host->driver->ctx), guest->domid, 1, NULL), ==, 0);
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_RUNNING);
  /* Without polling, only the event can report its end. */
  g_clear_pointer (&host->driver->discover, xf_discover_free);
  host_ask (host, "g", SIM_ASK_SHUTDOWN);
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_SHUTOFF);
  g_assert_cmpuint (host_count_domains (host), ==, 0);
  host_free (host);
}

static void
test_gone_without_event (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run (NULL, &uuid);
  XfGuest *guest = xf_guest_find_uuid (host->driver, uuid);

  xf_end_unwatch (guest);
  host_domain_destroy (host->dir, guest->domid);
  g_assert_false (host_call (host, xf_driver_domain_suspend, uuid, NULL));
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_SHUTOFF);
  expect_events (host, "g stopped 1;");
  host_free (host);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
  g_test_add_func ("/look/paused-by-others", test_paused_by_others);
  g_test_add_func ("/look/command-looks", test_command_looks);
  g_test_add_func ("/look/crashed-refuses", test_crashed_refuses);
  g_test_add_func ("/look/renamed-by-others", test_renamed_by_others);
  g_test_add_func ("/look/end-without-event", test_end_without_event);
  g_test_add_func ("/look/watch-is-renewed", test_watch_is_renewed);
  g_test_add_func ("/look/gone-without-event", test_gone_without_event);
  return g_test_run ();
}
