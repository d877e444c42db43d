/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Data: libxl restores the guest, which stays paused.
 */
#include "libxl/dest/private.h"

#include <glib-unix.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "conf/cookie.h"

static void
restored (int rc, gpointer data)
{
  XfMigrateDest *dest = data;

  dest->ao = NULL;
  xf_migrate_dest_unwatch_stall (dest);
  xf_clear_fd (&dest->fd);
  if (rc != 0 && !dest->error && dest->pump) {
    g_autoptr (GError) refused = xf_pump_reason (dest->pump);

    if (refused)
      dest->error = xf_migrate_dest_error (dest, "restore", refused->code, refused->message);
  }
  g_clear_pointer (&dest->pump, xf_pump_free);
  if (rc != 0 && !dest->error) {
    g_autoptr (GError) libxl_error = NULL;

    xf_rc_to_error (rc, &libxl_error, dest->ctx, "libxl could not restore it");
    dest->error = xf_migrate_dest_error (dest, "restore", libxl_error->code, libxl_error->message);
  }
  if (dest->tunnel_ops && !dest->error)
    /* Nothing after the end of the image counts. */
    dest->tunnel_ops->discard (dest->tunnel);
  if (dest->sm.state == STOPPING) { /* whether libxl has got the abort or not */
    xf_migrate_dest_restore_stopped (dest);
    return;
  }
  if (dest->error) {
    xf_migrate_dest_roll_back (dest);
    return;
  }
  /* The guest has all its memory. */
  g_clear_pointer (&dest->claim, xf_memory_claim_free);
  xf_sm_move (&dest->sm, RESTORED);
  g_info ("%s: restored as domid %u", dest->sm.id, dest->domid);
  /* No caller waits for this write: a daemon that ends before it is done cancels, which is always allowed here. */
  xf_migrate_dest_write (dest, RESTORED, NULL);
  if (!xf_migrate_dest_is_to_start (dest))
    xf_migrate_dest_arm (dest, dest->driver->config.finish_timeout_s);
  xf_migrate_dest_go_on (dest);
}

/* From here on libxl reads the output of the pump. */
static gboolean
put_pump_before (XfMigrateDest *dest, const int *fds, guint n, GError **error)
{
  XfPumpJob job = {
    .in = fds,
    .n_in = n,
    .n_out = 1,
    .unpack = dest->plan.frames,
    .id = dest->plan.frames ? dest->id : NULL,
    .tls = dest->plan.tls ? "server" : NULL,
    .guest = dest->driver->config.guard ? &dest->config : NULL,
  };
  xf_autofd out = -1;
  int pair[2];

  if (!xf_pipe_new (pair, -1, error))
    return FALSE;
  dest->fd = pair[0];
  out = pair[1];
  job.out = &out;
  dest->pump = xf_pump_new (&dest->driver->config, &job, NULL, NULL, error);
  return dest->pump != NULL;
}

/* Checks that the connections are those agreed upon: a source that makes more than allowed is refused. */
static gboolean
take_data (XfMigrateDest *dest, const int *fds, guint n, GError **error)
{
  gboolean good = n == 1 || dest->plan.parallel;

  if (!good)
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_STREAM, "the source has made %u connections and was to make one", n);
  if (good && !dest->plan.frames && !dest->driver->config.guard) {
    dest->fd = fds[0];
    return TRUE;
  }
  good = good && put_pump_before (dest, fds, n, error);
  for (guint i = 0; i < n; i++)
    close (fds[i]);
  return good;
}

static void
begin_restore (XfMigrateDest *dest)
{
  libxl_domain_restore_params params;
  int rc;

  xf_sm_move (&dest->sm, RECEIVING);
  /* If finish was called already, the source has sent everything: the rest must arrive soon. */
  xf_migrate_dest_arm (dest, xf_migrate_dest_is_to_start (dest) ? dest->driver->config.stall_timeout_s : 0);
  libxl_domain_restore_params_init (&params);
  params.stream_version = XF_STREAM_VERSION;
  dest->domid = ~0u;
  dest->ao = xf_ao_new (dest->ctx, restored, dest);
  rc = libxl_domain_create_restore (xf_ctx_libxl (dest->ctx), &dest->config, &dest->domid, dest->fd, -1, &params,
                                    xf_ao_how (dest->ao), NULL);
  libxl_domain_restore_params_dispose (&params);
  xf_migrate_dest_watch_stall (dest);
  xf_ao_started (dest->ao, rc);
}

static void
no_data (XfMigrateDest *dest, const GError *error)
{
  dest->error = xf_migrate_dest_error (dest, "restore", error->code, error->message);
  xf_migrate_dest_roll_back (dest);
}

/* ---- the first bytes -------------------------------------------------------------------------------------- */

/* libxl's header and that of its first record. If a restore fails before they are read, its helper does not run yet,
 * and then libxl 4.17 calls through a null pointer: the restore is started only when they have arrived. */
#define FIRST_BYTES 24
/* A pump passes on the second of both at once, so the first repeat is soon; the delay grows for a source that sends a
 * part and no more, instead of a thousand checks a second. */
#define LOOK_MS 1
#define LOOK_MAX_MS 64

/* Copies them without consuming them; a pipe does not support MSG_PEEK. */
static gboolean
peek (int fd, guint8 first_out[FIRST_BYTES])
{
  xf_autofd out = -1, in = -1;
  int pair[2];

  if (recv (fd, first_out, FIRST_BYTES, MSG_PEEK | MSG_DONTWAIT) == FIRST_BYTES)
    return TRUE;
  if (!xf_pipe_new (pair, 0, NULL))
    return FALSE;
  out = pair[0];
  in = pair[1];
  return tee (fd, in, FIRST_BYTES, SPLICE_F_NONBLOCK) == FIRST_BYTES
         && read (out, first_out, FIRST_BYTES) == FIRST_BYTES;
}

/* Without a guard nothing else has checked them yet. */
static gboolean
are_libxls (int fd)
{
  static const guint8 good[FIRST_BYTES] = { 'L', 'i', 'b', 'x', 'l', 'F', 'm', 't', 0, 0, 0, 2, 0, 0, 0, 0, 1 };
  guint8 first[FIRST_BYTES];

  return peek (fd, first) && memcmp (first, good, sizeof (good)) == 0;
}

static gboolean look (gpointer data);

static void
wait_for_first_bytes (XfMigrateDest *dest)
{
  struct pollfd end = { .fd = dest->fd, .events = POLLRDHUP };
  g_autoptr (GError) reason = NULL;
  int there = 0;

  if (ioctl (dest->fd, FIONREAD, &there) == 0 && there >= FIRST_BYTES) {
    if (dest->driver->config.guard || are_libxls (dest->fd)) {
      begin_restore (dest);
      return;
    }
    reason = g_error_new (XF_ERROR, XF_ERROR_INVALID_STREAM, "it does not begin as a libxl stream of version 2");
    no_data (dest, reason);
    return;
  }
  if (poll (&end, 1, 0) <= 0) {
    dest->look_ms = CLAMP (dest->look_ms * 2, LOOK_MS, LOOK_MAX_MS);
    dest->look_id = g_timeout_add (dest->look_ms, look, dest);
    return;
  }
  reason = dest->pump ? xf_pump_reason (dest->pump) : NULL;
  if (!reason)
    reason = g_error_new (XF_ERROR, XF_ERROR_INVALID_STREAM, "the source's data connection ended before the image");
  no_data (dest, reason);
}

static gboolean
look (gpointer data)
{
  XfMigrateDest *dest = data;

  dest->look_id = 0;
  wait_for_first_bytes (dest);
  return G_SOURCE_REMOVE;
}

static gboolean
something_came (int fd, GIOCondition condition, gpointer data)
{
  return look (data);
}

void
xf_migrate_dest_receive (XfMigrateDest *dest, const int *fds, guint n)
{
  g_autoptr (GError) error = NULL;

  xf_sm_move (&dest->sm, CONNECTED);
  if (!take_data (dest, fds, n, &error)) {
    no_data (dest, error);
    return;
  }
  xf_migrate_dest_arm (dest, dest->driver->config.accept_timeout_s);
  dest->progress.sending_us = g_get_monotonic_time ();
  dest->look_id = g_unix_fd_add (dest->fd, G_IO_IN | G_IO_HUP | G_IO_ERR, something_came, dest);
}

void
xf_migrate_dest_stop_looking (XfMigrateDest *dest)
{
  g_clear_handle_id (&dest->look_id, g_source_remove);
  xf_migrate_dest_unwatch_stall (dest);
  g_clear_pointer (&dest->pump, xf_pump_free);
  xf_clear_fd (&dest->fd);
}

void
xf_migrate_dest_accepted (const int *fds, guint n, gpointer data)
{
  xf_migrate_dest_receive (data, fds, n);
}
