/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Connecting to another daemon: URI, socket, and the same opening as in libvirt's own clients. In order:
 *
 *   open() → connect → AUTH_LIST → feature 10 (keepalive) → CONNECT_OPEN "xen:///system" → opened()
 *
 * with one deadline for all of it. A failure is reported once: through opened() until the connection is open, through
 * lost() afterwards. The driver may close the peer in any callback; the peer is freed when no callback is on the stack.
 */
#include "remote/peer.h"

#include <fcntl.h>
#include <gio/gunixsocketaddress.h>

#include "base/connect.h"
#include "base/error.h"
#include "remote/error_map.h"
#include "remote/peer_private.h"

#define DEFAULT_TCP_PORT 16509
#define FEATURE_KEEPALIVE 10
#define AUTH_NONE 0

/* ---- life ------------------------------------------------------------------------------------------------- */

static void
free_now (XfPeer *peer)
{
  xf_peer_stream_close (peer);
  g_clear_pointer (&peer->client, xf_client_free);
  g_ptr_array_unref (peer->replies);
  g_object_unref (peer->cancellable);
  xf_connect_uri_clear (&peer->uri);
  if (peer->question)
    g_free (peer->question->secret);
  g_free (peer->question);
  g_free (peer->where);
  g_free (peer);
}

static gboolean
free_later (gpointer data)
{
  free_now (data);
  return G_SOURCE_REMOVE;
}

void
xf_peer_enter (XfPeer *peer)
{
  peer->depth++;
}

void
xf_peer_leave (XfPeer *peer)
{
  peer->depth--;
  /* The RPC client is below us on the stack and continues: free it in the next turn of the loop. */
  if (peer->closed && peer->depth == 0 && !peer->free_id)
    peer->free_id = g_idle_add (free_later, peer);
}

static void
peer_close (XfPeer *peer)
{
  peer->closed = TRUE;
  g_cancellable_cancel (peer->cancellable);
  g_clear_handle_id (&peer->deadline_id, g_source_remove);
  g_clear_handle_id (&peer->start_id, g_source_remove);
  g_clear_handle_id (&peer->fail_id, g_source_remove);
  xf_peer_stream_close (peer);
  if (peer->client)
    xf_conn_abandon (xf_client_conn (peer->client));
  if (peer->depth == 0)
    free_now (peer);
}

/* The only place that reports a failure. */
static void
fail (XfPeer *peer, const GError *error)
{
  if (peer->closed || peer->is_lost)
    return;
  peer->is_lost = TRUE;
  g_clear_handle_id (&peer->deadline_id, g_source_remove);
  xf_peer_enter (peer);
  if (peer->is_open)
    peer->lost (error, peer->data);
  else
    peer->opened (peer, error, peer->data);
  xf_peer_leave (peer);
}

static void
client_closed (const GError *error, gpointer data)
{
  XfPeer *peer = data;
  g_autoptr (GError) told = g_error_new (XF_ERROR, XF_ERROR_NO_CONNECT, "the connection to %s was lost: %s",
                                         peer->where, error->message);

  fail (peer, told);
}

/* ---- calls ------------------------------------------------------------------------------------------------ */

static GError *
explain (const XfPeer *peer, const XfWireError *wire, const GError *lost)
{
  if (wire)
    return xf_error_map_from_wire (wire->code, wire->message);
  return g_error_new (XF_ERROR, XF_ERROR_NO_CONNECT, "the connection to %s was lost: %s", peer->where, lost->message);
}

static void
replied (gconstpointer ret, const XfWireError *wire, const GError *lost, const XfFrameHeader *header, gpointer data)
{
  XfPeerReply *reply = data;
  XfPeer *peer = reply->peer;
  g_autoptr (GError) error = ret ? NULL : explain (peer, wire, lost);

  xf_peer_enter (peer);
  if (!peer->closed)
    reply->answer (peer, reply, ret, header, error);
  g_ptr_array_remove_fast (peer->replies, reply);
  xf_peer_leave (peer);
}

void
xf_peer_call (XfPeer *peer, gint32 procedure, xdrproc_t args_xdr, gconstpointer args, xdrproc_t ret_xdr, gsize ret_size,
              XfPeerAnswer answer, GCallback done, gpointer data)
{
  xf_peer_call_program (peer, XF_REMOTE_PROGRAM, procedure, args_xdr, args, ret_xdr, ret_size, answer, done, data);
}

void
xf_peer_call_program (XfPeer *peer, guint32 program, gint32 procedure, xdrproc_t args_xdr, gconstpointer args,
                      xdrproc_t ret_xdr, gsize ret_size, XfPeerAnswer answer, GCallback done, gpointer data)
{
  XfPeerReply *reply = g_new0 (XfPeerReply, 1);

  *reply = (XfPeerReply){ peer, answer, done, data };
  g_ptr_array_add (peer->replies, reply);
  xf_client_call (peer->client, program, procedure, args_xdr, args, ret_xdr, ret_size, replied, reply);
}

/* ---- opening, backwards in time --------------------------------------------------------------------------- */

static void
open_answer (XfPeer *peer, XfPeerReply *reply, gconstpointer ret, const XfFrameHeader *header, const GError *error)
{
  if (error) {
    fail (peer, error);
    return;
  }
  g_clear_handle_id (&peer->deadline_id, g_source_remove);
  peer->is_open = TRUE;
  peer->opened (peer, NULL, peer->data);
}

static void
keepalive_answer (XfPeer *peer, XfPeerReply *reply, gconstpointer ret, const XfFrameHeader *header, const GError *error)
{
  const xf_int_ret *supported = ret;
  char name[] = "xen:///system";
  xf_string value = name;
  xf_opt_string_flags_args args = { .value = &value };

  /* An error means that the peer does not know keepalive; the next call reports a lost connection. */
  if (!error && supported->value)
    xf_conn_set_keepalive (xf_client_conn (peer->client), peer->config->keepalive_interval_s,
                           peer->config->keepalive_count);
  xf_peer_call (peer, XF_PROC_CONNECT_OPEN, (xdrproc_t)xdr_xf_opt_string_flags_args, &args, (xdrproc_t)xdr_xf_void,
                sizeof (xf_void), open_answer, NULL, NULL);
}

static gboolean
accepts_no_auth (const xf_auth_ret *list)
{
  for (guint i = 0; i < list->types.types_len; i++) {
    if (list->types.types_val[i] == AUTH_NONE)
      return TRUE;
  }
  return list->types.types_len == 0;
}

static void
auth_answer (XfPeer *peer, XfPeerReply *reply, gconstpointer ret, const XfFrameHeader *header, const GError *error)
{
  xf_int_args args = { FEATURE_KEEPALIVE };
  g_autoptr (GError) refused = NULL;

  if (error && error->code != XF_ERROR_NO_SUPPORT) {
    fail (peer, error);
    return;
  }
  if (!error && !accepts_no_auth (ret)) {
    refused = g_error_new (XF_ERROR, XF_ERROR_AUTH_FAILED,
                           "%s asks for an authentication that this daemon does not serve; set auth_tcp = \"none\" "
                           "there, on a network of its own",
                           peer->where);
    fail (peer, refused);
    return;
  }
  xf_peer_call (peer, XF_PROC_CONNECT_SUPPORTS_FEATURE, (xdrproc_t)xdr_xf_int_args, &args, (xdrproc_t)xdr_xf_int_ret,
                sizeof (xf_int_ret), keepalive_answer, NULL, NULL);
}

static void
begin_rpc (XfPeer *peer, int fd)
{
  xf_void nothing = { 0 };

  peer->client = xf_client_new (fd, client_closed, peer);
  if (peer->ask) {
    peer->ask (peer);
    return;
  }
  xf_peer_call (peer, XF_PROC_AUTH_LIST, (xdrproc_t)xdr_xf_void, &nothing, (xdrproc_t)xdr_xf_auth_ret,
                sizeof (xf_auth_ret), auth_answer, NULL, NULL);
}

static void
connected (GObject *object, GAsyncResult *result, gpointer data)
{
  XfPeer *peer;
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) told = NULL;
  int fd = xf_connect_finish (object, result, &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return; /* closed by the driver: the peer is already freed */
  peer = data;
  if (fd >= 0) {
    begin_rpc (peer, fd);
    return;
  }
  told = g_error_new (XF_ERROR, XF_ERROR_NO_CONNECT, "cannot connect to %s: %s; check that a daemon listens there",
                      peer->where, error->message);
  fail (peer, told);
}

/* ---- where ------------------------------------------------------------------------------------------------ */

GSocketConnectable *
xf_peer_address (const XfConnectUri *uri, const char *local_socket, GError **error)
{
  g_autofree char *where = xf_connect_uri_describe (uri);

  if (g_strcmp0 (uri->driver, "xen") != 0) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "a guest of Xen cannot go to a connection of driver '%s'",
                 uri->driver);
    return NULL;
  }
  if (g_str_equal (uri->transport, "tcp"))
    return g_network_address_new (uri->host ? uri->host : "localhost", uri->port ? uri->port : DEFAULT_TCP_PORT);
  if (g_str_equal (uri->transport, "unix")) {
    const char *path = uri->socket ? uri->socket : local_socket;

    if (!path) {
      g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "a URI with transport 'unix' needs '?socket=PATH'");
      return NULL;
    }
    if (uri->host) {
      g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "transport 'unix' does not go to another host ('%s')",
                   uri->host);
      return NULL;
    }
    return G_SOCKET_CONNECTABLE (g_unix_socket_address_new (path));
  }
  g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_UNSUPPORTED,
               "transport '%s' to %s is not served yet: use xen+tcp://HOST/system or "
               "xen+unix:///system?socket=PATH",
               uri->transport, where);
  return NULL;
}

static gboolean
start (gpointer data)
{
  XfPeer *peer = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocketConnectable) address = xf_peer_address (&peer->uri, peer->config->local_socket, &error);

  peer->start_id = 0;
  if (!address) {
    fail (peer, error);
    return G_SOURCE_REMOVE;
  }
  xf_connect (address, 0, peer->cancellable, connected, peer);
  return G_SOURCE_REMOVE;
}

static gboolean
too_late (gpointer data)
{
  XfPeer *peer = data;
  g_autoptr (GError) error = g_error_new (XF_ERROR, XF_ERROR_TIMEOUT, "%s has not %s within %u s", peer->where,
                                          peer->question ? "answered" : "opened a connection", peer->timeout_s);

  peer->deadline_id = 0;
  fail (peer, error);
  return G_SOURCE_REMOVE;
}

static gboolean
tell_bad_uri (gpointer data)
{
  XfPeer *peer = data;
  g_autoptr (GError) error = NULL;
  g_auto (XfConnectUri) ignored = { 0 };

  peer->start_id = 0;
  (void)xf_connect_uri_parse (peer->where, &ignored, &error);
  fail (peer, error);
  return G_SOURCE_REMOVE;
}

void
xf_peer_arm (XfPeer *peer)
{
  g_clear_handle_id (&peer->deadline_id, g_source_remove);
  peer->deadline_id = g_timeout_add_seconds (peer->timeout_s, too_late, peer);
}

XfPeer *
xf_peer_open (gpointer peers_data, const char *uri, guint timeout_s, XfPeerOpened opened, XfDone closed, gpointer data)
{
  XfPeer *peer = g_new0 (XfPeer, 1);

  peer->config = peers_data;
  peer->opened = opened;
  peer->lost = closed;
  peer->data = data;
  peer->timeout_s = timeout_s;
  peer->cancellable = g_cancellable_new ();
  peer->replies = g_ptr_array_new_with_free_func (g_free);
  if (!xf_connect_uri_parse (uri, &peer->uri, NULL)) {
    peer->where = g_strdup (uri);
    peer->start_id = g_idle_add (tell_bad_uri, peer);
    return peer;
  }
  peer->where = xf_connect_uri_describe (&peer->uri);
  peer->start_id = g_idle_add (start, peer);
  xf_peer_arm (peer);
  return peer;
}

const XfPeerOps *
xf_peer_ops (void)
{
  static const XfPeerOps ops = {
    .open = xf_peer_open,
    .close = peer_close,
    .supports_feature = xf_peer_supports_feature,
    .prepare = xf_peer_prepare,
    .check = xf_peer_check,
    .prepare_tunnel = xf_peer_prepare_tunnel,
    .send = xf_peer_send,
    .set_rate = xf_peer_set_rate,
    .sent = xf_peer_sent,
    .send_finish = xf_peer_send_finish,
    .send_abort = xf_peer_send_abort,
    .finish = xf_peer_finish,
    .settle = xf_peer_settle,
    .look_up = xf_peer_look_up,
  };

  return &ops;
}
