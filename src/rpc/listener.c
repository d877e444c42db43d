/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/listener.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/listen.h"
#include "base/log.h"

#define BACKLOG 128

/* How long a listener accepts nothing when it must not use more descriptors. */
#define PAUSE_MS 500

/* Descriptors that only clients of the private socket may use: the daemon needs some for guests, and root must be able
 * to connect. */
#define RESERVE_PART 4
#define RESERVE_MAX 1024

struct XfListener {
  int fd;
  char *path; /* of a unix socket */
  guint source;
  guint pause_id; /* instead of it */
  gboolean private;
  XfLogRate complaints;
  XfAccepted accepted;
  gpointer data;
};

static gboolean readable (int fd, GIOCondition condition, gpointer data);

static void
watch (XfListener *listener)
{
  listener->source = g_unix_fd_add (listener->fd, G_IO_IN, readable, listener);
}

static gboolean
pause_over (gpointer data)
{
  XfListener *listener = data;

  listener->pause_id = 0;
  watch (listener);
  return G_SOURCE_REMOVE;
}

/* A connection that cannot be accepted keeps the socket readable: without a pause the loop would spin. */
static gboolean
pause_for (XfListener *listener, const char *why)
{
  guint dropped;

  if (xf_log_rate_allows (&listener->complaints, 1, &dropped))
    g_warning ("cannot accept a connection now: %s (%u such lines were not logged)", why, dropped);
  listener->source = 0;
  listener->pause_id = g_timeout_add (PAUSE_MS, pause_over, listener);
  return G_SOURCE_REMOVE;
}

/* The lowest free descriptor is used, so a high number means that nearly all are in use. */
static gboolean
is_of_the_reserve (int fd)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
    return FALSE;
  return (rlim_t)fd >= limit.rlim_cur - MIN (limit.rlim_cur / RESERVE_PART, RESERVE_MAX);
}

static gboolean
readable (int fd, GIOCondition condition, gpointer data)
{
  XfListener *listener = data;
  int connection = accept4 (fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

  if (connection >= 0 && !listener->private && is_of_the_reserve (connection)) {
    xf_clear_fd (&connection);
    return pause_for (listener, "what is left of the open files is kept for root and for guests");
  }
  if (connection >= 0)
    listener->accepted (connection, listener->data);
  else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
    return pause_for (listener, g_strerror (errno));
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
  watch (listener);
  return listener;
}

void
xf_listener_set_private (XfListener *listener)
{
  listener->private = TRUE;
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
  g_clear_handle_id (&listener->source, g_source_remove);
  g_clear_handle_id (&listener->pause_id, g_source_remove);
  xf_clear_fd (&listener->fd);
  if (listener->path)
    unlink (listener->path);
  g_free (listener->path);
  g_free (listener);
}
