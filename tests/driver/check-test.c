/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Checks without a migration, on either side: everything that is wrong is found, and nothing is changed.
 */
#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "host.h"

static const guint8 uuid[XF_UUID_LENGTH] = "0123456789abcdef";
static const int client = 1; /* its address is the token */

/* ---- a destination's daemon ------------------------------------------------------------------------------- */

typedef struct {
  Host *host;
  GString *findings; /* "host resource blocks: text\n" of each */
  gboolean done;
  GError *error;

  /* the daemon at the destination */
  gboolean unreachable, libvirtd;
  char *asked_xml;
  GBytes *asked_cookie;
} Fixture;

struct XfPeer {
  Fixture *fixture;
  XfPeerOpened opened;
  XfPeerFeature feature;
  XfCheckDone checked;
  gpointer data;
  guint id;
};

static gboolean
say_opened (gpointer data)
{
  XfPeer *peer = data;
  g_autoptr (GError) error = NULL;

  peer->id = 0;
  if (peer->fixture->unreachable)
    error = g_error_new_literal (XF_ERROR, XF_ERROR_NO_CONNECT, "connection refused");
  peer->opened (error ? NULL : peer, error, peer->data);
  return G_SOURCE_REMOVE;
}

static XfPeer *
peer_open (gpointer peers_data, const char *uri, guint timeout_s, XfPeerOpened opened, XfDone closed, gpointer data)
{
  XfPeer *peer = g_new0 (XfPeer, 1);

  *peer = (XfPeer){ .fixture = peers_data, .opened = opened, .data = data };
  peer->id = g_idle_add (say_opened, peer);
  return peer;
}

static void
peer_close (XfPeer *peer)
{
  g_clear_handle_id (&peer->id, g_source_remove);
  g_free (peer);
}

static gboolean
say_feature (gpointer data)
{
  XfPeer *peer = data;

  peer->id = 0;
  peer->feature (!peer->fixture->libvirtd, NULL, peer->data);
  return G_SOURCE_REMOVE;
}

static void
peer_supports (XfPeer *peer, int feature, XfPeerFeature done, gpointer data)
{
  peer->feature = done;
  peer->data = data;
  peer->id = g_idle_add (say_feature, peer);
}

static gboolean
say_checked (gpointer data)
{
  XfPeer *peer = data;
  g_autoptr (GPtrArray) findings = g_ptr_array_new_with_free_func (xf_check_finding_free);

  peer->id = 0;
  g_ptr_array_add (findings, xf_check_finding_new ("b", "disk:xvda", TRUE, "it is not there"));
  peer->checked (findings, NULL, peer->data);
  return G_SOURCE_REMOVE;
}

static void
peer_check (XfPeer *peer, const XfTypedParams *params, GBytes *cookie, guint flags, XfCheckDone done, gpointer data)
{
  Fixture *fixture = peer->fixture;

  fixture->asked_xml = g_strdup (xf_typed_params_find (params, VIR_MIGRATE_PARAM_DEST_XML)->s);
  fixture->asked_cookie = g_bytes_ref (cookie);
  peer->checked = done;
  peer->data = data;
  peer->id = g_idle_add (say_checked, peer);
}

static const XfPeerOps ops = {
  .open = peer_open,
  .close = peer_close,
  .supports_feature = peer_supports,
  .check = peer_check,
};

/* ---- calls ------------------------------------------------------------------------------------------------ */

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->findings = g_string_new (NULL);
  fixture->host = host_new ();
  fixture->host->config.resource_dir = g_build_filename (fixture->host->dir, "resources.d", NULL);
  fixture->host->peers = &ops;
  fixture->host->peers_data = fixture;
  host_restart_driver (fixture->host);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  host_free (fixture->host);
  g_string_free (fixture->findings, TRUE);
  g_clear_error (&fixture->error);
  g_free (fixture->asked_xml);
  g_clear_pointer (&fixture->asked_cookie, g_bytes_unref);
}

static void
done (const GPtrArray *findings, const GError *error, gpointer data)
{
  Fixture *fixture = data;

  g_assert_true ((findings == NULL) == (error != NULL));
  fixture->done = TRUE;
  g_clear_error (&fixture->error);
  fixture->error = error ? g_error_copy (error) : NULL;
  g_string_truncate (fixture->findings, 0);
  for (guint i = 0; findings && i < findings->len; i++) {
    const XfCheckFinding *finding = findings->pdata[i];

    g_string_append_printf (fixture->findings, "%s %s: %s\n", finding->resource, finding->blocks ? "blocks" : "warns",
                            finding->text);
  }
}

static void
check_incoming (Fixture *fixture, const char *inside)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();
  g_autofree char *xml = host_xml ("g", uuid, inside);

  xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_DEST_XML, xml);
  fixture->done = FALSE;
  xf_driver_migrate_check_incoming (fixture->host->driver, params, NULL, VIR_MIGRATE_LIVE, done, fixture);
  g_assert_false (fixture->done);
  host_wait (fixture->done);
}

static void
check (Fixture *fixture)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();

  fixture->done = FALSE;
  xf_driver_migrate_check (fixture->host->driver, uuid, "xen+tcp://b/system", params, VIR_MIGRATE_LIVE, done, fixture);
  g_assert_false (fixture->done);
  host_wait (fixture->done);
}

static void
create (Fixture *fixture)
{
  g_autofree char *xml = host_xml ("g", uuid, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (host_create (fixture->host, xml, 0, &error));
  g_assert_no_error (error);
}

static gboolean
is_found (const Fixture *fixture, const char *text)
{
  return strstr (fixture->findings->str, text) != NULL;
}

static void
add_executable (Fixture *fixture, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (fixture->host->config.resource_dir, name, NULL);

  g_assert_cmpint (g_mkdir_with_parents (fixture->host->config.resource_dir, 0755), ==, 0);
  g_assert_true (g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_NONE, 0755, NULL));
}

/* ---- tests ------------------------------------------------------------------------------------------------ */

static void
test_nothing (Fixture *fixture, gconstpointer data)
{
  check_incoming (fixture, NULL);
  g_assert_no_error (fixture->error);
  g_assert_cmpstr (fixture->findings->str, ==, "");
  g_assert_cmpuint (host_count_listed (fixture->host, 0), ==, 0);
}

static void
test_everything (Fixture *fixture, gconstpointer data)
{
  create (fixture);
  add_executable (fixture, "vlan", "#!/bin/sh\necho 'no vlan 12' >&2; exit 1\n");
  add_executable (fixture, "lease", "#!/bin/sh\necho 'no lockspace' >&2; exit 1\n");
  host_set_control (fixture->host, "memory-mib=520\n"); /* 512 are dom0's */
  check_incoming (fixture, NULL);
  g_assert_true (is_found (fixture, "name blocks"));
  g_assert_true (is_found (fixture, "memory blocks"));
  g_assert_true (is_found (fixture, "executable:lease blocks"));
  g_assert_true (is_found (fixture, "no lockspace"));
  g_assert_true (is_found (fixture, "executable:vlan blocks"));
  g_assert_true (is_found (fixture, "no vlan 12"));
  g_assert_cmpint (host_state (fixture->host, uuid, NULL), ==, VIR_DOMAIN_RUNNING);
}

static void
test_metadata (Fixture *fixture, gconstpointer data)
{
  check_incoming (fixture, "<metadata><x:resources xmlns:x='https://xenferry.org/schema/resources/1.0'>"
                           "<x:resource name='disk' want='perhaps'/></x:resources></metadata>");
  g_assert_true (is_found (fixture, "metadata blocks"));
}

static void
test_no_request (Fixture *fixture, gconstpointer data)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();

  xf_driver_migrate_check_incoming (fixture->host->driver, params, NULL, 0, done, fixture);
  host_wait (fixture->done);
  g_assert_true (is_found (fixture, "request blocks: no domain XML"));
}

/* The source's findings, and the destination's after them; it gets what prepare would get. */
static void
test_both_sides (Fixture *fixture, gconstpointer data)
{
  XfJobInfo info = { .type = -1 };

  create (fixture);
  add_executable (fixture, "vlan", "#!/bin/sh\necho \"no vlan at the $2\" >&2; exit 1\n");
  check (fixture);
  g_assert_no_error (fixture->error);
  g_assert_true (is_found (fixture, "executable:vlan blocks"));
  g_assert_true (is_found (fixture, "no vlan at the source"));
  g_assert_true (g_str_has_suffix (fixture->findings->str, "\ndisk:xvda blocks: it is not there\n"));
  g_assert_nonnull (strstr (fixture->asked_xml, "<name>g</name>"));
  g_assert_nonnull (strstr (g_bytes_get_data (fixture->asked_cookie, NULL), "config>"));
  /* No job, no event, and a migration may begin. */
  g_assert_true (xf_driver_job_info (fixture->host->driver, uuid, &info, NULL));
  g_assert_cmpint (info.type, ==, VIR_DOMAIN_JOB_NONE);
}

static void
test_unreachable (Fixture *fixture, gconstpointer data)
{
  create (fixture);
  fixture->unreachable = TRUE;
  check (fixture);
  g_assert_true (is_found (fixture, "destination blocks: connection refused"));
}

static void
test_libvirtd (Fixture *fixture, gconstpointer data)
{
  create (fixture);
  fixture->libvirtd = TRUE;
  check (fixture);
  g_assert_true (is_found (fixture, "destination warns"));
  g_assert_null (fixture->asked_xml);
}

static void
begun (const XfMigrateResult *result, const GError *error, gpointer data)
{
  ((Fixture *)data)->done = TRUE;
}

/* A guest that migrates, and one that is off. */
static void
test_not_now (Fixture *fixture, gconstpointer data)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();

  create (fixture);
  xf_driver_migrate_begin (fixture->host->driver, uuid, &client, params, VIR_MIGRATE_LIVE, begun, fixture);
  host_wait (fixture->done);
  check (fixture);
  g_assert_true (is_found (fixture, "guest blocks"));
  g_assert_true (is_found (fixture, "being migrated"));
  g_assert_true (is_found (fixture, "disk:xvda blocks"));
  xf_driver_client_gone (fixture->host->driver, &client);
}

static void
test_unknown (Fixture *fixture, gconstpointer data)
{
  check (fixture);
  g_assert_error (fixture->error, XF_ERROR, XF_ERROR_NO_DOMAIN);
}

/* The daemon ends while an executable runs: the check is answered. */
static void
test_daemon_ends (Fixture *fixture, gconstpointer data)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();
  g_autofree char *xml = host_xml ("g", uuid, NULL);

  add_executable (fixture, "slow", "#!/bin/sh\nsleep 30\n");
  xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_DEST_XML, xml);
  xf_driver_migrate_check_incoming (fixture->host->driver, params, NULL, VIR_MIGRATE_LIVE, done, fixture);
  host_idle (100);
  host_stop_driver (fixture->host);
  g_assert_true (fixture->done);
  g_assert_error (fixture->error, XF_ERROR, XF_ERROR_ABORTED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_always_fatal (G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK);
  g_test_add ("/check/nothing", Fixture, NULL, set_up, test_nothing, tear_down);
  g_test_add ("/check/everything", Fixture, NULL, set_up, test_everything, tear_down);
  g_test_add ("/check/metadata", Fixture, NULL, set_up, test_metadata, tear_down);
  g_test_add ("/check/no-request", Fixture, NULL, set_up, test_no_request, tear_down);
  g_test_add ("/check/both-sides", Fixture, NULL, set_up, test_both_sides, tear_down);
  g_test_add ("/check/unreachable", Fixture, NULL, set_up, test_unreachable, tear_down);
  g_test_add ("/check/libvirtd", Fixture, NULL, set_up, test_libvirtd, tear_down);
  g_test_add ("/check/not-now", Fixture, NULL, set_up, test_not_now, tear_down);
  g_test_add ("/check/unknown", Fixture, NULL, set_up, test_unknown, tear_down);
  g_test_add ("/check/daemon-ends", Fixture, NULL, set_up, test_daemon_ends, tear_down);
  return g_test_run ();
}
