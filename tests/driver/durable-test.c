/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What must be on disk before the next step: `sent` before perform is answered, `unpausing` before the guest runs; and
 * on disk means synced. The tests hold the journal's thread at its point and check that the step is not taken.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libvirt/libvirt.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "conf/migrate_uri.h"
#include "host.h"
#include "libxl/journal/journal.h"

/* Enough time for the step to happen if nothing holds it. */
#define HELD_MS 300

static const guint8 uuid[XF_UUID_LENGTH] = "0123456789abcdef";
static const int client = 1; /* its address is the token */

/* ---- the receiver of the data ----------------------------------------------------------------------------- */

typedef struct {
  int listener;
  guint16 port;
  GThread *thread;
  GByteArray *data;
} Receiver;

static gpointer
receive (gpointer data)
{
  Receiver *receiver = data;
  int fd = accept (receiver->listener, NULL, NULL);
  guint8 buffer[65536];
  gssize n;

  while ((n = read (fd, buffer, sizeof (buffer))) > 0)
    g_byte_array_append (receiver->data, buffer, n);
  close (fd);
  return NULL;
}

static void
receiver_start (Receiver *receiver)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t length = sizeof (address);

  receiver->data = g_byte_array_new ();
  receiver->listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (bind (receiver->listener, (struct sockaddr *)&address, length), ==, 0);
  g_assert_cmpint (listen (receiver->listener, 1), ==, 0);
  g_assert_cmpint (getsockname (receiver->listener, (struct sockaddr *)&address, &length), ==, 0);
  receiver->port = ntohs (address.sin_port);
  receiver->thread = g_thread_new ("receiver", receive, receiver);
}

static void
receiver_stop (Receiver *receiver)
{
  shutdown (receiver->listener, SHUT_RDWR);
  g_thread_join (receiver->thread);
  close (receiver->listener);
}

/* ---- calls ------------------------------------------------------------------------------------------------ */

typedef struct {
  Host *host;
  Receiver receiver;
  gboolean done;
  GError *error;
  char *uri;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->host = host_new ();
  fixture->host->config.migration_host = g_strdup ("127.0.0.1");
  host_restart_driver (fixture->host);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  host_free (fixture->host);
  g_clear_error (&fixture->error);
  g_free (fixture->uri);
}

static void
migrated (const XfMigrateResult *result, const GError *error, gpointer data)
{
  Fixture *fixture = data;

  fixture->done = TRUE;
  g_clear_error (&fixture->error);
  fixture->error = error ? g_error_copy (error) : NULL;
  if (result && result->uri) {
    g_free (fixture->uri);
    fixture->uri = g_strdup (result->uri);
  }
}

static void
wait_done (Fixture *fixture)
{
  host_wait (fixture->done);
  fixture->done = FALSE;
  g_assert_no_error (fixture->error);
}

static void
begin (Fixture *fixture)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();
  g_autofree char *xml = host_xml ("g", uuid, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (host_create (fixture->host, xml, 0, &error));
  g_assert_no_error (error);
  xf_driver_migrate_begin (fixture->host->driver, uuid, &client, params, VIR_MIGRATE_LIVE, migrated, fixture);
  wait_done (fixture);
}

static void
perform (Fixture *fixture)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();
  g_autofree char *uri = NULL;

  receiver_start (&fixture->receiver);
  uri = g_strdup_printf ("tcp://127.0.0.1:%u", fixture->receiver.port);
  xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_URI, uri);
  xf_driver_migrate_perform (fixture->host->driver, uuid, &client, NULL, params, NULL, VIR_MIGRATE_LIVE, migrated,
                             fixture);
}

static void
prepare (Fixture *fixture)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();
  g_autofree char *xml = host_xml ("g", uuid, NULL);

  xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_DEST_XML, xml);
  xf_driver_migrate_prepare (fixture->host->driver, &client, params, NULL, VIR_MIGRATE_LIVE, migrated, fixture);
  wait_done (fixture);
}

static gpointer
send_all (gpointer data)
{
  Fixture *fixture = data;
  g_auto (XfMigrateUri) where = { 0 };
  struct sockaddr_in address = { .sin_family = AF_INET };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  gsize at = 0;

  g_assert_true (xf_migrate_uri_parse (fixture->uri, &where, NULL));
  address.sin_port = htons (where.port);
  inet_pton (AF_INET, where.host, &address.sin_addr);
  g_assert_cmpint (connect (fd, (struct sockaddr *)&address, sizeof (address)), ==, 0);
  while (at < fixture->receiver.data->len) {
    gssize n = write (fd, fixture->receiver.data->data + at, fixture->receiver.data->len - at);

    g_assert_cmpint (n, >, 0);
    at += n;
  }
  shutdown (fd, SHUT_WR);
  (void)read (fd, &address, 1);
  close (fd);
  return NULL;
}

static gboolean
is_held (Fixture *fixture, const char *point)
{
  g_autofree char *path = g_build_filename (fixture->host->dir, "trace", NULL), *text = NULL;
  g_autofree char *line = g_strdup_printf ("paused-at - %s\n", point);

  return g_file_get_contents (path, &text, NULL, NULL) && strstr (text, line);
}

static gboolean
runs (Fixture *fixture)
{
  g_autoptr (GArray) ids = host_domains (fixture->host->dir);
  SimBlock *block = ids->len ? host_block_map (fixture->host->dir, g_array_index (ids, guint32, 0)) : NULL;
  gboolean found = block && block->state == SIM_RUNNING && !block->paused;

  g_assert_cmpuint (ids->len, ==, 1);
  host_block_unmap (block);
  return found;
}

/* ---- the source ------------------------------------------------------------------------------------------- */

static void
test_sent (Fixture *fixture, gconstpointer data)
{
  begin (fixture);
  host_set_control (fixture->host, "pause=journal:source:sent\n");
  perform (fixture);
  host_wait (is_held (fixture, "journal:source:sent"));
  host_idle (HELD_MS);
  g_assert_false (fixture->done);
  g_assert_false (runs (fixture));
  host_set_control (fixture->host, "");
  wait_done (fixture);
  receiver_stop (&fixture->receiver);
  g_byte_array_unref (fixture->receiver.data);
}

/* ---- the destination -------------------------------------------------------------------------------------- */

/* Records the stream of a guest and destroys the guest. */
static void
record (Fixture *fixture)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();

  begin (fixture);
  perform (fixture);
  wait_done (fixture);
  xf_driver_migrate_confirm (fixture->host->driver, uuid, &client, params, NULL, VIR_MIGRATE_LIVE, FALSE, migrated,
                             fixture);
  wait_done (fixture);
  receiver_stop (&fixture->receiver);
  g_assert_cmpuint (host_count_domains (fixture->host), ==, 0);
}

static void
test_unpausing (Fixture *fixture, gconstpointer data)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();
  GThread *sender;

  record (fixture);
  prepare (fixture);
  host_set_control (fixture->host, "pause=journal:destination:unpausing\n");
  sender = g_thread_new ("sender", send_all, fixture);
  xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_DEST_NAME, "g");
  xf_driver_migrate_finish (fixture->host->driver, &client, params, NULL, VIR_MIGRATE_LIVE, FALSE, migrated, fixture);
  host_wait (is_held (fixture, "journal:destination:unpausing"));
  host_idle (HELD_MS);
  g_assert_false (fixture->done);
  g_assert_false (runs (fixture));
  host_set_control (fixture->host, "");
  wait_done (fixture);
  g_assert_true (runs (fixture));
  g_thread_join (sender);
  g_byte_array_unref (fixture->receiver.data);
}

static gboolean
is_gone (gconstpointer token)
{
  return FALSE;
}

/* A source without a secret is not a xenferry, and takes its guest back when its connection ends. The connection may
 * end while `unpausing` is being written, before the loop notices: then the guest does not run here. */
static void
test_source_gone (Fixture *fixture, gconstpointer data)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();
  GThread *sender;

  record (fixture);
  prepare (fixture);
  host_set_control (fixture->host, "pause=journal:destination:unpausing\n");
  sender = g_thread_new ("sender", send_all, fixture);
  xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_DEST_NAME, "g");
  xf_driver_migrate_finish (fixture->host->driver, &client, params, NULL, VIR_MIGRATE_LIVE, FALSE, migrated, fixture);
  host_wait (is_held (fixture, "journal:destination:unpausing"));
  xf_driver_set_client_probe (fixture->host->driver, is_gone);
  host_set_control (fixture->host, "");
  host_wait (fixture->done);
  g_assert_error (fixture->error, XF_ERROR, XF_ERROR_NO_CONNECT);
  host_wait (host_count_domains (fixture->host) == 0);
  g_thread_join (sender);
  g_byte_array_unref (fixture->receiver.data);
}

/* ---- the disk --------------------------------------------------------------------------------------------- */

static struct {
  gint files, directories; /* synced: entries before their rename, and the journal's directory */
  gint fails;
} syncs;

/* Replaces libc's in the whole program. */
int
fsync (int fd)
{
  g_autofree char *link = g_strdup_printf ("/proc/self/fd/%d", fd), *path = g_file_read_link (link, NULL);

  if (path && g_str_has_suffix (path, ".json.new"))
    g_atomic_int_inc (&syncs.files);
  else if (path && g_str_has_suffix (path, "/migrations"))
    g_atomic_int_inc (&syncs.directories);
  if (g_atomic_int_get (&syncs.fails)) {
    errno = EIO;
    return -1;
  }
  return syscall (SYS_fsync, fd);
}

static void
written (const GError *error, gpointer data)
{
  migrated (NULL, error, data);
}

static void
test_synced (Fixture *fixture, gconstpointer data)
{
  g_autofree char *dir = g_build_filename (fixture->host->dir, "own", "migrations", NULL);
  XfJournal *journal = xf_journal_open (dir, "boot", NULL);
  XfJournalEntry *entry = xf_journal_add (journal, XF_SIDE_SOURCE, uuid, "g", uuid);

  g_atomic_int_set (&syncs.files, 0);
  g_atomic_int_set (&syncs.directories, 0);
  xf_journal_write (journal, entry, "sent", written, fixture);
  wait_done (fixture);
  g_assert_cmpint (g_atomic_int_get (&syncs.files), ==, 1);
  g_assert_cmpint (g_atomic_int_get (&syncs.directories), ==, 1);
  g_atomic_int_set (&syncs.fails, 1);
  xf_journal_write (journal, entry, "sent", written, fixture);
  host_wait (fixture->done);
  g_atomic_int_set (&syncs.fails, 0);
  g_assert_nonnull (fixture->error);
  xf_journal_free (journal);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_always_fatal (G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK);
  g_test_add ("/durable/sent", Fixture, NULL, set_up, test_sent, tear_down);
  g_test_add ("/durable/unpausing", Fixture, NULL, set_up, test_unpausing, tear_down);
  g_test_add ("/durable/source-gone", Fixture, NULL, set_up, test_source_gone, tear_down);
  g_test_add ("/durable/synced", Fixture, NULL, set_up, test_synced, tear_down);
  return g_test_run ();
}
