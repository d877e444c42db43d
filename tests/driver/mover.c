/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mover.h"

#include <arpa/inet.h>
#include <libvirt/libvirt.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/migrate_uri.h"

const guint8 mover_uuid[XF_UUID_LENGTH] = "0123456789abcdef";
const int mover_client = 1;

/* ---- the receiver of the data ----------------------------------------------------------------------------- */

static gpointer
receive (gpointer data)
{
  MoverReceiver *receiver = data;
  int fd = accept (receiver->listener, NULL, NULL);
  guint8 buffer[65536];
  gssize n;

  while ((n = read (fd, buffer, sizeof (buffer))) > 0)
    g_byte_array_append (receiver->data, buffer, n);
  close (fd);
  return NULL;
}

static void
receiver_start (MoverReceiver *receiver)
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

void
mover_stop_receiving (Mover *mover)
{
  MoverReceiver *receiver = &mover->receiver;

  shutdown (receiver->listener, SHUT_RDWR);
  g_thread_join (receiver->thread);
  close (receiver->listener);
}

/* ---- calls ------------------------------------------------------------------------------------------------ */

void
mover_set_up (Mover *mover, gconstpointer data)
{
  mover->host = host_new ();
  mover->host->config.migration_host = g_strdup ("127.0.0.1");
  host_restart_driver (mover->host);
}

void
mover_tear_down (Mover *mover, gconstpointer data)
{
  host_free (mover->host);
  g_clear_error (&mover->error);
  g_free (mover->uri);
}

void
mover_done (const XfMigrateResult *result, const GError *error, gpointer data)
{
  Mover *mover = data;

  mover->done = TRUE;
  g_clear_error (&mover->error);
  mover->error = error ? g_error_copy (error) : NULL;
  if (result && result->uri) {
    g_free (mover->uri);
    mover->uri = g_strdup (result->uri);
  }
}

void
mover_wait_end (Mover *mover)
{
  host_wait (mover->done);
  mover->done = FALSE;
}

void
mover_wait (Mover *mover)
{
  mover_wait_end (mover);
  g_assert_no_error (mover->error);
}

void
mover_begin (Mover *mover)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();
  g_autofree char *xml = host_xml ("g", mover_uuid, mover->inside);
  g_autoptr (GError) error = NULL;

  g_assert_true (host_create (mover->host, xml, 0, &error));
  g_assert_no_error (error);
  xf_driver_migrate_begin (mover->host->driver, mover_uuid, &mover_client, params, VIR_MIGRATE_LIVE, mover_done, mover);
  mover_wait (mover);
}

void
mover_perform (Mover *mover)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();
  g_autofree char *uri = NULL;

  receiver_start (&mover->receiver);
  uri = g_strdup_printf ("tcp://127.0.0.1:%u", mover->receiver.port);
  xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_URI, uri);
  xf_driver_migrate_perform (mover->host->driver, mover_uuid, &mover_client, NULL, params, NULL, VIR_MIGRATE_LIVE,
                             mover_done, mover);
}

void
mover_ask_prepare (Mover *mover)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();
  g_autofree char *xml = host_xml ("g", mover_uuid, mover->inside);

  xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_DEST_XML, xml);
  xf_driver_migrate_prepare (mover->host->driver, &mover_client, params, NULL, VIR_MIGRATE_LIVE | mover->flags,
                             mover_done, mover);
}

void
mover_prepare (Mover *mover)
{
  mover_ask_prepare (mover);
  mover_wait (mover);
}

static gpointer
send_all (gpointer data)
{
  Mover *mover = data;
  g_auto (XfMigrateUri) where = { 0 };
  struct sockaddr_in address = { .sin_family = AF_INET };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  gsize at = 0;

  g_assert_true (xf_migrate_uri_parse (mover->uri, &where, NULL));
  address.sin_port = htons (where.port);
  inet_pton (AF_INET, where.host, &address.sin_addr);
  g_assert_cmpint (connect (fd, (struct sockaddr *)&address, sizeof (address)), ==, 0);
  while (at < mover->receiver.data->len) {
    gssize n = write (fd, mover->receiver.data->data + at, mover->receiver.data->len - at);

    g_assert_cmpint (n, >, 0);
    at += n;
  }
  shutdown (fd, SHUT_WR);
  (void)read (fd, &address, 1);
  close (fd);
  return NULL;
}

void
mover_record (Mover *mover)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();

  mover_begin (mover);
  mover_perform (mover);
  mover_wait (mover);
  xf_driver_migrate_confirm (mover->host->driver, mover_uuid, &mover_client, params, NULL, VIR_MIGRATE_LIVE, FALSE,
                             mover_done, mover);
  mover_wait (mover);
  mover_stop_receiving (mover);
  g_assert_cmpuint (host_count_domains (mover->host), ==, 0);
}

void
mover_send (Mover *mover)
{
  mover->sender = g_thread_new ("sender", send_all, mover);
}

void
mover_ask_finish (Mover *mover, gboolean cancelled)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();

  xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_DEST_NAME, "g");
  xf_driver_migrate_finish (mover->host->driver, &mover_client, params, NULL, VIR_MIGRATE_LIVE | mover->flags,
                            cancelled, mover_done, mover);
}

void
mover_forget (Mover *mover)
{
  if (mover->sender)
    g_thread_join (mover->sender);
  mover->sender = NULL;
  g_clear_pointer (&mover->receiver.data, g_byte_array_unref);
}

gboolean
mover_runs (Mover *mover)
{
  g_autoptr (GArray) ids = host_domains (mover->host->dir);
  SimBlock *block = ids->len ? host_block_map (mover->host->dir, g_array_index (ids, guint32, 0)) : NULL;
  gboolean found = block && block->state == SIM_RUNNING && !block->paused;

  g_assert_cmpuint (ids->len, ==, 1);
  host_block_unmap (block);
  return found;
}
