/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/listener.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/listen.h"

#define BACKLOG 128

struct XfListener {
  int fd;
  char *path; /* of a unix socket */
  guint source;
  XfAccepted accepted;
  gpointer data;
};

static gboolean
readable (int fd, GIOCondition condition, gpointer data)
{
  XfListener *listener = data;
  int connection = accept4 (fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

  if (connection >= 0)
    listener->accepted (connection, listener->data);
  else if (errno == EMFILE || errno == ENFILE)
    g_warning ("cannot accept a connection: %s", g_strerror (errno));
  return G_SOURCE_CONTINUE;
}

static XfListener *
make (int fd, const char *path, XfAccepted accepted, gpointer data)
{
  XfListener *listener = g_new0 (XfListener, 1);

  listener->fd = fd;
  listener->path = g_strdup (path);
  listener->accepted = accepted;
  listener->data = data;
  listener->source = g_unix_fd_add (fd, G_IO_IN, readable, listener);
  return listener;
}

static gboolean
somebody_listens (const struct sockaddr_un *address)
{
  xf_autofd fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  return fd >= 0 && (connect (fd, (const struct sockaddr *)address, sizeof (*address)) == 0 || errno == EAGAIN);
}

XfListener *
xf_listener_new_unix (const char *path, int mode, XfAccepted accepted, gpointer data, GError **error)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  xf_autofd fd = -1;

  if (strlen (path) >= sizeof (address.sun_path)) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "the socket path '%s' is longer than a unix socket's may be",
                 path);
    return NULL;
  }
  strcpy (address.sun_path, path);
  if (somebody_listens (&address)) {
    g_set_error (error, XF_ERROR, XF_ERROR_RESOURCE_BUSY, "another daemon listens on '%s'", path);
    return NULL;
  }
  unlink (path);
  fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || fchmod (fd, mode) < 0 || bind (fd, (struct sockaddr *)&address, sizeof (address)) < 0
      || chmod (path, mode) < 0 || listen (fd, BACKLOG) < 0) {
    xf_error_set_errno (error, errno, "cannot listen on '%s'", path);
    return NULL;
  }
  return make (xf_steal_fd (&fd), path, accepted, data);
}

XfListener *
xf_listener_new_tcp (const char *address, guint port, XfAccepted accepted, gpointer data, GError **error)
{
  int fd = xf_listen_tcp (address, port, BACKLOG, error);

  if (fd < 0)
    return NULL;
  g_message ("listening on TCP port %u of %s", xf_listen_port (fd), address ? address : "all addresses");
  return make (fd, NULL, accepted, data);
}

XfListener *
xf_listener_new_from_fd (int fd, XfAccepted accepted, gpointer data)
{
  (void)xf_fd_set_nonblocking (fd, TRUE, NULL);
  return make (fd, NULL, accepted, data);
}

void
xf_listener_free (XfListener *listener)
{
  if (!listener)
    return;
  g_source_remove (listener->source);
  xf_clear_fd (&listener->fd);
  if (listener->path)
    unlink (listener->path);
  g_free (listener->path);
  g_free (listener);
}
