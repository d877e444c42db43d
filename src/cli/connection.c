/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/connection.h"

#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <string.h>
#include <sys/un.h>

#include "base/connect.h"
#include "base/error.h"
#include "conf/migrate_uri.h"
#include "daemon/settings.h"
#include "procs.h"
#include "remote/error_map.h"
#include "remote/peer.h"
#include "rpc/client.h"

#define CONNECT_TIMEOUT_S 10
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_COUNT 5

struct XfConnection {
  XfClient *client;
  GHashTable *pending; /* of Pending, owned */
  gboolean lost;
};

typedef struct {
  XfConnection *connection;
  XfConnectionDone done;
  gpointer data;
} Pending;

/* ---- connecting ------------------------------------------------------------------------------------------- */

typedef struct {
  gboolean done;
  int fd;
  GError *error;
} Connecting;

static void
connected (GObject *object, GAsyncResult *result, gpointer data)
{
  Connecting *connecting = data;

  connecting->fd = xf_connect_finish (object, result, &connecting->error);
  connecting->done = TRUE;
}

static void
closed (const GError *error, gpointer data)
{
  ((XfConnection *)data)->lost = TRUE;
}

static XfConnection *
connect_to (GSocketConnectable *address, const char *where, GError **error)
{
  Connecting connecting = { .fd = -1 };
  XfConnection *connection;

  xf_connect (address, CONNECT_TIMEOUT_S, NULL, connected, &connecting);
  while (!connecting.done)
    g_main_context_iteration (NULL, TRUE);
  if (connecting.fd < 0) {
    g_set_error (error, XF_ERROR, XF_ERROR_NO_CONNECT, "cannot reach xenferryd on '%s': %s", where,
                 connecting.error->message);
    g_error_free (connecting.error);
    return NULL;
  }
  connection = g_new0 (XfConnection, 1);
  connection->pending = g_hash_table_new_full (NULL, NULL, g_free, NULL);
  connection->client = xf_client_new (connecting.fd, closed, connection);
  return connection;
}

XfConnection *
xf_connection_new_local (const char *config, const char *socket, GError **error)
{
  g_autoptr (XfSettings) settings = socket ? NULL : xf_settings_load (config, error);
  g_autoptr (GSocketAddress) address = NULL;
  const char *path;

  if (!socket && !settings)
    return NULL;
  path = socket ? socket : settings->unix_sock;
  if (strlen (path) >= sizeof (((struct sockaddr_un *)NULL)->sun_path)) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "the socket path '%s' is longer than a unix socket's may be",
                 path);
    return NULL;
  }
  address = g_unix_socket_address_new (path);
  return connect_to (G_SOCKET_CONNECTABLE (address), path, error);
}

XfConnection *
xf_connection_new_uri (const char *uri, GError **error)
{
  g_auto (XfConnectUri) parsed = { 0 };
  g_autoptr (GSocketConnectable) address = NULL;

  if (!xf_connect_uri_parse (uri, &parsed, error))
    return NULL;
  address = xf_peer_address (&parsed, NULL, error);
  return address ? connect_to (address, uri, error) : NULL;
}

void
xf_connection_free (XfConnection *connection)
{
  if (!connection)
    return;
  xf_client_free (connection->client);
  g_hash_table_unref (connection->pending);
  g_free (connection);
}

void
xf_connection_keep_alive (XfConnection *connection)
{
  xf_conn_set_keepalive (xf_client_conn (connection->client), KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT);
}

gboolean
xf_connection_is_lost (const XfConnection *connection)
{
  return connection->lost;
}

/* ---- calls ------------------------------------------------------------------------------------------------ */

static GError *
explain (const XfWireError *wire, const GError *lost)
{
  if (wire)
    return xf_error_map_from_wire (wire->code, wire->message);
  return g_error_new (XF_ERROR, XF_ERROR_NO_CONNECT, "the connection to the daemon was lost: %s", lost->message);
}

static void
replied (gconstpointer ret, const XfWireError *wire, const GError *lost, const XfFrameHeader *header, gpointer data)
{
  Pending pending = *(Pending *)data;
  g_autoptr (GError) error = ret ? NULL : explain (wire, lost);

  /* The calls hear of the loss before closed() does. */
  if (lost && !xf_conn_is_open (xf_client_conn (pending.connection->client)))
    pending.connection->lost = TRUE;
  g_hash_table_remove (pending.connection->pending, data);
  pending.done (ret, error, pending.data);
}

void
xf_connection_start (XfConnection *connection, const XfConnectionCall *call, gconstpointer args, XfConnectionDone done,
                     gpointer data)
{
  Pending *pending = g_new0 (Pending, 1);

  *pending = (Pending){ connection, done, data };
  g_hash_table_add (connection->pending, pending);
  xf_client_call (connection->client, call->program, call->procedure, call->args_xdr, args, call->ret_xdr,
                  call->ret_size, replied, pending);
}

/* A call that is waited for. Its answer can be late: then @given_up is set, and the answer frees it. */
typedef struct {
  gboolean answered, given_up;
  XfConnectionTake take;
  gpointer data;
  GError *error;
} Waiting;

static void
answered (gconstpointer ret, const GError *error, gpointer data)
{
  Waiting *waiting = data;

  if (waiting->given_up) {
    g_free (waiting);
    return;
  }
  waiting->answered = TRUE;
  if (error)
    waiting->error = g_error_copy (error);
  else if (waiting->take)
    waiting->take (ret, waiting->data);
}

static gboolean
wake (gpointer data)
{
  *(gboolean *)data = TRUE;
  return G_SOURCE_CONTINUE;
}

gboolean
xf_connection_call (XfConnection *connection, const XfConnectionCall *call, guint timeout_s, gconstpointer args,
                    XfConnectionTake take, gpointer data, GError **error)
{
  Waiting *waiting = g_new0 (Waiting, 1);
  gboolean late = FALSE;
  guint id = g_timeout_add_seconds (timeout_s, wake, &late);

  waiting->take = take;
  waiting->data = data;
  xf_connection_start (connection, call, args, answered, waiting);
  while (!waiting->answered && !late)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (id);
  if (!waiting->answered) {
    waiting->given_up = TRUE;
    g_set_error (error, XF_ERROR, XF_ERROR_TIMEOUT, "the daemon has not answered within %u s", timeout_s);
    return FALSE;
  }
  if (waiting->error)
    g_propagate_error (error, waiting->error);
  late = waiting->error != NULL;
  g_free (waiting);
  return !late;
}

/* ---- opening ---------------------------------------------------------------------------------------------- */

gboolean
xf_connection_open (XfConnection *connection, gboolean read_only, GError **error)
{
  char name[] = "xen:///system";
  xf_string text = name;
  xf_opt_string_flags_args args = { &text, read_only ? 1 : 0 };
  xf_void nothing = { 0 };

  return xf_connection_call (connection, XF_CONNECTION_CALL (XF_REMOTE_PROGRAM, AUTH_LIST, xf_void, xf_auth_ret),
                             XF_CONNECTION_TIMEOUT_S, &nothing, NULL, NULL, error)
         && xf_connection_call (connection,
                                XF_CONNECTION_CALL (XF_REMOTE_PROGRAM, CONNECT_OPEN, xf_opt_string_flags_args, xf_void),
                                XF_CONNECTION_TIMEOUT_S, &args, NULL, NULL, error);
}
