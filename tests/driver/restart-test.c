/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Guests that are started again after they ended: with which configuration, and what happens if that fails.
 */
#include <glib/gstdio.h>
#include <libvirt/libvirt.h>
#include <string.h>

#include "host.h"
#include "libxl/guest/driver_private.h"
#include "libxl/guest/operation.h"

#define RESTART "<on_reboot>restart</on_reboot>"

static int
domid_of (Host *host, const guint8 *uuid)
{
  g_autoptr (XfDomainRef) ref = xf_driver_lookup_uuid (host->driver, uuid, NULL);

  return ref ? ref->id : -2;
}

static Host *
run (const char *actions, guint8 **uuid_out)
{
  Host *host = host_new ();

  *uuid_out = host_define (host, "g", actions);
  g_assert_true (host_start (host, *uuid_out, 0, NULL));
  g_string_truncate (host->events, 0);
  return host;
}

static void
reboot (Host *host, const guint8 *uuid)
{
  int domid = domid_of (host, uuid);

  host_ask (host, "g", SIM_ASK_REBOOT);
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_RUNNING && domid_of (host, uuid) > domid);
}

static void
wait_for_message (Host *host, const guint8 *uuid, const char *text)
{
  g_auto (GStrv) messages = NULL;

  host_wait ((g_strfreev (messages), messages = xf_driver_domain_messages (host->driver, uuid, NULL))[0]
             && strstr (messages[0], text));
}

static void
expect_events (Host *host, const char *expected)
{
  g_autofree char *events = host_take_events (host);

  g_assert_cmpstr (events, ==, expected);
}

/* ---- the configuration ------------------------------------------------------------------------------------ */

/* Attaches as xl does, without the daemon. */
static void
attach_by_others (Host *host, const guint8 *uuid)
{
  libxl_ctx *libxl = xf_ctx_libxl (host->driver->ctx);
  libxl_domain_sched_params params;
  libxl_device_disk disk;
  libxl_device_nic nic;

  libxl_device_disk_init (&disk);
  disk.pdev_path = strdup ("/dev/attached");
  disk.vdev = strdup ("xvdz");
  g_assert_cmpint (libxl_device_disk_add (libxl, domid_of (host, uuid), &disk, NULL), ==, 0);
  libxl_device_disk_dispose (&disk);
  libxl_device_nic_init (&nic);
  nic.bridge = strdup ("attached");
  g_assert_cmpint (libxl_device_nic_add (libxl, domid_of (host, uuid), &nic, NULL), ==, 0);
  libxl_device_nic_dispose (&nic);
  libxl_domain_sched_params_init (&params);
  params.weight = 77;
  g_assert_cmpint (libxl_domain_sched_params_set (libxl, domid_of (host, uuid), &params), ==, 0);
  libxl_domain_sched_params_dispose (&params);
}

static void
expect_attached (Host *host, const guint8 *uuid, gboolean attached)
{
  libxl_domain_config config;

  libxl_domain_config_init (&config);
  g_assert_cmpint (
    libxl_retrieve_domain_configuration (xf_ctx_libxl (host->driver->ctx), domid_of (host, uuid), &config, NULL), ==,
    0);
  g_assert_cmpstr (config.c_info.name, ==, "g");
  g_assert_cmpmem (config.c_info.uuid.uuid, XF_UUID_LENGTH, uuid, XF_UUID_LENGTH);
  g_assert_cmpint (config.num_disks, ==, attached);
  g_assert_cmpint (config.num_nics, ==, attached);
  g_assert_cmpint (config.b_info.sched_params.weight == 77, ==, attached);
  if (attached) {
    g_assert_cmpstr (config.disks[0].pdev_path, ==, "/dev/attached");
    g_assert_cmpstr (config.nics[0].bridge, ==, "attached");
  }
  libxl_domain_config_dispose (&config);
}

static void
test_keeps_what_was_attached (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run (RESTART, &uuid);

  attach_by_others (host, uuid);
  reboot (host, uuid);
  expect_attached (host, uuid, TRUE);
  /* Again, with another daemon. */
  host_restart_driver (host);
  reboot (host, uuid);
  expect_attached (host, uuid, TRUE);
  /* Only a start uses the definition. */
  g_assert_true (host_destroy (host, uuid, NULL));
  g_assert_true (host_start (host, uuid, 0, NULL));
  expect_attached (host, uuid, FALSE);
  host_free (host);
}

static void
forget_configuration (Host *host, const guint8 *uuid)
{
  g_autofree char *path = g_strdup_printf ("%s/domains/%d/config.json", host->dir, domid_of (host, uuid));

  g_assert_cmpint (g_unlink (path), ==, 0);
}

/* If libxl has no configuration, the definition is used, with a warning. */
static void
test_unknown_configuration (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run (RESTART, &uuid);
  GLogLevelFlags fatal;

  attach_by_others (host, uuid);
  forget_configuration (host, uuid);
  fatal = g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL); /* it warns */
  reboot (host, uuid);
  (void)g_log_set_always_fatal (fatal);
  expect_attached (host, uuid, FALSE);
  host_free (host);
}

/* A guest of another toolstack without a process that restarts it. */
static void
test_foreign (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run (RESTART, &uuid);

  attach_by_others (host, uuid);
  xf_guest_find_uuid (host->driver, uuid)->foreign = TRUE;
  reboot (host, uuid);
  expect_attached (host, uuid, TRUE);
  host_free (host);
}

/* ---- the ended domain is kept ----------------------------------------------------------------------------- */

#define RENAME "<on_crash>rename-restart</on_crash>"

/* Finds a domain with the guest's uuid that has ended and is not @domid; returns its name or NULL. */
static char *
find_kept (Host *host, const guint8 *uuid, int domid)
{
  g_autoptr (GArray) ids = host_domains (host->dir);
  char *name = NULL;

  for (guint i = 0; i < ids->len; i++) {
    SimBlock *block = host_block_map (host->dir, g_array_index (ids, guint32, i));

    if (block && (int)block->domid != domid && memcmp (block->uuid, uuid, XF_UUID_LENGTH) == 0
        && block->state == SIM_SHUTDOWN)
      name = g_strdup (block->name);
    host_block_unmap (block);
  }
  return name;
}

/* The ended domain is kept, and is not listed. */
static void
expect_kept (Host *host, const guint8 *uuid, guint domains)
{
  g_autofree char *name = NULL;

  host_idle (2500); /* more than two polls, and the time that a keeper gets */
  name = find_kept (host, uuid, domid_of (host, uuid));
  g_assert_nonnull (name);
  g_assert_true (g_regex_match_simple ("^g-[0-9]{8}T[0-9]{4}Z$", name, 0, 0));
  g_assert_cmpuint (host_count_domains (host), ==, domains);
  g_assert_cmpuint (host_count_listed (host, 0), ==, 1);
}

static void
crash (Host *host, const guint8 *uuid)
{
  int domid = domid_of (host, uuid);

  host_ask (host, "g", SIM_ASK_CRASH);
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_RUNNING && domid_of (host, uuid) > domid);
}

static void
test_rename_restart (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run (RENAME, &uuid);
  int domid;

  attach_by_others (host, uuid);
  crash (host, uuid);
  expect_events (host, "g stopped 0; g started 0;");
  expect_attached (host, uuid, TRUE);
  expect_kept (host, uuid, 2);
  domid = domid_of (host, uuid);
  host_restart_driver (host);
  g_assert_cmpint (domid_of (host, uuid), ==, domid);
  g_assert_cmpint (host_state (host, uuid, NULL), ==, VIR_DOMAIN_RUNNING);
  expect_kept (host, uuid, 2);
  /* Also while the guest is off, and with the next daemon. */
  g_assert_true (host_destroy (host, uuid, NULL));
  expect_kept (host, uuid, 1);
  host_restart_driver (host);
  expect_kept (host, uuid, 1);
  g_assert_cmpint (host_state (host, uuid, NULL), ==, VIR_DOMAIN_SHUTOFF);
  g_assert_true (host_start (host, uuid, 0, NULL));
  expect_kept (host, uuid, 2);
  host_free (host);
}

static void
test_rename_fails (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run (RENAME, &uuid);

  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL); /* it warns */
  host_set_control (host, "fail=preserve\n");
  crash (host, uuid);
  wait_for_message (host, uuid, "cannot be kept under another name, so it is destroyed");
  g_assert_cmpuint (host_count_domains (host), ==, 1);
  host_free (host);
}

/* xl's process for the guest renames the domain. */
static void
test_renamed_by_keeper (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run (RENAME, &uuid);
  libxl_ctx *libxl = xf_ctx_libxl (host->driver->ctx);
  g_autofree char *path = g_strdup_printf ("%s/domains/%d/config.json", host->dir, domid_of (host, uuid)), *json = NULL;
  g_autofree char *file = g_build_filename (host->config.config_dir, "g.xml", NULL);
  SimBlock *block;
  guint32 domid;

  g_assert_true (g_file_get_contents (path, &json, NULL, NULL));
  xf_guest_find_uuid (host->driver, uuid)->foreign = TRUE;
  host_ask (host, "g", SIM_ASK_CRASH);
  host_idle (100);
  g_assert_cmpint (libxl_domain_rename (libxl, domid_of (host, uuid), "g", "g-20260102T0304Z"), ==, 0);
  domid = host_domain_new (host->dir, "g", uuid, LIBXL_DOMAIN_TYPE_PVH, 4096, 1, json);
  g_assert_true (host_guest_start (host->dir, domid));
  block = host_block_map (host->dir, domid);
  host_set_paused (host->dir, block, FALSE);
  host_block_unmap (block);
  host_wait (domid_of (host, uuid) == (int)domid);
  expect_kept (host, uuid, 2);
  g_assert_true (g_file_test (file, G_FILE_TEST_EXISTS));
  host_free (host);
}

/* ---- repeated attempts ------------------------------------------------------------------------------------ */

/* "g" has rebooted, and its new domain could not be built. */
static Host *
run_failing (const char *control, guint8 **uuid_out)
{
  Host *host = run (RESTART, uuid_out);

  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL); /* it warns */
  host_set_control (host, control);
  host_ask (host, "g", SIM_ASK_REBOOT);
  wait_for_message (host, *uuid_out, "could not be started again");
  return host;
}

static void
expect_off (Host *host, const guint8 *uuid, int reason)
{
  int is;

  g_assert_cmpint (host_state (host, uuid, &is), ==, VIR_DOMAIN_SHUTOFF);
  g_assert_cmpint (is, ==, reason);
  g_assert_cmpint (domid_of (host, uuid), ==, -1);
  g_assert_cmpuint (host_count_domains (host), ==, 0);
}

static void
test_tried_again (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run (RESTART, &uuid);

  attach_by_others (host, uuid);
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL); /* it warns */
  host_set_control (host, "fail=create\n");
  host_ask (host, "g", SIM_ASK_REBOOT);
  wait_for_message (host, uuid, "told to fail at create");
  wait_for_message (host, uuid, "attempt 2 of 10 is in 1 s");
  expect_off (host, uuid, VIR_DOMAIN_SHUTOFF_FAILED);
  wait_for_message (host, uuid, "attempt 3 of 10 is in 2 s");
  expect_events (host, "g stopped 0; g stopped 5;");
  host_set_control (host, "");
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_RUNNING);
  expect_events (host, "g started 0;");
  expect_attached (host, uuid, TRUE);
  host_free (host);
}

/* A transient guest is listed while its restart is repeated. */
static void
test_transient (void)
{
  Host *host = host_new ();
  g_autofree char *xml = host_xml ("g", NULL, RESTART), *shown = NULL;
  g_autoptr (XfDomainRef) ref = NULL;
  g_autoptr (GError) error = NULL;

  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL); /* it warns */
  g_assert_true (host_create (host, xml, 0, NULL));
  ref = xf_driver_lookup_name (host->driver, "g", NULL);
  host_set_control (host, "fail=create\n");
  host_ask (host, "g", SIM_ASK_REBOOT);
  wait_for_message (host, ref->uuid, "could not be started again");
  shown = xf_driver_domain_xml (host->driver, ref->uuid, 0, NULL);
  g_assert_nonnull (strstr (shown, "<name>g</name>"));
  g_assert_false (host_start (host, ref->uuid, 0, &error));
  g_assert_nonnull (strstr (error->message, "'g' is being started again after its end"));
  g_assert_true (host_destroy (host, ref->uuid, NULL));
  g_assert_cmpuint (host_count_listed (host, 0), ==, 0);
  host_free (host);
}

static void
test_destroyed_meanwhile (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run_failing ("fail=create\n", &uuid);

  g_assert_true (host_destroy (host, uuid, NULL));
  expect_off (host, uuid, VIR_DOMAIN_SHUTOFF_DESTROYED);
  host_set_control (host, "");
  host_idle (2500); /* longer than the time between attempts */
  expect_off (host, uuid, VIR_DOMAIN_SHUTOFF_DESTROYED);
  host_free (host);
}

static void
test_started_meanwhile (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run_failing ("fail=create\n", &uuid);

  host_set_control (host, "");
  g_assert_true (host_start (host, uuid, 0, NULL));
  host_idle (2500);
  g_assert_cmpuint (host_count_domains (host), ==, 1);
  host_free (host);
}

static void
test_undefined_meanwhile (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run_failing ("fail=create\n", &uuid);

  g_assert_true (xf_driver_domain_undefine (host->driver, uuid, 0, NULL));
  host_set_control (host, "");
  host_idle (2500);
  g_assert_cmpuint (host_count_domains (host), ==, 0);
  g_assert_cmpuint (host_count_listed (host, 0), ==, 0);
  host_free (host);
}

/* The daemon ends at once, and the next one does not continue: only a boot of the host starts guests by itself. */
static void
test_daemon_ends_meanwhile (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run_failing ("fail=create\n", &uuid);
  gint64 begin = g_get_monotonic_time ();

  host_stop_driver (host);
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 2 * G_USEC_PER_SEC);
  host_set_control (host, "");
  host_start_driver (host);
  host_idle (2500);
  expect_off (host, uuid, 0);
  host_free (host);
}

/* Another toolstack has started the guest: the driver does not start a second copy. */
static void
test_started_by_others_meanwhile (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run (RESTART, &uuid);
  g_autofree char *path = g_strdup_printf ("%s/domains/%d/config.json", host->dir, domid_of (host, uuid)), *json = NULL;
  SimBlock *block;
  guint32 domid;

  g_assert_true (g_file_get_contents (path, &json, NULL, NULL));
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL); /* it warns */
  host_set_control (host, "fail=create\n");
  host_ask (host, "g", SIM_ASK_REBOOT);
  wait_for_message (host, uuid, "could not be started again");
  domid = host_domain_new (host->dir, "renamed", uuid, LIBXL_DOMAIN_TYPE_PVH, 4096, 1, json);
  g_assert_true (host_guest_start (host->dir, domid));
  block = host_block_map (host->dir, domid);
  host_set_paused (host->dir, block, FALSE);
  host_block_unmap (block);
  host_set_control (host, "");
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_RUNNING);
  host_idle (2500);
  g_assert_cmpint (domid_of (host, uuid), ==, domid);
  g_assert_cmpuint (host_count_domains (host), ==, 1);
  host_free (host);
}

/* The domain of a failed attempt is gone before the next attempt. */
static void
test_remains_first (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run (RESTART, &uuid);

  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL); /* it warns */
  host_set_control (host, "fail=unpause\n");
  host_ask (host, "g", SIM_ASK_REBOOT);
  host_wait (domid_of (host, uuid) == -1);
  host_set_control (host, "fail=unpause,destroy\n");
  wait_for_message (host, uuid, "is still being removed");
  g_assert_cmpuint (host_count_domains (host), ==, 1);
  host_set_control (host, "");
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_RUNNING);
  g_assert_cmpuint (host_count_domains (host), ==, 1);
  host_free (host);
}

static void
test_gives_up (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = run_failing ("fail=create\n", &uuid);
  XfGuest *guest = xf_guest_find_uuid (host->driver, uuid);

  ((XfOperation *)guest->job->owner)->tries = 9;
  wait_for_message (host, uuid, "is not started again, after 10 attempts: cannot restart domain 'g'");
  g_assert_null (guest->job);
  expect_off (host, uuid, VIR_DOMAIN_SHUTOFF_FAILED);
  expect_events (host, "g stopped 0; g stopped 5;");
  host_set_control (host, "");
  g_assert_true (host_start (host, uuid, 0, NULL));
  host_free (host);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/restart/keeps-what-was-attached", test_keeps_what_was_attached);
  g_test_add_func ("/restart/unknown-configuration", test_unknown_configuration);
  g_test_add_func ("/restart/foreign", test_foreign);
  g_test_add_func ("/restart/rename-restart", test_rename_restart);
  g_test_add_func ("/restart/rename-fails", test_rename_fails);
  g_test_add_func ("/restart/renamed-by-keeper", test_renamed_by_keeper);
  g_test_add_func ("/restart/tried-again", test_tried_again);
  g_test_add_func ("/restart/transient", test_transient);
  g_test_add_func ("/restart/destroyed-meanwhile", test_destroyed_meanwhile);
  g_test_add_func ("/restart/started-meanwhile", test_started_meanwhile);
  g_test_add_func ("/restart/undefined-meanwhile", test_undefined_meanwhile);
  g_test_add_func ("/restart/daemon-ends-meanwhile", test_daemon_ends_meanwhile);
  g_test_add_func ("/restart/started-by-others-meanwhile", test_started_by_others_meanwhile);
  g_test_add_func ("/restart/remains-first", test_remains_first);
  g_test_add_func ("/restart/gives-up", test_gives_up);
  return g_test_run ();
}
