/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/client.h"

#include "base/error.h"
#include "procs.h"

typedef struct {
  guint32 program;
  gint32 procedure;
  xdrproc_t ret_xdr;
  gsize ret_size;
  XfClientReply reply;
  gpointer data;
} Pending;

struct XfClient {
  XfConn *conn;
  GHashTable *pending; /* serial → Pending */
  guint32 serial;
  XfClientClosed closed;
  gpointer data;
  guint failed_id;
};

static void
tell_lost (XfClient *client, const GError *error)
{
  GHashTableIter iter;
  gpointer value;

  while (g_hash_table_size (client->pending) > 0) {
    Pending *pending;

    g_hash_table_iter_init (&iter, client->pending);
    (void)g_hash_table_iter_next (&iter, NULL, &value);
    g_hash_table_iter_steal (&iter);
    pending = value;
    pending->reply (NULL, NULL, error, NULL, pending->data);
    g_free (pending);
  }
}

static void
conn_closed (XfConn *conn, const GError *error, gpointer data)
{
  XfClient *client = data;
  g_autoptr (GError)
    lost = error ? g_error_copy (error)
                 : g_error_new_literal (XF_ERROR, XF_ERROR_NO_CONNECT, "the other side closed the connection");

  tell_lost (client, lost);
  client->closed (lost, client->data);
}

static void
conn_call (XfConn *conn, const XfFrameHeader *header, GBytes *payload, gpointer data)
{
  g_autoptr (GError) error = g_error_new_literal (XF_ERROR, XF_ERROR_RPC, "a server does not call its client");

  xf_conn_close (conn, error);
}

static void
conn_message (XfConn *conn, const XfFrameHeader *header, GBytes *payload, gpointer data)
{
  /* This client registers for no events. */
}

static void
deliver (Pending *pending, const XfFrameHeader *header, GBytes *payload)
{
  g_autofree gpointer ret = g_malloc0 (pending->ret_size);
  g_auto (XfWireError) wire = { 0 };
  g_autoptr (GError) nonsense = g_error_new_literal (XF_ERROR, XF_ERROR_RPC, "the answer cannot be decoded");

  if (header->status == XF_FRAME_ERROR) {
    gboolean decoded = xf_frame_decode_error (payload, &wire);

    pending->reply (NULL, decoded ? &wire : NULL, decoded ? NULL : nonsense, header, pending->data);
    return;
  }
  if (xf_frame_decode (payload, pending->ret_xdr, ret))
    pending->reply (ret, NULL, NULL, header, pending->data);
  else
    pending->reply (NULL, NULL, nonsense, header, pending->data);
  xdr_free (pending->ret_xdr, ret);
}

static gboolean
conn_reply (XfConn *conn, const XfFrameHeader *header, GBytes *payload, gpointer data)
{
  XfClient *client = data;
  gpointer value = NULL;
  Pending *pending;

  if (!g_hash_table_steal_extended (client->pending, GUINT_TO_POINTER (header->serial), NULL, &value))
    return FALSE;
  pending = value;
  if (pending->program != header->program || pending->procedure != header->procedure) {
    g_hash_table_insert (client->pending, GUINT_TO_POINTER (header->serial), pending);
    return FALSE;
  }
  deliver (pending, header, payload);
  g_free (pending);
  return TRUE;
}

XfClient *
xf_client_new (int fd, XfClientClosed closed, gpointer data)
{
  static const XfConnEvents events = { conn_call, conn_reply, conn_message, conn_closed };
  XfClient *client = g_new0 (XfClient, 1);

  client->pending = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  client->closed = closed;
  client->data = data;
  client->conn = xf_conn_new (fd, &events, client);
  return client;
}

void
xf_client_free (XfClient *client)
{
  if (!client)
    return;
  g_clear_handle_id (&client->failed_id, g_source_remove);
  xf_conn_abandon (client->conn);
  xf_conn_unref (client->conn);
  g_hash_table_unref (client->pending);
  g_free (client);
}

XfConn *
xf_client_conn (XfClient *client)
{
  return client->conn;
}

static gboolean
fail_pending (gpointer data)
{
  XfClient *client = data;
  g_autoptr (GError) lost = g_error_new_literal (XF_ERROR, XF_ERROR_NO_CONNECT, "the connection is closed");

  client->failed_id = 0;
  tell_lost (client, lost);
  return G_SOURCE_REMOVE;
}

void
xf_client_call (XfClient *client, guint32 program, gint32 procedure, xdrproc_t args_xdr, gconstpointer args,
                xdrproc_t ret_xdr, gsize ret_size, XfClientReply reply, gpointer data)
{
  XfFrameHeader header = {
    .program = program,
    .version = XF_PROGRAM_VERSION,
    .procedure = procedure,
    .type = XF_FRAME_CALL,
    .serial = client->serial++,
  };
  GBytes *frame = xf_frame_encode (&header, args_xdr, args);
  Pending *pending = g_new0 (Pending, 1);

  *pending = (Pending){ program, procedure, ret_xdr, ret_size, reply, data };
  g_hash_table_insert (client->pending, GUINT_TO_POINTER (header.serial), pending);
  if (frame && xf_conn_is_open (client->conn)) {
    xf_conn_send (client->conn, frame);
    return;
  }
  g_clear_pointer (&frame, g_bytes_unref);
  if (!client->failed_id)
    client->failed_id = g_idle_add (fail_pending, client);
}
