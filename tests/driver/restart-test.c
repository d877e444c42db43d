/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Guests that are started again after their own end: as what, and what happens when that fails.
 */
#include <glib/gstdio.h>
#include <libvirt/libvirt.h>
#include <string.h>

#include "host.h"
#include "libxl/driver_private.h"

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

/* ---- as what ---------------------------------------------------------------------------------------------- */

/* As xl does it: not a word to the daemon. */
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
  /* Again, and by another daemon. */
  host_restart_driver (host);
  reboot (host, uuid);
  expect_attached (host, uuid, TRUE);
  /* Only a start begins with the definition. */
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

/* libxl does not know: the definition is what remains, with a warning. */
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

/* A guest of another toolstack that nothing looks after. */
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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/restart/keeps-what-was-attached", test_keeps_what_was_attached);
  g_test_add_func ("/restart/unknown-configuration", test_unknown_configuration);
  g_test_add_func ("/restart/foreign", test_foreign);
  return g_test_run ();
}
