/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

/* The first descriptor from a service manager (sd_listen_fds(3)). */
#define LISTEN_FDS_START 3
#define LISTEN_FDS_MAX 16

GArray *
xf_service_take_sockets (void)
{
  GArray *fds = g_array_new (FALSE, FALSE, sizeof (int));
  const char *pid_text = g_getenv ("LISTEN_PID");
  const char *count_text = g_getenv ("LISTEN_FDS");
  guint64 pid = 0, count = 0;

  if (pid_text && count_text && g_ascii_string_to_unsigned (pid_text, 10, 1, G_MAXINT, &pid, NULL)
      && g_ascii_string_to_unsigned (count_text, 10, 1, LISTEN_FDS_MAX, &count, NULL) && (pid_t)pid == getpid ()) {
    for (int fd = LISTEN_FDS_START; fd < LISTEN_FDS_START + (int)count; fd++) {
      fcntl (fd, F_SETFD, FD_CLOEXEC);
      g_array_append_val (fds, fd);
    }
  }
  g_unsetenv ("LISTEN_PID");
  g_unsetenv ("LISTEN_FDS");
  g_unsetenv ("LISTEN_FDNAMES");
  return fds;
}

void
xf_service_notify (const char *state)
{
  const char *path = g_getenv ("NOTIFY_SOCKET");
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  gsize length = path ? strlen (path) : 0;
  xf_autofd fd = -1;

  if (length < 2 || length >= sizeof (address.sun_path) || !strchr ("/@", path[0]))
    return;
  memcpy (address.sun_path, path, length);
  if (path[0] == '@')
    address.sun_path[0] = '\0'; /* Linux' abstract name space */
  fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0
      || sendto (fd, state, strlen (state), MSG_NOSIGNAL, (struct sockaddr *)&address,
                 offsetof (struct sockaddr_un, sun_path) + length)
           < 0)
    g_warning ("cannot tell the service manager %s: %s", state, g_strerror (errno));
}

int
xf_service_lock_dir (const char *dir, GError **error)
{
  /* A record lock, not flock(2): libxl forks children from this process, and they must not keep the lock. */
  struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
  g_autofree char *path = g_build_filename (dir, "lock", NULL);
  xf_autofd fd = -1;

  if (g_mkdir_with_parents (dir, 0700) < 0) {
    xf_error_set_errno (error, errno, "cannot make %s", dir);
    return -1;
  }
  fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    xf_error_set_errno (error, errno, "cannot open %s", path);
    return -1;
  }
  if (fcntl (fd, F_SETLK, &lock) == 0)
    return xf_steal_fd (&fd);
  if (errno == EAGAIN || errno == EACCES) {
    fcntl (fd, F_GETLK, &lock);
    g_set_error (error, XF_ERROR, XF_ERROR_RESOURCE_BUSY, "%s belongs to a running daemon (pid %d)", dir,
                 (int)lock.l_pid);
  } else {
    xf_error_set_errno (error, errno, "cannot lock %s", path);
  }
  return -1;
}
