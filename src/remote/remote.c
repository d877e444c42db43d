/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Clients, from the accepted socket to the end. The driver is informed at once when a client is gone. The client's
 * struct stays until the next turn of the loop, because the handler that noticed the end may be on the stack. Later
 * answers need only their call.
 */
#include "remote/remote.h"

#include "remote/remote_private.h"
#include "remote/slices.h"

static void
client_free (gpointer data)
{
  XfRemoteClient *client = data;

  xf_admission_leave (client);
  if (client->conn) {
    xf_conn_abandon (client->conn);
    xf_conn_unref (client->conn);
  }
  g_array_unref (client->registrations);
  g_free (client->origin);
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
  xf_admission_leave (client);
  if (g_ptr_array_find (remote->clients, client, &at))
    /* The order of the clients stays the order of their arrival. */
    g_ptr_array_add (remote->gone, g_ptr_array_steal_index (remote->clients, at));
  if (!remote->sweep_id)
    remote->sweep_id = g_idle_add (sweep, remote);
}

static gboolean
client_is_there (gconstpointer client)
{
  return xf_conn_is_there (((const XfRemoteClient *)client)->conn);
}

/* Root, or the user of the daemon; on the read-only socket every user; on TCP every host that reaches the port
 * (auth_tcp). */
static gboolean
is_trusted (XfConn *conn, gboolean read_only)
{
  guint uid;

  if (read_only || !xf_conn_peer_uid (conn, &uid))
    return TRUE;
  return uid == 0 || uid == geteuid ();
}

void
xf_remote_accept (XfRemote *remote, int fd, XfDoor door)
{
  static const XfConnEvents events = { conn_call, conn_reply, conn_message, conn_closed };
  XfRemoteClient *client = g_new0 (XfRemoteClient, 1);

  client->remote = remote;
  client->registrations = g_array_new (FALSE, TRUE, sizeof (XfRegistration));
  xf_crowd_seat_init (&client->seat, fd);
  client->conn = xf_conn_new (fd, &events, client);
  client->rights.read_only = door == XF_DOOR_READ_ONLY || door == XF_DOOR_PEER;
  client->rights.authenticated = door != XF_DOOR_PEER && is_trusted (client->conn, client->rights.read_only);
  /* A connection that the socket's mode should have prevented uses no place of root's. */
  client->door = door == XF_DOOR_PRIVATE && !client->rights.authenticated ? XF_DOOR_READ_ONLY : door;
  if (!xf_admission_enter (remote, client)) {
    client_free (client);
    return;
  }
  g_ptr_array_add (remote->clients, client);
  g_info ("%s: connected to %s", xf_conn_name (client->conn), client->origin);
}

XfRemote *
xf_remote_new (XfDriver *driver, const XfRemoteConfig *config)
{
  XfRemote *remote = g_new0 (XfRemote, 1);

  remote->driver = driver;
  remote->config = *config;
  remote->clients = g_ptr_array_new_with_free_func (client_free);
  remote->gone = g_ptr_array_new_with_free_func (client_free);
  g_queue_init (&remote->slices);
  xf_admission_start (remote);
  xf_driver_set_listener (driver, xf_events_deliver, remote);
  xf_driver_set_client_probe (driver, client_is_there);
  return remote;
}

void
xf_remote_set_config (XfRemote *remote, const XfRemoteConfig *config)
{
  remote->config = *config;
}

void
xf_remote_free (XfRemote *remote)
{
  xf_driver_set_listener (remote->driver, NULL, NULL);
  xf_driver_set_client_probe (remote->driver, NULL);
  for (guint i = 0; i < remote->clients->len; i++)
    xf_driver_client_gone (remote->driver, remote->clients->pdata[i]);
  g_ptr_array_unref (remote->clients);
  xf_slices_clear (remote);
  g_clear_handle_id (&remote->sweep_id, g_source_remove);
  g_ptr_array_unref (remote->gone);
  g_hash_table_unref (remote->origins);
  g_free (remote);
}

guint
xf_remote_n_clients (const XfRemote *remote)
{
  return remote->clients->len;
}
