/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Guests keep running without the daemon: the next daemon finds them, knows their definitions, and notices their ends.
 * The same for guests that another toolstack started.
 */
#include <glib/gstdio.h>
#include <libvirt/libvirt.h>
#include <string.h>

#include "host.h"

static int
domid_of (Host *host, const guint8 *uuid)
{
  g_autoptr (XfDomainRef) ref = xf_driver_lookup_uuid (host->driver, uuid, NULL);

  return ref ? ref->id : -2;
}

/* A transient guest with an element that only its own XML has. */
static guint8 *
create (Host *host, const char *name)
{
  guint8 *uuid = g_malloc0 (XF_UUID_LENGTH);
  g_autofree char *xml = NULL;

  memcpy (uuid, "0123456789abcdef", XF_UUID_LENGTH);
  xml = host_xml (name, uuid, "<description>only in XML</description>");
  g_assert_true (host_create (host, xml, 0, NULL));
  return uuid;
}

static void
forget (Host *host, const char *what)
{
  g_autofree char *path = g_build_filename (host->dir, what, NULL);

  g_assert_cmpint (g_unlink (path), ==, 0);
}

static void
forget_status (Host *host)
{
  forget (host, "run/30313233-3435-3637-3839-616263646566.status");
}

static gboolean
has_description (Host *host, const guint8 *uuid)
{
  g_autofree char *text = xf_driver_domain_get_metadata (host->driver, uuid, VIR_DOMAIN_METADATA_DESCRIPTION, NULL, 0,
                                                         NULL);

  return g_strcmp0 (text, "only in XML") == 0;
}

static void
expect_end_is_noticed (Host *host, const guint8 *uuid)
{
  host_ask (host, "g", SIM_ASK_SHUTDOWN);
  host_wait (host_count_listed (host, 0) == 0);
  g_assert_cmpuint (host_count_domains (host), ==, 0);
}

static void
test_running (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = create (host, "g");
  int domid = domid_of (host, uuid), reason;

  host_restart_driver (host);
  g_assert_cmpint (domid_of (host, uuid), ==, domid);
  g_assert_cmpint (host_state (host, uuid, &reason), ==, VIR_DOMAIN_RUNNING);
  g_assert_cmpint (reason, ==, VIR_DOMAIN_RUNNING_BOOTED);
  g_assert_true (has_description (host, uuid));
  expect_end_is_noticed (host, uuid);
  host_free (host);
}

static void
test_paused (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = create (host, "g");
  int reason;

  g_assert_true (host_call (host, xf_driver_domain_suspend, uuid, NULL));
  host_restart_driver (host);
  g_assert_cmpint (host_state (host, uuid, &reason), ==, VIR_DOMAIN_PAUSED);
  g_assert_cmpint (reason, ==, VIR_DOMAIN_PAUSED_USER);
  g_assert_true (host_call (host, xf_driver_domain_resume, uuid, NULL));
  expect_end_is_noticed (host, uuid);
  host_free (host);
}

/* Guests that ended while no daemon ran. */
static void
test_meanwhile (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = create (host, "g");
  g_autofree guint8 *defined = host_define (host, "d", NULL);
  int domid = domid_of (host, uuid);

  g_assert_true (host_start (host, defined, 0, NULL));
  xf_driver_set_listener (host->driver, NULL, NULL);
  host_idle (50);
  xf_driver_free (host->driver);
  host_domain_destroy (host->dir, domid);
  host_ask_until (host, "d", SIM_ASK_SHUTDOWN, SIM_SHUTDOWN);
  host->driver = xf_driver_new (&host->config, NULL, NULL, NULL);
  g_assert_nonnull (host->driver);
  g_assert_cmpuint (host_count_listed (host, 0), ==, 1);
  host_wait (host_state (host, defined, NULL) == VIR_DOMAIN_SHUTOFF);
  g_assert_cmpuint (host_count_domains (host), ==, 0);
  host_free (host);
}

/* A guest of libvirtd, whose XML is stored with the domain. */
static void
test_libvirtd_guest (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = create (host, "g");

  forget_status (host);
  host_restart_driver (host);
  g_assert_cmpint (host_state (host, uuid, NULL), ==, VIR_DOMAIN_RUNNING);
  g_assert_true (has_description (host, uuid));
  expect_end_is_noticed (host, uuid);
  host_free (host);
}

/* A guest of xl: only libxl has its configuration. */
static void
test_foreign_guest (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = create (host, "g");
  g_autofree char *userdata = g_strdup_printf ("domains/%d/userdata-libvirt-xml", domid_of (host, uuid)), *xml = NULL;

  forget_status (host);
  forget (host, userdata);
  host_restart_driver (host);
  g_assert_cmpint (host_state (host, uuid, NULL), ==, VIR_DOMAIN_RUNNING);
  g_assert_false (has_description (host, uuid));
  xml = xf_driver_domain_xml (host->driver, uuid, 0, NULL);
  g_assert_nonnull (strstr (xml, "<kernel>/bin/sh</kernel>"));
  g_assert_nonnull (strstr (xml, "16384</memory>"));
  /* It can be managed like any other guest. */
  g_assert_true (host_call (host, xf_driver_domain_suspend, uuid, NULL));
  g_assert_true (host_call (host, xf_driver_domain_resume, uuid, NULL));
  expect_end_is_noticed (host, uuid);
  host_free (host);
}

/* A guest that was suspended by a migration whose daemon died: it is shown so, and an administrator can resume it. */
static void
test_suspended (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = create (host, "g");
  g_auto (GStrv) messages = NULL;
  int reason;

  host_ask (host, "g", SIM_ASK_SUSPEND);
  host_idle (100);
  host_restart_driver (host);
  g_assert_cmpint (host_state (host, uuid, &reason), ==, VIR_DOMAIN_PAUSED);
  g_assert_cmpint (reason, ==, VIR_DOMAIN_PAUSED_MIGRATION);
  messages = xf_driver_domain_messages (host->driver, uuid, NULL);
  g_assert_nonnull (messages[0]);
  g_assert_nonnull (strstr (messages[0], "virsh resume"));
  g_assert_true (host_call (host, xf_driver_domain_resume, uuid, NULL));
  g_assert_cmpint (host_state (host, uuid, NULL), ==, VIR_DOMAIN_RUNNING);
  expect_end_is_noticed (host, uuid);
  host_free (host);
}

/* A file that is not a definition affects no other guest, and stays. */
static void
test_bad_files (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid G_GNUC_UNUSED = host_define (host, "g", NULL);
  g_autofree char *bad = g_build_filename (host->dir, "etc", "bad.xml", NULL);
  g_autofree char *status = g_build_filename (host->dir, "run", "30313233-3435-3637-3839-616263646566.status", NULL);
  g_autofree guint8 *running = create (host, "r");

  g_assert_true (g_file_set_contents (bad, "<domain", -1, NULL));
  g_assert_true (g_file_set_contents (status, "[status]\ndomid=1\nxml=<nonsense>", -1, NULL));
  g_test_expect_message ("xf-libxl", G_LOG_LEVEL_WARNING, "*bad.xml*");
  host_restart_driver (host);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (host_count_listed (host, VIR_CONNECT_LIST_DOMAINS_ACTIVE), ==, 1);
  g_assert_true (has_description (host, running));
  g_assert_true (g_file_test (bad, G_FILE_TEST_EXISTS));
  host_free (host);
}

/* A status file for another guest than its file name says (restored or edited) is ignored. */
static void
test_status_of_another (void)
{
  static const guint8 other[XF_UUID_LENGTH] = "another";
  Host *host = host_new ();
  g_autofree char *path = g_build_filename (host->dir, "run", "30313233-3435-3637-3839-616263646566.status", NULL);
  g_autofree char *xml = host_xml ("other", other, NULL);
  g_autofree guint8 *uuid = create (host, "g");
  g_autoptr (GKeyFile) file = g_key_file_new ();

  g_assert_true (g_key_file_load_from_file (file, path, G_KEY_FILE_NONE, NULL));
  g_key_file_set_string (file, "status", "xml", xml);
  g_assert_true (g_key_file_save_to_file (file, path, NULL));
  host_restart_driver (host);
  g_assert_cmpint (host_state (host, uuid, NULL), ==, VIR_DOMAIN_RUNNING);
  g_assert_cmpuint (host_count_listed (host, VIR_CONNECT_LIST_DOMAINS_ACTIVE), ==, 1);
  g_assert_true (has_description (host, uuid));
  host_free (host);
}

/* The toolstack that started the guest has a process that acts on its end: the driver gives it time. */
static void
test_foreign_end (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = create (host, "g");
  g_autofree char *userdata = g_strdup_printf ("domains/%d/userdata-libvirt-xml", domid_of (host, uuid));

  forget_status (host);
  forget (host, userdata);
  host_restart_driver (host);
  host_ask (host, "g", SIM_ASK_SHUTDOWN);
  host_idle (700);
  g_assert_cmpuint (host_count_domains (host), ==, 1);
  host_wait (host_count_domains (host) == 0);
  host_free (host);
}

/* Another toolstack is building the domain: it is paused and has never run. It is not listed until it runs. */
static void
test_foreign_being_built (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = create (host, "g");
  g_autofree char *config = g_strdup_printf ("domains/%d/config.json", domid_of (host, uuid));
  g_autofree char *path = g_build_filename (host->dir, config, NULL), *json = NULL;
  SimBlock *block;
  guint32 domid;

  g_assert_true (g_file_get_contents (path, &json, NULL, NULL));
  g_assert_true (host_destroy (host, uuid, NULL));
  domid = host_domain_new (host->dir, "g", uuid, LIBXL_DOMAIN_TYPE_PVH, 4096, 1, json);
  host_idle (2500); /* more than two polls */
  g_assert_cmpuint (host_count_listed (host, 0), ==, 0);
  g_assert_true (host_guest_start (host->dir, domid));
  block = host_block_map (host->dir, domid);
  host_set_paused (host->dir, block, FALSE);
  host_block_unmap (block);
  host_wait (host_count_listed (host, 0) == 1);
  host_free (host);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/find/running", test_running);
  g_test_add_func ("/find/paused", test_paused);
  g_test_add_func ("/find/meanwhile", test_meanwhile);
  g_test_add_func ("/find/libvirtd-guest", test_libvirtd_guest);
  g_test_add_func ("/find/foreign-guest", test_foreign_guest);
  g_test_add_func ("/find/foreign-end", test_foreign_end);
  g_test_add_func ("/find/foreign-being-built", test_foreign_being_built);
  g_test_add_func ("/find/suspended", test_suspended);
  g_test_add_func ("/find/bad-files", test_bad_files);
  g_test_add_func ("/find/status-of-another", test_status_of_another);
  return g_test_run ();
}
