/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The other end of a connection: its name for the log, and its origin, by which connections are counted.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "rpc/conn_private.h"

static gboolean
peer_of (int fd, struct ucred *credentials_out)
{
  socklen_t length = sizeof (*credentials_out);

  return getsockopt (fd, SOL_SOCKET, SO_PEERCRED, credentials_out, &length) == 0;
}

static char *
name_unix (int fd)
{
  struct ucred peer;

  if (!peer_of (fd, &peer))
    return g_strdup_printf ("unix:%d", fd);
  return g_strdup_printf ("unix:%d(uid %u, pid %d)", fd, (guint)peer.uid, (int)peer.pid);
}

static char *
name_tcp (int fd)
{
  int copy = fcntl (fd, F_DUPFD_CLOEXEC, 3);
  g_autoptr (GSocket) socket = copy >= 0 ? g_socket_new_from_fd (copy, NULL) : NULL;
  g_autoptr (GSocketAddress) peer = socket ? g_socket_get_remote_address (socket, NULL) : NULL;
  g_autofree char *where = peer ? g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (peer)) : NULL;

  return where ? g_strdup_printf ("tcp:%s", where) : g_strdup_printf ("tcp:%d", fd);
}

char *
xf_conn_make_name (int fd, const XfTransport *transport)
{
  return g_str_equal (transport->name, "tcp") ? name_tcp (fd) : name_unix (fd);
}

/* A host can have 2^64 IPv6 addresses, so its network is counted. */
static char *
origin_tcp (const struct sockaddr_storage *peer)
{
  const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;
  char text[INET6_ADDRSTRLEN] = "?";
  struct in6_addr network = { 0 };

  if (peer->ss_family == AF_INET) {
    inet_ntop (AF_INET, &((const struct sockaddr_in *)peer)->sin_addr, text, sizeof (text));
    return g_strdup_printf ("address %s", text);
  }
  if (IN6_IS_ADDR_V4MAPPED (&v6->sin6_addr)) {
    inet_ntop (AF_INET, &v6->sin6_addr.s6_addr[12], text, sizeof (text));
    return g_strdup_printf ("address %s", text);
  }
  memcpy (&network, &v6->sin6_addr, 8);
  inet_ntop (AF_INET6, &network, text, sizeof (text));
  return g_strdup_printf ("network %s/64", text);
}

char *
xf_conn_origin (const XfConn *conn)
{
  struct sockaddr_storage peer = { 0 };
  socklen_t length = sizeof (peer);
  guint uid;

  if (xf_conn_peer_uid (conn, &uid))
    return g_strdup_printf ("user %u", uid);
  if (conn->fd < 0 || getpeername (conn->fd, (struct sockaddr *)&peer, &length) < 0
      || (peer.ss_family != AF_INET && peer.ss_family != AF_INET6))
    return g_strdup ("nowhere");
  return origin_tcp (&peer);
}
