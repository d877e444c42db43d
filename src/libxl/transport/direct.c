/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The direct transport. There is no process between libxl and the network: libxl's helper writes into the socket, and
 * the kernel limits the rate (SO_MAX_PACING_RATE) and counts the bytes (TCP_INFO).
 */
#include "libxl/transport/transport.h"

#include <errno.h>
#include <fcntl.h>
/* linux/tcp.h and not netinet/tcp.h: glibc's tcp_info ends before the byte counters. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/connect.h"
#include "base/error.h"
#include "base/fd.h"
#include "conf/migrate_uri.h"
#include "libxl/transport/listen.h"

typedef struct {
  XfMigrateTransport base;
  XfMigrateDoor *door;
  char *host;
  guint port;
  guint timeout_s;
  GCancellable *cancellable;
  int fd;
  guint drained_id;
  gboolean has_ticket;
  XfTicket ticket;
  guint64 sent; /* final count, once the socket is closed */
} Direct;

static guint64
count_sent (int fd)
{
  struct tcp_info info = { 0 };
  socklen_t length = sizeof (info);

  if (fd < 0 || getsockopt (fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0
      || length < G_STRUCT_OFFSET (struct tcp_info, tcpi_bytes_sent) + sizeof (info.tcpi_bytes_sent))
    return 0;
  return info.tcpi_bytes_sent - info.tcpi_bytes_retrans;
}

/* A new connection has room for the ticket. */
static gboolean
show_ticket (const Direct *direct, GError **error)
{
  guint8 bytes[XF_TICKET_SIZE];

  xf_ticket_put (&direct->ticket, bytes);
  if (send (direct->fd, bytes, sizeof (bytes), MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof (bytes))
    return TRUE;
  return xf_error_set_errno (error, errno, "cannot write to the migration port %u of '%s'", direct->port, direct->host);
}

/* The ticket has arrived at this host's own door. */
static void
reached_itself (gpointer data)
{
  Direct *direct = data;
  g_autoptr (GError) error = g_error_new (XF_ERROR, XF_ERROR_NO_CONNECT,
                                          "the destination announced '%s' port %u for the guest's data, and that leads "
                                          "back to this host: set migration_host in "
                                          "the destination's configuration, or name its address with --migrateuri",
                                          direct->host, direct->port);

  direct->base.events.drained (error, direct->base.data);
}

static void
connected (GObject *object, GAsyncResult *result, gpointer data)
{
  Direct *direct;
  g_autoptr (GError) error = NULL;
  int fd = xf_connect_finish (object, result, &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return; /* aborted: the transport may have been freed */
  direct = data;
  direct->fd = fd;
  if (error) {
    g_autoptr (GError) told = g_error_new (
      XF_ERROR, XF_ERROR_NO_CONNECT, "cannot connect to the migration port %u of '%s': %s; %s", direct->port,
      direct->host, error->message,
      xf_migrate_host_is_loopback (direct->host)
        ? "that is this host itself: set migration_host in the destination's configuration, or name its address with "
          "--migrateuri"
        : "check that this host reaches that address and that no firewall blocks the port");
    direct->base.events.opened (-1, told, direct->base.data);
    return;
  }
  (void)xf_fd_set_nonblocking (direct->fd, FALSE, NULL);
  xf_migrate_socket_tune (direct->fd);
  if (direct->has_ticket && !show_ticket (direct, &error)) {
    direct->base.events.opened (-1, error, direct->base.data);
    return;
  }
  if (direct->has_ticket)
    xf_migrate_door_know_own (direct->door, &direct->ticket, reached_itself, direct);
  direct->base.events.opened (direct->fd, NULL, direct->base.data);
}

static void
direct_open (XfMigrateTransport *transport)
{
  Direct *direct = (Direct *)transport;
  g_autoptr (GSocketConnectable) address = g_network_address_new (direct->host, direct->port);

  xf_connect (address, direct->timeout_s, direct->cancellable, connected, direct);
}

static gboolean
tell_drained (gpointer data)
{
  Direct *direct = data;

  direct->drained_id = 0;
  direct->base.events.drained (NULL, direct->base.data);
  return G_SOURCE_REMOVE;
}

static void
direct_finish_writing (XfMigrateTransport *transport)
{
  Direct *direct = (Direct *)transport;

  /* The kernel sends the rest after the close; the reply to finish shows whether it has arrived. */
  direct->sent = count_sent (direct->fd);
  xf_clear_fd (&direct->fd);
  direct->drained_id = g_idle_add_full (G_PRIORITY_DEFAULT, tell_drained, direct, NULL);
}

static void
direct_abort (XfMigrateTransport *transport)
{
  Direct *direct = (Direct *)transport;

  g_cancellable_cancel (direct->cancellable);
  xf_migrate_door_forget_own (direct->door, direct);
  g_clear_handle_id (&direct->drained_id, g_source_remove);
  if (direct->fd < 0)
    return;
  direct->sent = count_sent (direct->fd);
  /* The helper holds a copy of the descriptor: only shutdown makes its blocked write fail. */
  shutdown (direct->fd, SHUT_RDWR);
}

static void
direct_set_rate (XfMigrateTransport *transport, guint64 bytes_per_s)
{
  Direct *direct = (Direct *)transport;
  guint64 pace = bytes_per_s ? bytes_per_s : G_MAXUINT64;

  if (direct->fd >= 0 && setsockopt (direct->fd, SOL_SOCKET, SO_MAX_PACING_RATE, &pace, sizeof (pace)) < 0)
    g_warning ("cannot limit the migration to '%s' to %" G_GUINT64_FORMAT " bytes/s: %s", direct->host, bytes_per_s,
               g_strerror (errno));
}

static guint64
direct_sent (XfMigrateTransport *transport)
{
  Direct *direct = (Direct *)transport;

  return direct->fd >= 0 ? count_sent (direct->fd) : direct->sent;
}

static void
direct_free (XfMigrateTransport *transport)
{
  Direct *direct = (Direct *)transport;

  direct_abort (transport);
  xf_clear_fd (&direct->fd);
  g_object_unref (direct->cancellable);
  g_free (direct->host);
  g_free (direct);
}

static const XfMigrateTransportOps direct_ops = {
  .name = "direct",
  .open = direct_open,
  .finish_writing = direct_finish_writing,
  .abort = direct_abort,
  .set_rate = direct_set_rate,
  .sent = direct_sent,
  .free = direct_free,
};

XfMigrateTransport *
xf_migrate_direct_new (XfMigrateDoor *door, const char *host, guint port, guint timeout_s, const XfTicket *ticket)
{
  Direct *direct = g_new0 (Direct, 1);

  direct->base.ops = &direct_ops;
  direct->door = door;
  direct->host = g_strdup (host);
  direct->port = port;
  direct->timeout_s = timeout_s;
  direct->cancellable = g_cancellable_new ();
  direct->fd = -1;
  direct->has_ticket = ticket != NULL;
  if (ticket)
    direct->ticket = *ticket;
  return &direct->base;
}
