/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/daemon.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/error.h"
#include "base/fd.h"
#include "daemon/service.h"
#include "remote/peer.h"
#include "remote/remote.h"
#include "rpc/listener.h"

#define MODE_RW 0700
#define MODE_RO 0777

struct XfDaemon {
  XfSettings *settings;
  int lock;
  XfPeerConfig peers;
  XfDriver *driver;
  XfRemote *remote;
  GPtrArray *listeners;
};

static void
accepted (int fd, gpointer data)
{
  XfDaemon *daemon = data;

  xf_remote_accept (daemon->remote, fd, XF_DOOR_PRIVATE);
}

static void
accepted_read_only (int fd, gpointer data)
{
  XfDaemon *daemon = data;

  xf_remote_accept (daemon->remote, fd, XF_DOOR_READ_ONLY);
}

static void
accepted_tcp (int fd, gpointer data)
{
  XfDaemon *daemon = data;

  xf_remote_accept (daemon->remote, fd, XF_DOOR_TCP);
}

static void
accept_without_ticket (int fd, gpointer data)
{
  XfDaemon *daemon = data;

  xf_remote_accept (daemon->remote, fd, XF_DOOR_PEER);
}

/* Migration data, or a question. */
static void
accepted_peer (int fd, gpointer data)
{
  XfDaemon *daemon = data;

  xf_driver_take_connection (daemon->driver, fd, accept_without_ticket, daemon);
}

/* ---- sockets ---------------------------------------------------------------------------------------------- */

static gboolean
keep (XfDaemon *daemon, XfListener *listener)
{
  if (listener)
    g_ptr_array_add (daemon->listeners, listener);
  return listener != NULL;
}

static gboolean
keep_private (XfDaemon *daemon, XfListener *listener)
{
  if (listener)
    xf_listener_set_private (listener);
  return keep (daemon, listener);
}

static gboolean
listen_unix_pair (XfDaemon *daemon, const char *path, const char *path_ro, GError **error)
{
  g_autofree char *dir = g_path_get_dirname (path);

  if (g_mkdir_with_parents (dir, 0755) < 0)
    return xf_error_set_errno (error, errno, "cannot make %s", dir);
  return keep_private (daemon, xf_listener_new_unix (path, MODE_RW, accepted, daemon, error))
         && keep (daemon, xf_listener_new_unix (path_ro, MODE_RO, accepted_read_only, daemon, error));
}

/* For older clients, and for ssh with nc: only when no libvirtd listens there. */
static gboolean
listen_legacy (XfDaemon *daemon, GError **error)
{
  g_autofree char *path = g_build_filename (daemon->settings->socket_dir, "libvirt-sock", NULL);
  g_autofree char *path_ro = g_strconcat (path, "-ro", NULL);
  g_autoptr (GError) local = NULL;

  if (listen_unix_pair (daemon, path, path_ro, &local))
    return TRUE;
  if (g_error_matches (local, XF_ERROR, XF_ERROR_RESOURCE_BUSY)) {
    g_message ("%s; it is left to that one", local->message);
    return TRUE;
  }
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static gboolean
listen_all (XfDaemon *daemon, GError **error)
{
  const XfSettings *settings = daemon->settings;

  if (!listen_unix_pair (daemon, settings->unix_sock, settings->unix_sock_ro, error))
    return FALSE;
  if (settings->legacy_sockets && !listen_legacy (daemon, error))
    return FALSE;
  return !settings->listen_tcp
         || keep (daemon, xf_listener_new_tcp (settings->tcp_address, settings->tcp_port, accepted_tcp, daemon, error));
}

/* A socket from the service manager is read-only when its path ends in -ro; a socket without a path is TCP. */
static gboolean
take_socket (XfDaemon *daemon, int fd, GError **error)
{
  struct sockaddr_un address = { 0 };
  socklen_t length = sizeof (address) - 1;
  gboolean read_only;

  if (getsockname (fd, (struct sockaddr *)&address, &length) < 0)
    return xf_error_set_errno (error, errno, "descriptor %d of the service manager is no socket", fd);
  if (address.sun_family != AF_UNIX)
    return keep (daemon, xf_listener_new_from_fd (fd, accepted_tcp, daemon));
  read_only = g_str_has_suffix (address.sun_path, "-ro");
  if (read_only)
    return keep (daemon, xf_listener_new_from_fd (fd, accepted_read_only, daemon));
  return keep_private (daemon, xf_listener_new_from_fd (fd, accepted, daemon));
}

/* The port where other hosts ask for the outcome of a migration. */
static gboolean
listen_for_peers (XfDaemon *daemon, GError **error)
{
  const XfDriverConfig *driver = &daemon->settings->driver;

  if (driver->peer_port == 0)
    return TRUE;
  if (keep (daemon, xf_listener_new_tcp (driver->migration_listen, driver->peer_port, accepted_peer, daemon, error)))
    return TRUE;
  g_prefix_error (error, "peer_port: ");
  return FALSE;
}

static gboolean
open_sockets (XfDaemon *daemon, GError **error)
{
  g_autoptr (GArray) given = xf_service_take_sockets ();

  for (guint i = 0; i < given->len; i++) {
    if (!take_socket (daemon, g_array_index (given, int, i), error))
      return FALSE;
  }
  return (given->len > 0 || listen_all (daemon, error)) && listen_for_peers (daemon, error);
}

/* ---- life ------------------------------------------------------------------------------------------------- */

static XfRemoteConfig
remote_config (const XfSettings *settings)
{
  return (XfRemoteConfig){
    .max_clients = settings->max_clients,
    .max_clients_per_user = settings->max_clients_per_user,
    .max_clients_per_address = settings->max_clients_per_address,
    .open_timeout_s = settings->open_timeout,
    .keepalive_interval_s = settings->keepalive_interval,
    .keepalive_count = settings->keepalive_count,
  };
}

static gboolean
start (XfDaemon *daemon, GError **error)
{
  const XfSettings *settings = daemon->settings;
  XfRemoteConfig config = remote_config (settings);

  daemon->lock = xf_service_lock_dir (settings->driver.state_dir, error);
  if (daemon->lock < 0)
    return FALSE;
  daemon->peers.local_socket = settings->unix_sock;
  daemon->peers.keepalive_interval_s = settings->keepalive_interval;
  daemon->peers.keepalive_count = settings->keepalive_count;
  daemon->driver = xf_driver_new (&settings->driver, xf_peer_ops (), &daemon->peers, error);
  if (!daemon->driver)
    return FALSE;
  daemon->remote = xf_remote_new (daemon->driver, &config);
  return open_sockets (daemon, error);
}

XfDaemon *
xf_daemon_new (XfSettings *settings, GError **error)
{
  g_autoptr (XfDaemon) daemon = g_new0 (XfDaemon, 1);

  daemon->settings = settings;
  daemon->lock = -1;
  daemon->listeners = g_ptr_array_new_with_free_func ((GDestroyNotify)xf_listener_free);
  return start (daemon, error) ? g_steal_pointer (&daemon) : NULL;
}

void
xf_daemon_autostart (XfDaemon *daemon)
{
  xf_driver_autostart (daemon->driver);
}

void
xf_daemon_reload (XfDaemon *daemon, const XfSettings *fresh)
{
  XfRemoteConfig config;

  xf_settings_reload (daemon->settings, fresh);
  config = remote_config (daemon->settings);
  xf_remote_set_config (daemon->remote, &config);
  daemon->peers.keepalive_interval_s = config.keepalive_interval_s;
  daemon->peers.keepalive_count = config.keepalive_count;
}

void
xf_daemon_free (XfDaemon *daemon)
{
  /* First the listeners, then the clients, then the driver; the lock last. */
  g_ptr_array_unref (daemon->listeners);
  g_clear_pointer (&daemon->remote, xf_remote_free);
  g_clear_pointer (&daemon->driver, xf_driver_free);
  xf_clear_fd (&daemon->lock);
  g_free (daemon);
}
