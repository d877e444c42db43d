/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pump/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "pump/tls.h"

gboolean
xf_channel_init (XfChannel *channel, XfPumpLoop *loop, int fd, gboolean output, GError **error)
{
  struct stat st;

  *channel = (XfChannel){ .loop = loop, .fd = fd, .output = output };
  if (fstat (fd, &st) < 0)
    return xf_error_set_errno (error, errno, "descriptor %d is not open", fd);
  channel->is_pipe = S_ISFIFO (st.st_mode);
  channel->is_socket = S_ISSOCK (st.st_mode);
  return xf_fd_set_nonblocking (fd, TRUE, error);
}

void
xf_channel_clear (XfChannel *channel)
{
  if (channel->tls)
    xf_tls_session_free (channel->tls);
  channel->tls = NULL;
  xf_clear_fd (&channel->fd);
}

static gboolean
broken (const XfChannel *channel, GError **error)
{
  return xf_error_set_errno (
    error, errno, channel->output ? "cannot hand on the migration stream" : "cannot read the migration stream");
}

static void
count (const XfChannel *channel, gsize n)
{
  XfPumpCounts *counts = channel->loop->counts;

  if (!channel->inner)
    *(channel->output ? &counts->out : &counts->in) += n;
}

/* The bytes that may be moved now, like xf_loop_take(). */
static gsize
take (const XfChannel *channel, gsize size, GError **error)
{
  return channel->inner ? size : xf_loop_take (channel->loop, size, error);
}

static void
give_back (const XfChannel *channel, gsize size)
{
  if (!channel->inner)
    xf_loop_give_back (channel->loop, size);
}

/* Waits for something to read. At least @least bytes will certainly follow, so a connection need not wake us for fewer.
 */
static gboolean
wait_readable (XfChannel *channel, gsize least, GError **error)
{
  if (channel->is_socket && !channel->tls)
    xf_fd_wake_for (channel->fd, least, &channel->low_water);
  return xf_loop_wait (channel->loop, channel->fd, POLLIN, error);
}

/* @least: this many more bytes will certainly follow. */
static gboolean
read_part (XfChannel *channel, guint8 *data, gsize size, gsize least, gsize *n_out, GError **error)
{
  for (;;) {
    ssize_t n = channel->tls ? xf_tls_read (channel->tls, data, size, error) : read (channel->fd, data, size);

    if (n >= 0) {
      count (channel, n);
      *n_out = n;
      return TRUE;
    }
    if (error && *error)
      return FALSE;
    if (errno != EAGAIN && errno != EINTR)
      return broken (channel, error);
    /* Waiting changes errno. */
    if (errno == EAGAIN && !wait_readable (channel, least, error))
      return FALSE;
  }
}

gboolean
xf_channel_read_some (XfChannel *channel, guint8 *data, gsize size, gsize *n_out, GError **error)
{
  return read_part (channel, data, size, 1, n_out, error);
}

gboolean
xf_channel_read (XfChannel *channel, guint8 *data, gsize size, gsize *n_out, GError **error)
{
  *n_out = 0;
  while (*n_out < size) {
    gsize n;

    if (!read_part (channel, data + *n_out, size - *n_out, size - *n_out, &n, error))
      return FALSE;
    if (n == 0)
      return TRUE;
    *n_out += n;
  }
  return TRUE;
}

gboolean
xf_channel_write_some (XfChannel *channel, const guint8 *data, gsize size, gsize *n_out, GError **error)
{
  gsize granted = take (channel, size, error);
  ssize_t n;

  *n_out = 0;
  if (granted == 0 && size > 0)
    return FALSE;
  n = channel->tls ? xf_tls_write (channel->tls, data, granted, error) : write (channel->fd, data, granted);
  give_back (channel, granted - MAX (n, 0));
  if (n < 0 && error && *error)
    return FALSE;
  if (n < 0 && errno != EAGAIN && errno != EINTR)
    return broken (channel, error);
  *n_out = MAX (n, 0);
  count (channel, *n_out);
  return TRUE;
}

gboolean
xf_channel_write (XfChannel *channel, const guint8 *data, gsize size, GError **error)
{
  while (size > 0) {
    gsize n;

    if (!xf_channel_write_some (channel, data, size, &n, error))
      return FALSE;
    if (n == 0 && !xf_loop_wait (channel->loop, channel->fd, POLLOUT, error))
      return FALSE;
    data += n;
    size -= n;
  }
  return TRUE;
}

/* splice does not report which side was not ready. */
static gboolean
wait_both (XfChannel *in, XfChannel *out, gsize least, GError **error)
{
  struct pollfd ready = { .fd = in->fd, .events = POLLIN };

  if (poll (&ready, 1, 0) == 0)
    return wait_readable (in, least, error);
  return xf_loop_wait (out->loop, out->fd, POLLOUT, error);
}

gboolean
xf_channel_splice (XfChannel *in, XfChannel *out, guint64 size, gsize least, gsize *n_out, GError **error)
{
  for (;;) {
    gsize granted = take (out, MIN (size, XF_PIPE_SIZE), error);
    ssize_t n;

    if (granted == 0)
      return FALSE;
    n = splice (in->fd, NULL, out->fd, NULL, granted, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    give_back (out, granted - MAX (n, 0));
    if (n >= 0) {
      count (in, n);
      count (out, n);
      *n_out = n;
      return TRUE;
    }
    if (errno != EAGAIN && errno != EINTR)
      return broken (out, error);
    if (errno == EAGAIN && !wait_both (in, out, least, error))
      return FALSE;
  }
}

gsize
xf_channel_waiting (XfChannel *channel)
{
  int n = 0;

  return ioctl (channel->fd, FIONREAD, &n) == 0 && n > 0 ? (gsize)n : 0;
}
