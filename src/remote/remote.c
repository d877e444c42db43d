/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Clients: from the accepted socket to the end. That a client is gone, the driver learns at once; its struct stays
 * until the next turn of the loop, because the handler that found out may be on the stack. Answers that come later
 * need only their call.
 */
#include "remote/remote.h"

#include <unistd.h>

#include "base/error.h"
#include "remote/remote_private.h"

/* Whoever reaches the peer port may ask, and so does not count among the clients: how many may do so at once, and for
 * how long. */
#define PEERS_MAX 256
#define PEERS_AN_ADDRESS_MAX 64
#define PEER_TIMEOUT_S 30

static void
client_free (gpointer data)
{
  XfRemoteClient *client = data;

  g_clear_handle_id (&client->deadline_id, g_source_remove);
  if (client->conn) {
    xf_conn_abandon (client->conn);
    xf_conn_unref (client->conn);
  }
  g_array_unref (client->registrations);
  g_free (client);
}

static void
conn_call (XfConn *conn, const XfFrameHeader *header, GBytes *payload, gpointer data)
{
  XfRemoteClient *client = data;

  client->seat.has_spoken = TRUE;
  xf_call_dispatch (xf_programs, XF_N_PROGRAMS, conn, header, payload, &client->rights, client);
}

static gboolean
conn_reply (XfConn *conn, const XfFrameHeader *header, GBytes *payload, gpointer data)
{
  g_debug ("%s: a reply, but we called nothing", xf_conn_name (conn));
  return TRUE;
}

static void
conn_message (XfConn *conn, const XfFrameHeader *header, GBytes *payload, gpointer data)
{
  g_debug ("%s: message %d of program %#x is not for us", xf_conn_name (conn), header->procedure, header->program);
}

static gboolean
sweep (gpointer data)
{
  XfRemote *remote = data;

  remote->sweep_id = 0;
  g_ptr_array_set_size (remote->gone, 0);
  return G_SOURCE_REMOVE;
}

static void
conn_closed (XfConn *conn, const GError *error, gpointer data)
{
  XfRemoteClient *client = data;
  XfRemote *remote = client->remote;
  guint at;

  g_info ("%s: closed: %s", xf_conn_name (conn), error ? error->message : "by the client");
  xf_driver_client_gone (remote->driver, client);
  g_clear_handle_id (&client->deadline_id, g_source_remove);
  remote->n_peers -= client->is_peer;
  if (g_ptr_array_find (remote->clients, client, &at))
    /* Their order stays that in which they came. */
    g_ptr_array_add (remote->gone, g_ptr_array_steal_index (remote->clients, at));
  if (!remote->sweep_id)
    remote->sweep_id = g_idle_add (sweep, remote);
}

static gboolean
client_is_there (gconstpointer client)
{
  return xf_conn_is_there (((const XfRemoteClient *)client)->conn);
}

/* Root, or whoever runs the daemon; on the read-only socket everybody; on TCP whoever reaches the port (auth_tcp). */
static gboolean
is_trusted (XfConn *conn, gboolean read_only)
{
  guint uid;

  if (read_only || !xf_conn_peer_uid (conn, &uid))
    return TRUE;
  return uid == 0 || uid == geteuid ();
}

/* NULL when there are too many; @fd is closed then. */
static XfRemoteClient *
client_new (XfRemote *remote, int fd, guint n, guint max)
{
  static const XfConnEvents events = { conn_call, conn_reply, conn_message, conn_closed };
  XfRemoteClient *client;

  if (n >= max) {
    g_warning ("more than %u clients: a new one is turned away", max);
    close (fd);
    return NULL;
  }
  client = g_new0 (XfRemoteClient, 1);
  client->remote = remote;
  client->registrations = g_array_new (FALSE, TRUE, sizeof (XfRegistration));
  client->conn = xf_conn_new (fd, &events, client);
  g_ptr_array_add (remote->clients, client);
  return client;
}

void
xf_remote_accept (XfRemote *remote, int fd, gboolean read_only)
{
  XfRemoteClient *client = client_new (remote, fd, remote->clients->len - remote->n_peers, remote->config.max_clients);

  if (!client)
    return;
  client->rights.read_only = read_only;
  client->rights.authenticated = is_trusted (client->conn, read_only);
  g_info ("%s: connected%s", xf_conn_name (client->conn), read_only ? ", read only" : "");
}

static gboolean
peer_stays_too_long (gpointer data)
{
  XfRemoteClient *client = data;
  g_autoptr (GError) error = g_error_new_literal (XF_ERROR, XF_ERROR_TIMEOUT, "one question takes no longer");

  client->deadline_id = 0;
  xf_conn_close (client->conn, error);
  return G_SOURCE_REMOVE;
}

/* A crowd that says nothing keeps nobody from asking. */
static void
make_room (XfRemote *remote, const XfCrowdSeat *newcomer)
{
  static const XfCrowdLimits limits = { PEERS_MAX, PEERS_AN_ADDRESS_MAX };
  g_autoptr (GError) error = g_error_new_literal (XF_ERROR, XF_ERROR_TIMEOUT, "others want to ask");
  g_autoptr (GPtrArray) peers = g_ptr_array_new (), seats = g_ptr_array_new ();
  gint leaver;

  for (guint i = 0; i < remote->clients->len; i++) {
    XfRemoteClient *client = remote->clients->pdata[i];

    if (!client->is_peer)
      continue;
    g_ptr_array_add (peers, client);
    g_ptr_array_add (seats, &client->seat);
  }
  leaver = xf_crowd_leaver ((const XfCrowdSeat *const *)seats->pdata, seats->len, newcomer, &limits);
  if (leaver >= 0)
    xf_conn_close (((XfRemoteClient *)peers->pdata[leaver])->conn, error);
}

void
xf_remote_accept_peer (XfRemote *remote, int fd)
{
  XfRemoteClient *client;
  XfCrowdSeat seat;

  xf_crowd_seat_init (&seat, fd);
  make_room (remote, &seat);
  client = client_new (remote, fd, remote->n_peers, PEERS_MAX);
  if (!client)
    return;
  client->is_peer = TRUE;
  client->seat = seat;
  remote->n_peers++;
  client->rights.read_only = TRUE;
  client->deadline_id = g_timeout_add_seconds (PEER_TIMEOUT_S, peer_stays_too_long, client);
  g_info ("%s: connected to ask", xf_conn_name (client->conn));
}

XfRemote *
xf_remote_new (XfDriver *driver, const XfRemoteConfig *config)
{
  XfRemote *remote = g_new0 (XfRemote, 1);

  remote->driver = driver;
  remote->config = *config;
  remote->clients = g_ptr_array_new_with_free_func (client_free);
  remote->gone = g_ptr_array_new_with_free_func (client_free);
  xf_driver_set_listener (driver, xf_events_deliver, remote);
  xf_driver_set_client_probe (driver, client_is_there);
  return remote;
}

void
xf_remote_free (XfRemote *remote)
{
  xf_driver_set_listener (remote->driver, NULL, NULL);
  xf_driver_set_client_probe (remote->driver, NULL);
  for (guint i = 0; i < remote->clients->len; i++)
    xf_driver_client_gone (remote->driver, remote->clients->pdata[i]);
  g_ptr_array_unref (remote->clients);
  g_clear_handle_id (&remote->sweep_id, g_source_remove);
  g_ptr_array_unref (remote->gone);
  g_free (remote);
}

guint
xf_remote_n_clients (const XfRemote *remote)
{
  return remote->clients->len;
}
