/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

void
xf_clear_fd (int *fd)
{
  int saved = errno;

  if (*fd >= 0)
    close (*fd);
  *fd = -1;
  errno = saved;
}

int
xf_steal_fd (int *fd)
{
  int taken = *fd;

  *fd = -1;
  return taken;
}

gboolean
xf_pipe_new (int fds_out[2], int nonblock_end, GError **error)
{
  if (pipe2 (fds_out, O_CLOEXEC) < 0)
    return xf_error_set_errno (error, errno, "cannot make a pipe");
  /* An unprivileged user above the system's limit keeps 64 KiB: slower, but correct. */
  (void)fcntl (fds_out[1], F_SETPIPE_SZ, XF_PIPE_SIZE);
  if (nonblock_end >= 0 && !xf_fd_set_nonblocking (fds_out[nonblock_end], TRUE, error)) {
    xf_clear_fd (&fds_out[0]);
    xf_clear_fd (&fds_out[1]);
    return FALSE;
  }
  return TRUE;
}

void
xf_fd_wake_for (int fd, gsize bytes, int *low_water)
{
  int low = (int)CLAMP (bytes, 1, XF_LOW_WATER);

  if (low_water && low == MAX (*low_water, 1))
    return;
  if (setsockopt (fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof (low)) == 0 && low_water)
    *low_water = low;
}

gboolean
xf_fd_set_nonblocking (int fd, gboolean nonblocking, GError **error)
{
  int flags = fcntl (fd, F_GETFL);

  if (flags < 0)
    return xf_error_set_errno (error, errno, "cannot read the flags of file descriptor %d", fd);
  flags = nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  if (fcntl (fd, F_SETFL, flags) < 0)
    return xf_error_set_errno (error, errno, "cannot set the flags of file descriptor %d", fd);
  return TRUE;
}

gboolean
xf_fd_write_all (int fd, const void *data, gsize length)
{
  const char *next = data;

  while (length > 0) {
    ssize_t n = write (fd, next, length);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return FALSE;
    next += n;
    length -= n;
  }
  return TRUE;
}

gboolean
xf_file_replace (const char *path, const char *contents, gsize length, int mode, GError **error)
{
  g_autofree char *directory = g_path_get_dirname (path);
  g_autofree char *temporary = g_strdup_printf ("%s.XXXXXX", path);
  xf_autofd fd = g_mkstemp_full (temporary, O_WRONLY | O_CLOEXEC, mode);
  xf_autofd dirfd = -1;

  if (fd < 0)
    return xf_error_set_errno (error, errno, "cannot create '%s'", temporary);
  if (!xf_fd_write_all (fd, contents, length) || fsync (fd) < 0 || rename (temporary, path) < 0) {
    xf_error_set_errno (error, errno, "cannot write '%s'", path);
    unlink (temporary);
    return FALSE;
  }
  dirfd = open (directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dirfd < 0 || fsync (dirfd) < 0)
    return xf_error_set_errno (error, errno, "cannot sync the directory '%s'", directory);
  return TRUE;
}
