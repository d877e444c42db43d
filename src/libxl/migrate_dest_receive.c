/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Data: libxl restores the guest, paused.
 */
#include "libxl/migrate_dest_private.h"

#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "conf/cookie.h"

static void
restored (int rc, gpointer data)
{
  XfMigrateDest *dest = data;

  dest->ao = NULL;
  xf_clear_fd (&dest->fd);
  if (rc != 0 && !dest->error) {
    g_autoptr (GError) libxl_error = NULL;

    xf_rc_to_error (rc, &libxl_error, dest->ctx, "libxl could not restore it");
    dest->error = xf_migrate_dest_error (dest, "restore", libxl_error->code, libxl_error->message);
  }
  if (dest->tunnel_ops && !dest->error)
    /* What may still come after the end of the image is nothing. */
    dest->tunnel_ops->discard (dest->tunnel);
  /* Rolling back already: the abort came too late for libxl. */
  if (dest->error || dest->sm.state == ROLLING_BACK) {
    xf_migrate_dest_roll_back (dest);
    return;
  }
  /* It has all it needs. */
  g_clear_pointer (&dest->claim, xf_memory_claim_free);
  xf_sm_move (&dest->sm, RESTORED);
  g_info ("%s: restored as domid %u", dest->sm.id, dest->domid);
  /* Nobody waits for this: a daemon that dies before it is written cancels, which is always allowed here. */
  xf_migrate_dest_write (dest, RESTORED, NULL);
  if (!dest->finish_asked)
    xf_migrate_dest_arm (dest, dest->driver->config.finish_timeout_s);
  xf_migrate_dest_go_on (dest);
}

void
xf_migrate_dest_receive (XfMigrateDest *dest)
{
  libxl_domain_restore_params params;
  int rc;

  xf_sm_move (&dest->sm, RECEIVING);
  /* With finish called already the source has sent everything: what is missing must come soon. */
  xf_migrate_dest_arm (dest, dest->finish_asked ? dest->driver->config.stall_timeout_s : 0);
  dest->progress.sending_us = g_get_monotonic_time ();
  libxl_domain_restore_params_init (&params);
  params.stream_version = XF_STREAM_VERSION;
  dest->domid = ~0u;
  dest->ao = xf_ao_new (dest->ctx, restored, dest);
  rc = libxl_domain_create_restore (xf_ctx_libxl (dest->ctx), &dest->config, &dest->domid, dest->fd, -1, &params,
                                    xf_ao_how (dest->ao), NULL);
  libxl_domain_restore_params_dispose (&params);
  xf_ao_started (dest->ao, rc);
}

void
xf_migrate_dest_accepted (int fd, gpointer data)
{
  XfMigrateDest *dest = data;

  dest->fd = fd;
  xf_migrate_dest_receive (dest);
}
