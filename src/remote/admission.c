/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which connections are accepted, and how much a connection may cost before CONNECT_OPEN. Every kind of socket (a door)
 * has a pool of its own: silent connections to the read-only socket use no place of root's socket. On the sockets that
 * unknown clients can reach, a user or an address has a limited number of the places. A connection that does not open
 * in time is closed; until it opens, its frames must be small.
 */
#include "base/error.h"
#include "remote/remote_private.h"

#define MIB (1024 * 1024)

/* Every host that reaches the peer port may ask, so these connections do not count as clients: their largest number,
 * and how long one may stay. */
#define PEERS_MAX 256
#define PEERS_AN_ADDRESS_MAX 64
#define PEER_TIMEOUT_S 30

/* Lines per second about refused connections. */
#define REFUSALS_LOGGED 1

/* Limits for each door: bytes of a client's frame after CONNECT_OPEN, bytes of frames that wait for the client, and
 * bytes of all unfinished frames of the door together; and the time of its clients' calls together in one turn of the
 * loop. */
static const struct {
  const char *name;
  gsize frame_max, queue_max, frames_max;
  gint64 turn_max_us;
} doors[XF_N_DOORS] = {
  [XF_DOOR_PRIVATE] = { "the private socket", XF_FRAME_MAX, XF_CONN_QUEUE_MAX, 256 * MIB, 30 * 1000 },
  [XF_DOOR_READ_ONLY] = { "the read-only socket", 2 * MIB, 4 * MIB, 64 * MIB, 10 * 1000 },
  [XF_DOOR_TCP] = { "TCP", XF_FRAME_MAX, XF_CONN_QUEUE_MAX, 128 * MIB, 20 * 1000 },
  [XF_DOOR_PEER] = { "peer_port", XF_FRAME_SMALL, MIB, 8 * MIB, 10 * 1000 },
};

void
xf_admission_start (XfRemote *remote)
{
  for (guint i = 0; i < XF_N_DOORS; i++) {
    remote->pools[i].frames_max = doors[i].frames_max;
    remote->pools[i].turn_max_us = doors[i].turn_max_us;
  }
  remote->origins = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
}

/* ---- counting --------------------------------------------------------------------------------------------- */

static guint
from_there (const XfRemote *remote, const char *origin)
{
  return GPOINTER_TO_UINT (g_hash_table_lookup (remote->origins, origin));
}

static void
count (XfRemote *remote, const XfRemoteClient *client, int change)
{
  guint n = from_there (remote, client->origin) + change;

  remote->n_clients[client->door] += change;
  if (n > 0)
    g_hash_table_insert (remote->origins, g_strdup (client->origin), GUINT_TO_POINTER (n));
  else
    g_hash_table_remove (remote->origins, client->origin);
}

static guint
places_of_origin (const XfRemote *remote, XfDoor door)
{
  if (door == XF_DOOR_READ_ONLY)
    return remote->config.max_clients_per_user;
  return door == XF_DOOR_TCP ? remote->config.max_clients_per_address : G_MAXUINT;
}

static gboolean
has_place (XfRemote *remote, XfDoor door, const char *origin)
{
  guint max = door == XF_DOOR_PEER ? PEERS_MAX : remote->config.max_clients;
  gboolean door_full = remote->n_clients[door] >= max;
  guint dropped;

  if (!door_full && from_there (remote, origin) < places_of_origin (remote, door))
    return TRUE;
  if (xf_log_rate_allows (&remote->refusals, REFUSALS_LOGGED, &dropped))
    g_warning ("%s: it has %u clients, all there together %u: a new one is turned away (and %u before it)", origin,
               from_there (remote, origin), remote->n_clients[door], dropped);
  return FALSE;
}

/* Many silent connections must not prevent another host from asking. */
static void
make_room (XfRemote *remote, const XfCrowdSeat *newcomer)
{
  static const XfCrowdLimits limits = { PEERS_MAX, PEERS_AN_ADDRESS_MAX };
  g_autoptr (GError) error = g_error_new_literal (XF_ERROR, XF_ERROR_TIMEOUT, "others want to ask");
  g_autoptr (GPtrArray) peers = g_ptr_array_new (), seats = g_ptr_array_new ();
  gint leaver;

  for (guint i = 0; i < remote->clients->len; i++) {
    XfRemoteClient *client = remote->clients->pdata[i];

    if (client->door != XF_DOOR_PEER)
      continue;
    g_ptr_array_add (peers, client);
    g_ptr_array_add (seats, &client->seat);
  }
  leaver = xf_crowd_leaver ((const XfCrowdSeat *const *)seats->pdata, seats->len, newcomer, &limits);
  if (leaver >= 0)
    xf_conn_close (((XfRemoteClient *)peers->pdata[leaver])->conn, error);
}

/* ---- deadlines -------------------------------------------------------------------------------------------- */

static gboolean
stays_too_long (gpointer data)
{
  XfRemoteClient *client = data;
  g_autoptr (GError) error = NULL;

  /* Its pending calls are answered first. */
  if (xf_conn_calls (client->conn) > 0)
    return G_SOURCE_CONTINUE;
  client->deadline_id = 0;
  error = g_error_new_literal (XF_ERROR, XF_ERROR_TIMEOUT,
                               client->door == XF_DOOR_PEER
                                 ? "one question takes no longer"
                                 : "it has not opened the connection in time (open_timeout)");
  xf_conn_close (client->conn, error);
  return G_SOURCE_REMOVE;
}

static void
bound (XfRemoteClient *client)
{
  XfRemote *remote = client->remote;
  guint seconds = client->door == XF_DOOR_PEER ? PEER_TIMEOUT_S : remote->config.open_timeout_s;

  xf_conn_set_limits (client->conn, XF_FRAME_SMALL, MIN (doors[client->door].queue_max, 4 * MIB),
                      &remote->pools[client->door]);
  client->deadline_id = g_timeout_add_seconds (seconds, stays_too_long, client);
}

void
xf_admission_opened (XfRemoteClient *client)
{
  /* A connection that is opened read-only has the limits of the read-only socket. */
  XfDoor as = client->rights.read_only && client->door != XF_DOOR_PEER ? XF_DOOR_READ_ONLY : client->door;

  if (client->door == XF_DOOR_PEER)
    return;
  g_clear_handle_id (&client->deadline_id, g_source_remove);
  xf_conn_set_limits (client->conn, doors[as].frame_max, doors[as].queue_max, &client->remote->pools[client->door]);
}

/* ---- coming and going ------------------------------------------------------------------------------------- */

gboolean
xf_admission_enter (XfRemote *remote, XfRemoteClient *client)
{
  g_autofree char *origin = xf_conn_origin (client->conn);

  client->origin = g_strdup_printf ("%s, %s", doors[client->door].name, origin);
  if (client->door == XF_DOOR_PEER)
    make_room (remote, &client->seat);
  if (!has_place (remote, client->door, client->origin))
    return FALSE;
  client->entered = TRUE;
  count (remote, client, 1);
  bound (client);
  return TRUE;
}

void
xf_admission_leave (XfRemoteClient *client)
{
  g_clear_handle_id (&client->deadline_id, g_source_remove);
  if (client->entered)
    count (client->remote, client, -1);
  client->entered = FALSE;
}
