/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The tunnelled transport: libxl writes into a pipe, and the RPC side moves the data from there into the stream of
 * the peer connection.
 */
#include "libxl/transport/transport.h"

#include "base/error.h"
#include "base/fd.h"

typedef struct {
  XfMigrateTransport base;
  const XfPeerOps *peers;
  XfPeer *peer;
  int fd; /* write end, for libxl */
  gboolean sending;
  guint opened_id;
} Tunnel;

static void
sent_all (const GError *error, gpointer data)
{
  Tunnel *tunnel = data;

  tunnel->sending = FALSE;
  tunnel->base.events.drained (error, tunnel->base.data);
}

/* opened is never called before open has returned. */
static gboolean
tell_opened (gpointer data)
{
  Tunnel *tunnel = data;
  xf_autofd read_end = -1;
  int fds[2] = { -1, -1 };
  g_autoptr (GError) error = NULL;

  tunnel->opened_id = 0;
  if (!xf_pipe_new (fds, 0, &error)) {
    tunnel->base.events.opened (-1, error, tunnel->base.data);
    return G_SOURCE_REMOVE;
  }
  read_end = fds[0];
  tunnel->fd = fds[1];
  tunnel->sending = TRUE;
  tunnel->peers->send (tunnel->peer, xf_steal_fd (&read_end), sent_all, tunnel);
  tunnel->base.events.opened (tunnel->fd, NULL, tunnel->base.data);
  return G_SOURCE_REMOVE;
}

static void
tunnel_open (XfMigrateTransport *transport)
{
  Tunnel *tunnel = (Tunnel *)transport;

  tunnel->opened_id = g_idle_add_full (G_PRIORITY_DEFAULT, tell_opened, tunnel, NULL);
}

static void
tunnel_finish_writing (XfMigrateTransport *transport)
{
  Tunnel *tunnel = (Tunnel *)transport;

  /* End of file for the RPC side, as libxl's helper has closed its own copy. */
  xf_clear_fd (&tunnel->fd);
}

static void
tunnel_abort (XfMigrateTransport *transport)
{
  Tunnel *tunnel = (Tunnel *)transport;

  g_clear_handle_id (&tunnel->opened_id, g_source_remove);
  /* Before finish(cancelled), because a libvirtd otherwise waits for the rest of the stream for ever. The read end of
   * the pipe is closed too, so that a blocked write fails. */
  if (tunnel->sending)
    tunnel->peers->send_abort (tunnel->peer);
  tunnel->sending = FALSE;
}

static void
tunnel_set_rate (XfMigrateTransport *transport, guint64 bytes_per_s)
{
  Tunnel *tunnel = (Tunnel *)transport;

  tunnel->peers->set_rate (tunnel->peer, bytes_per_s);
}

static guint64
tunnel_sent (XfMigrateTransport *transport)
{
  Tunnel *tunnel = (Tunnel *)transport;

  return tunnel->peers->sent (tunnel->peer);
}

static void
tunnel_free (XfMigrateTransport *transport)
{
  Tunnel *tunnel = (Tunnel *)transport;

  tunnel_abort (transport);
  xf_clear_fd (&tunnel->fd);
  g_free (tunnel);
}

static const XfMigrateTransportOps tunnel_ops = {
  .name = "tunnelled",
  .open = tunnel_open,
  .finish_writing = tunnel_finish_writing,
  .abort = tunnel_abort,
  .set_rate = tunnel_set_rate,
  .sent = tunnel_sent,
  .free = tunnel_free,
};

XfMigrateTransport *
xf_migrate_tunnel_new (const XfPeerOps *peers, XfPeer *peer)
{
  Tunnel *tunnel = g_new0 (Tunnel, 1);

  tunnel->base.ops = &tunnel_ops;
  tunnel->peers = peers;
  tunnel->peer = peer;
  tunnel->fd = -1;
  return &tunnel->base;
}
