/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The phases one by one, and in a wrong order, on one simulated host.
 */
#include <arpa/inet.h>
#include <libvirt/libvirt.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "conf/migrate_uri.h"
#include "host.h"

typedef struct {
  Host *host;
  XfDriver *driver;

  /* of the last callback */
  gboolean done;
  GError *error;
  char *xml, *uri;
  GBytes *cookie;
} Fixture;

static const int client = 1, other = 2; /* their addresses are the tokens */

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->host = host_new ();
  fixture->host->config.migration_host = g_strdup ("127.0.0.1");
  fixture->host->config.accept_timeout_s = 1;
  host_restart_driver (fixture->host);
  fixture->driver = fixture->host->driver;
}

static void
forget (Fixture *fixture)
{
  g_clear_error (&fixture->error);
  g_clear_pointer (&fixture->xml, g_free);
  g_clear_pointer (&fixture->uri, g_free);
  g_clear_pointer (&fixture->cookie, g_bytes_unref);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  host_free (fixture->host);
  forget (fixture);
}

static void
done (const GError *error, gpointer data)
{
  Fixture *fixture = data;

  fixture->done = TRUE;
  g_clear_error (&fixture->error);
  fixture->error = error ? g_error_copy (error) : NULL;
}

static void
migrate_done (const XfMigrateResult *result, const GError *error, gpointer data)
{
  Fixture *fixture = data;

  g_assert_cmpint (result == NULL, ==, error != NULL);
  forget (fixture);
  if (result) {
    fixture->xml = g_strdup (result->xml);
    fixture->uri = g_strdup (result->uri);
    fixture->cookie = result->cookie ? g_bytes_ref (result->cookie) : NULL;
  }
  done (error, data);
}

/* Runs the loop until a callback is called; returns its error code, or -1 for none. */
static int
wait_code (Fixture *fixture)
{
  host_wait (fixture->done);
  fixture->done = FALSE;
  if (!fixture->error)
    return -1;
  g_test_message ("%s", fixture->error->message);
  return fixture->error->code;
}

static XfDomainRef *
create (Fixture *fixture, const char *name)
{
  g_autofree char *xml = host_xml (name, NULL, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (host_create (fixture->host, xml, 0, &error));
  g_assert_no_error (error);
  return xf_driver_lookup_name (fixture->driver, name, NULL);
}

static void
begin (Fixture *fixture, const XfDomainRef *ref, guint flags)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();

  xf_driver_migrate_begin (fixture->driver, ref->uuid, &client, params, flags, migrate_done, fixture);
}

static void
confirm (Fixture *fixture, const XfDomainRef *ref, gboolean cancelled)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();

  xf_driver_migrate_confirm (fixture->driver, ref->uuid, &client, params, NULL, 0, cancelled, migrate_done, fixture);
}

static void
prepare (Fixture *fixture, const char *name)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();
  g_autofree char *xml = host_xml (name, NULL, NULL);

  xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_DEST_XML, xml);
  xf_driver_migrate_prepare (fixture->driver, &client, params, NULL, VIR_MIGRATE_LIVE, migrate_done, fixture);
}

static void
finish (Fixture *fixture, const char *name, gboolean cancelled)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();

  xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_DEST_NAME, name);
  xf_driver_migrate_finish (fixture->driver, &client, params, NULL, VIR_MIGRATE_LIVE, cancelled, migrate_done, fixture);
}

static int
connect_to (const char *uri)
{
  g_auto (XfMigrateUri) where = { 0 };
  struct sockaddr_in address = { .sin_family = AF_INET };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_assert_true (xf_migrate_uri_parse (uri, &where, NULL));
  address.sin_port = htons (where.port);
  inet_pton (AF_INET, where.host, &address.sin_addr);
  if (connect (fd, (struct sockaddr *)&address, sizeof (address)) == 0)
    return fd;
  close (fd);
  return -1;
}

static gboolean
is_visible (Fixture *fixture, const char *name)
{
  g_autoptr (XfDomainRef) ref = xf_driver_lookup_name (fixture->driver, name, NULL);

  return ref != NULL;
}

/* Begin starts a job; a write is refused at once, the error names the job; reads work; confirm(cancelled) ends it. */
static void
test_begin_holds_the_job (Fixture *fixture, gconstpointer data)
{
  g_autoptr (XfDomainRef) ref = create (fixture, "g");

  begin (fixture, ref, VIR_MIGRATE_LIVE);
  g_assert_cmpint (wait_code (fixture), ==, -1);
  g_assert_nonnull (strstr (fixture->xml, "<name>g</name>"));
  g_assert_nonnull (fixture->cookie);
  xf_driver_domain_suspend (fixture->driver, ref->uuid, done, fixture);
  g_assert_cmpint (wait_code (fixture), ==, XF_ERROR_OPERATION_INVALID);
  g_assert_nonnull (strstr (fixture->error->message, "being migrated"));
  g_assert_cmpint (host_state (fixture->host, ref->uuid, NULL), ==, VIR_DOMAIN_RUNNING);
  confirm (fixture, ref, TRUE);
  g_assert_cmpint (wait_code (fixture), ==, -1);
  xf_driver_domain_suspend (fixture->driver, ref->uuid, done, fixture);
  g_assert_cmpint (wait_code (fixture), ==, -1);
}

static void
begin_again (Fixture *fixture, const XfDomainRef *ref)
{
  begin (fixture, ref, VIR_MIGRATE_LIVE);
  g_assert_cmpint (wait_code (fixture), ==, -1);
  confirm (fixture, ref, TRUE);
  g_assert_cmpint (wait_code (fixture), ==, -1);
}

/* Perform is not called in time, or the client disconnects: the job ends by itself. */
static void
test_begin_without_perform (Fixture *fixture, gconstpointer data)
{
  g_autoptr (XfDomainRef) ref = create (fixture, "g");
  XfJobInfo info = { .type = -1 };

  begin (fixture, ref, VIR_MIGRATE_LIVE);
  g_assert_cmpint (wait_code (fixture), ==, -1);
  host_wait (xf_driver_job_info (fixture->driver, ref->uuid, &info, NULL) && info.type == VIR_DOMAIN_JOB_NONE);
  begin_again (fixture, ref);
  begin (fixture, ref, VIR_MIGRATE_LIVE);
  g_assert_cmpint (wait_code (fixture), ==, -1);
  xf_driver_client_gone (fixture->driver, &client);
  begin_again (fixture, ref);
}

static void
test_phases_out_of_order (Fixture *fixture, gconstpointer data)
{
  g_autoptr (XfDomainRef) ref = create (fixture, "g");
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();

  confirm (fixture, ref, FALSE);
  g_assert_cmpint (wait_code (fixture), ==, XF_ERROR_OPERATION_INVALID);
  xf_driver_migrate_perform (fixture->driver, ref->uuid, &client, NULL, params, NULL, 0, migrate_done, fixture);
  g_assert_cmpint (wait_code (fixture), ==, XF_ERROR_OPERATION_INVALID);
  finish (fixture, "g", FALSE);
  g_assert_cmpint (wait_code (fixture), ==, XF_ERROR_OPERATION_INVALID);
  begin (fixture, ref, VIR_MIGRATE_LIVE);
  g_assert_cmpint (wait_code (fixture), ==, -1);
  begin (fixture, ref, VIR_MIGRATE_LIVE);
  g_assert_cmpint (wait_code (fixture), ==, XF_ERROR_OPERATION_INVALID);
  confirm (fixture, ref, FALSE); /* nothing was sent */
  g_assert_cmpint (wait_code (fixture), ==, XF_ERROR_OPERATION_INVALID);
  g_assert_cmpint (host_state (fixture->host, ref->uuid, NULL), ==, VIR_DOMAIN_RUNNING);
}

/* A phase of a migration that another client began is refused, the error names it, and nothing changes. */
static void
test_phases_of_another_client (Fixture *fixture, gconstpointer data)
{
  g_autoptr (XfDomainRef) ref = create (fixture, "g");
  g_autoptr (XfTypedParams) params = xf_typed_params_new (), named = xf_typed_params_new ();
  XfJobInfo info = { .type = -1 };

  begin (fixture, ref, VIR_MIGRATE_LIVE);
  g_assert_cmpint (wait_code (fixture), ==, -1);
  xf_driver_migrate_perform (fixture->driver, ref->uuid, &other, NULL, params, NULL, VIR_MIGRATE_LIVE, migrate_done,
                             fixture);
  g_assert_cmpint (wait_code (fixture), ==, XF_ERROR_OPERATION_INVALID);
  g_assert_nonnull (strstr (fixture->error->message, "driven by another client"));
  xf_driver_migrate_confirm (fixture->driver, ref->uuid, &other, params, NULL, 0, TRUE, migrate_done, fixture);
  g_assert_cmpint (wait_code (fixture), ==, XF_ERROR_OPERATION_INVALID);
  g_assert_nonnull (strstr (fixture->error->message, "driven by another client"));
  g_assert_true (xf_driver_job_info (fixture->driver, ref->uuid, &info, NULL));
  g_assert_cmpint (info.type, !=, VIR_DOMAIN_JOB_NONE);
  confirm (fixture, ref, TRUE);
  g_assert_cmpint (wait_code (fixture), ==, -1);

  prepare (fixture, "in");
  g_assert_cmpint (wait_code (fixture), ==, -1);
  xf_typed_params_add_string (named, VIR_MIGRATE_PARAM_DEST_NAME, "in");
  xf_driver_migrate_finish (fixture->driver, &other, named, NULL, VIR_MIGRATE_LIVE, TRUE, migrate_done, fixture);
  g_assert_cmpint (wait_code (fixture), ==, XF_ERROR_OPERATION_INVALID);
  g_assert_nonnull (strstr (fixture->error->message, "another client"));
  finish (fixture, "in", TRUE);
  g_assert_cmpint (wait_code (fixture), ==, XF_ERROR_FINISH_OK);
}

/* The guest is hidden while it is received; finish(cancelled) closes the port and has its own error code. */
static void
test_prepare_and_cancel (Fixture *fixture, gconstpointer data)
{
  g_autofree char *uri = NULL, *xml = host_xml ("in", NULL, NULL);
  g_autoptr (XfDomainRef) defined = NULL;
  g_autoptr (GError) error = NULL;
  int fd;

  prepare (fixture, "in");
  g_assert_cmpint (wait_code (fixture), ==, -1);
  uri = g_steal_pointer (&fixture->uri);
  g_assert_false (is_visible (fixture, "in"));
  g_assert_null (xf_driver_domain_define (fixture->driver, xml, 0, &error));
  g_assert_error (error, XF_ERROR, XF_ERROR_DOMAIN_EXISTS);
  fd = connect_to (uri);
  g_assert_cmpint (fd, >=, 0);
  close (fd);
  finish (fixture, "in", TRUE);
  g_assert_cmpint (wait_code (fixture), ==, XF_ERROR_FINISH_OK);
  g_assert_cmpint (connect_to (uri), <, 0);
  defined = xf_driver_domain_define (fixture->driver, xml, 0, NULL);
  g_assert_nonnull (defined);
}

/* A connection that sends something else is closed; the migration keeps waiting, until its deadline. */
static void
test_stranger_and_deadline (Fixture *fixture, gconstpointer data)
{
  g_autofree char *uri = NULL;
  char byte;
  int fd;

  prepare (fixture, "in");
  g_assert_cmpint (wait_code (fixture), ==, -1);
  uri = g_steal_pointer (&fixture->uri);
  fd = connect_to (uri);
  g_assert_cmpint (write (fd, "GET / HTTP/1.0\r\n\r\n", 18), ==, 18);
  host_wait (recv (fd, &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET);
  close (fd);
  fd = connect_to (uri);
  g_assert_cmpint (fd, >=, 0);
  close (fd);
  host_wait ((fd = connect_to (uri)) < 0 || close (fd) < 0); /* the deadline closes the port */
  finish (fixture, "in", FALSE);
  g_assert_cmpint (wait_code (fixture), ==, XF_ERROR_TIMEOUT);
}

static void
test_client_of_prepare_goes (Fixture *fixture, gconstpointer data)
{
  g_autofree char *uri = NULL;

  prepare (fixture, "in");
  g_assert_cmpint (wait_code (fixture), ==, -1);
  uri = g_steal_pointer (&fixture->uri);
  xf_driver_client_gone (fixture->driver, &client);
  g_assert_cmpint (connect_to (uri), <, 0);
  prepare (fixture, "in");
  g_assert_cmpint (wait_code (fixture), ==, -1);
}

static void
test_no_memory (Fixture *fixture, gconstpointer data)
{
  host_set_control (fixture->host, "memory-mib=520\n"); /* dom0 has 512 */
  prepare (fixture, "in");
  g_assert_cmpint (wait_code (fixture), ==, XF_ERROR_OPERATION_FAILED);
  g_assert_nonnull (strstr (fixture->error->message, "8 MiB are missing"));
}

/* Reserved memory counts: two guests that fit one by one do not fit together. */
static void
test_promised_memory (Fixture *fixture, gconstpointer data)
{
  host_set_control (fixture->host, "memory-mib=536\n");
  prepare (fixture, "one");
  g_assert_cmpint (wait_code (fixture), ==, -1);
  prepare (fixture, "two");
  g_assert_cmpint (wait_code (fixture), ==, XF_ERROR_OPERATION_FAILED);
}

int
main (int argc, char **argv)
{
  static const struct {
    const char *path;
    void (*run) (Fixture *fixture, gconstpointer data);
  } tests[] = {
    { "/migrate/begin-holds-the-job", test_begin_holds_the_job },
    { "/migrate/begin-without-perform", test_begin_without_perform },
    { "/migrate/phases-out-of-order", test_phases_out_of_order },
    { "/migrate/phases-of-another-client", test_phases_of_another_client },
    { "/migrate/prepare-and-cancel", test_prepare_and_cancel },
    { "/migrate/stranger-and-deadline", test_stranger_and_deadline },
    { "/migrate/client-of-prepare-goes", test_client_of_prepare_goes },
    { "/migrate/no-memory", test_no_memory },
    { "/migrate/promised-memory", test_promised_memory },
  };

  g_test_init (&argc, &argv, NULL);
  /* These tests provoke warnings. */
  g_log_set_always_fatal (G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].run, tear_down);
  return g_test_run ();
}
