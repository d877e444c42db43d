/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Definitions: which name and uuid is accepted, what is listed, what is on disk.
 */
#include <libvirt/libvirt.h>

#include "base/error.h"
#include "host.h"
#include "libxl/guest/driver_private.h"

static gboolean
file_exists (Host *host, const char *name)
{
  g_autofree char *path = g_build_filename (host->dir, name, NULL);

  return g_file_test (path, G_FILE_TEST_EXISTS);
}

static void
expect_events (Host *host, const char *expected)
{
  g_autofree char *events = host_take_events (host);

  g_assert_cmpstr (events, ==, expected);
}

static void
test_define (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = host_define (host, "g", NULL);
  g_autofree char *xml = host_xml ("g", uuid, "<title>again</title>"), *title = NULL;
  g_autoptr (XfDomainRef) ref = xf_driver_domain_define (host->driver, xml, 0, NULL);

  g_assert_nonnull (ref);
  g_assert_cmpint (ref->id, ==, -1);
  g_assert_cmpuint (host_count_listed (host, 0), ==, 1);
  g_assert_true (file_exists (host, "etc/g.xml"));
  title = xf_driver_domain_get_metadata (host->driver, uuid, VIR_DOMAIN_METADATA_TITLE, NULL, 0, NULL);
  g_assert_cmpstr (title, ==, "again");
  g_assert_true (xf_driver_domain_undefine (host->driver, uuid, 0, NULL));
  g_assert_cmpuint (host_count_listed (host, 0), ==, 0);
  g_assert_false (file_exists (host, "etc/g.xml"));
  expect_events (host, "g defined 0; g defined 1; g undefined 0;");
  host_free (host);
}

static void
refuse_definition (Host *host, const char *name, const guint8 *uuid)
{
  g_autofree char *xml = host_xml (name, uuid, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (xf_driver_domain_define (host->driver, xml, 0, &error));
  g_assert_error (error, XF_ERROR, XF_ERROR_DOMAIN_EXISTS);
  g_assert_nonnull (strstr (error->message, "'g'"));
  g_clear_error (&error);
  g_assert_false (host_create (host, xml, 0, &error));
  g_assert_error (error, XF_ERROR, XF_ERROR_DOMAIN_EXISTS);
}

static void
test_clash (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = host_define (host, "g", NULL);
  g_autofree guint8 *other = host_define (host, "h", NULL);

  refuse_definition (host, "g", NULL);
  refuse_definition (host, "x", uuid);
  refuse_definition (host, "g", other);
  g_assert_cmpuint (host_count_listed (host, 0), ==, 2);
  g_assert_cmpuint (host_count_domains (host), ==, 0);
  host_free (host);
}

static void
test_undefine_running (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = host_define (host, "g", NULL);
  gboolean persistent = TRUE;

  g_assert_true (host_start (host, uuid, 0, NULL));
  g_assert_true (xf_driver_domain_undefine (host->driver, uuid, 0, NULL));
  g_assert_true (xf_driver_domain_is_persistent (host->driver, uuid, &persistent, NULL));
  g_assert_false (persistent);
  g_assert_false (xf_driver_domain_undefine (host->driver, uuid, 0, NULL));
  g_assert_true (host_destroy (host, uuid, NULL));
  g_assert_cmpuint (host_count_listed (host, 0), ==, 0);
  expect_events (host, "g defined 0; g started 0; g undefined 0; g stopped 1;");
  host_free (host);
}

static void
test_filters (void)
{
  Host *host = host_new ();
  g_autofree guint8 *idle = host_define (host, "idle", NULL);
  g_autofree guint8 *paused = host_define (host, "paused", NULL);
  g_autofree char *xml = host_xml ("transient", NULL, NULL);

  g_assert_true (host_start (host, paused, VIR_DOMAIN_START_PAUSED, NULL));
  g_assert_true (host_create (host, xml, 0, NULL));
  g_assert_true (xf_driver_domain_set_autostart (host->driver, idle, TRUE, NULL));
  g_assert_cmpuint (host_count_listed (host, VIR_CONNECT_LIST_DOMAINS_ACTIVE), ==, 2);
  g_assert_cmpuint (host_count_listed (host, VIR_CONNECT_LIST_DOMAINS_INACTIVE), ==, 1);
  g_assert_cmpuint (host_count_listed (host, VIR_CONNECT_LIST_DOMAINS_PERSISTENT), ==, 2);
  g_assert_cmpuint (host_count_listed (host, VIR_CONNECT_LIST_DOMAINS_TRANSIENT), ==, 1);
  g_assert_cmpuint (host_count_listed (host, VIR_CONNECT_LIST_DOMAINS_PAUSED), ==, 1);
  g_assert_cmpuint (host_count_listed (host, VIR_CONNECT_LIST_DOMAINS_RUNNING), ==, 1);
  g_assert_cmpuint (host_count_listed (host, VIR_CONNECT_LIST_DOMAINS_SHUTOFF), ==, 1);
  g_assert_cmpuint (host_count_listed (host, VIR_CONNECT_LIST_DOMAINS_AUTOSTART), ==, 1);
  g_assert_cmpuint (host_count_listed (host, VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE), ==, 0);
  g_assert_cmpuint (host_count_listed (host, VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_PERSISTENT), ==,
                    1);
  host_free (host);
}

static void
test_autostart (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = host_define (host, "g", NULL);

  g_assert_true (xf_driver_domain_set_autostart (host->driver, uuid, TRUE, NULL));
  g_assert_true (file_exists (host, "etc/autostart/g.xml"));
  xf_driver_autostart (host->driver);
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_RUNNING);
  g_assert_true (host_destroy (host, uuid, NULL));
  /* A restart of the daemon is not a boot of the host. */
  host_restart_driver (host);
  xf_driver_autostart (host->driver);
  host_idle (100);
  g_assert_cmpint (host_state (host, uuid, NULL), ==, VIR_DOMAIN_SHUTOFF);
  g_assert_true (xf_driver_domain_set_autostart (host->driver, uuid, FALSE, NULL));
  g_assert_false (file_exists (host, "etc/autostart/g.xml"));
  host_free (host);
}

/* A guest that is being received is not visible; its name and uuid are reserved. */
static void
test_incoming (void)
{
  Host *host = host_new ();
  guint8 uuid[XF_UUID_LENGTH] = { 1, 2, 3 };
  g_autoptr (GError) error = NULL;
  XfGuest *guest = xf_guest_reserve_incoming (host->driver, "g", uuid, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (host_count_listed (host, 0), ==, 0);
  g_assert_null (xf_driver_lookup_name (host->driver, "g", &error));
  g_assert_error (error, XF_ERROR, XF_ERROR_NO_DOMAIN);
  g_clear_error (&error);
  g_assert_null (xf_driver_lookup_uuid (host->driver, uuid, NULL));
  g_assert_null (xf_guest_reserve_incoming (host->driver, "g", uuid, NULL));
  refuse_definition (host, "g", NULL);
  refuse_definition (host, "g", uuid);
  xf_guest_release_incoming (guest);
  g_assert_null (xf_guest_find_uuid (host->driver, uuid));
  host_free (host);
}

static void
test_domain_0 (void)
{
  Host *host = host_new ();
  const guint8 zeros[XF_UUID_LENGTH] = { 0 };
  g_autoptr (XfDomainRef) ref = xf_driver_lookup_id (host->driver, 0, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (ref);
  g_assert_cmpstr (ref->name, ==, "Domain-0");
  g_assert_cmpmem (ref->uuid, XF_UUID_LENGTH, zeros, XF_UUID_LENGTH);
  g_assert_false (host_destroy (host, zeros, &error));
  g_assert_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID);
  g_assert_false (host_call (host, xf_driver_domain_suspend, zeros, NULL));
  g_assert_false (xf_driver_domain_undefine (host->driver, zeros, 0, NULL));
  host_free (host);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/registry/define", test_define);
  g_test_add_func ("/registry/clash", test_clash);
  g_test_add_func ("/registry/undefine-running", test_undefine_running);
  g_test_add_func ("/registry/filters", test_filters);
  g_test_add_func ("/registry/autostart", test_autostart);
  g_test_add_func ("/registry/incoming", test_incoming);
  g_test_add_func ("/registry/domain-0", test_domain_0);
  return g_test_run ();
}
