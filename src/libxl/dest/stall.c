/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Detects a source that sends a part of the guest and then nothing: its connection is alive, libxl waits for more,
 * and only the byte count shows the stall. Checks until the restore has ended.
 */
#include "libxl/dest/private.h"

/* linux/tcp.h and not netinet/tcp.h: glibc's tcp_info ends before the byte counters. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/error.h"

#define CHECKS 8 /* in one timeout */
#define CHECK_MAX_MS 5000

static guint64
count_received (const XfMigrateDest *dest)
{
  struct tcp_info info = { 0 };
  socklen_t length = sizeof (info);

  if (dest->pump)
    return xf_pump_bytes_in (dest->pump);
  if (dest->tunnel_ops)
    return dest->tunnel_ops->received (dest->tunnel);
  if (getsockopt (dest->fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0
      || length < G_STRUCT_OFFSET (struct tcp_info, tcpi_bytes_received) + sizeof (info.tcpi_bytes_received))
    return 0;
  return info.tcpi_bytes_received;
}

static void
give_up (XfMigrateDest *dest)
{
  if (!dest->error)
    dest->error = xf_migrate_dest_error (dest, "restore", XF_ERROR_TIMEOUT,
                                         "the source has begun to send and then sent nothing for the configured time "
                                         "(stall_timeout); look at its log");
  g_warning ("%s", dest->error->message);
  xf_migrate_dest_roll_back (dest);
}

static gboolean
check (gpointer data)
{
  XfMigrateDest *dest = data;
  guint64 bytes = count_received (dest);
  gint64 now = g_get_monotonic_time ();

  if (dest->sm.state == RECEIVING && bytes != dest->stall_bytes) {
    dest->stall_bytes = bytes;
    dest->stall_since_us = now;
  }
  if (dest->sm.state == RECEIVING
      && now - dest->stall_since_us < (gint64)dest->driver->config.stall_timeout_s * G_USEC_PER_SEC)
    return G_SOURCE_CONTINUE;
  dest->stall_id = 0;
  if (dest->sm.state == RECEIVING)
    give_up (dest);
  return G_SOURCE_REMOVE;
}

void
xf_migrate_dest_watch_stall (XfMigrateDest *dest)
{
  guint interval_ms = dest->driver->config.stall_timeout_s * 1000 / CHECKS;

  dest->stall_bytes = count_received (dest);
  dest->stall_since_us = g_get_monotonic_time ();
  dest->stall_id = g_timeout_add (MIN (interval_ms, CHECK_MAX_MS), check, dest);
}

void
xf_migrate_dest_unwatch_stall (XfMigrateDest *dest)
{
  g_clear_handle_id (&dest->stall_id, g_source_remove);
}
