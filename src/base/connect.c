/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/connect.h"

#include <errno.h>
#include <fcntl.h>

#include "base/error.h"

void
xf_connect (GSocketConnectable *address, guint timeout_s, GCancellable *cancellable, GAsyncReadyCallback done,
            gpointer data)
{
  g_autoptr (GSocketClient) client = g_socket_client_new ();

  g_socket_client_set_timeout (client, timeout_s);
  g_socket_client_set_enable_proxy (client, FALSE);
  g_socket_client_connect_async (client, address, cancellable, done, data);
}

int
xf_connect_finish (GObject *object, GAsyncResult *result, GError **error)
{
  g_autoptr (GSocketConnection) connection = g_socket_client_connect_finish (G_SOCKET_CLIENT (object), result, error);
  int fd;

  if (!connection)
    return -1;
  fd = fcntl (g_socket_get_fd (g_socket_connection_get_socket (connection)), F_DUPFD_CLOEXEC, 3);
  if (fd < 0)
    xf_error_set_errno (error, errno, "cannot keep the connection");
  return fd;
}
