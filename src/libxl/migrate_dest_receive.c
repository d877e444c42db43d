/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Data: libxl restores the guest, paused; and the way back, from whatever state.
 */
#include "libxl/migrate_dest_private.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "conf/cookie.h"

/* How long a failure waits for the finish that will ask for its reason. */
#define FAILED_KEPT_S 60

/* ---- data ------------------------------------------------------------------------------------------------- */

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
  if (dest->error) {
    xf_migrate_dest_roll_back (dest);
    return;
  }
  /* It has all it needs. */
  g_clear_pointer (&dest->claim, xf_memory_claim_free);
  xf_sm_move (&dest->sm, RESTORED);
  g_info ("%s: restored as domid %u", dest->sm.id, dest->domid);
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

/* ---- the way back ----------------------------------------------------------------------------------------- */

static void
rolled_back (XfMigrateDest *dest)
{
  XfGuest *guest = dest->guest;

  g_info ("%s: rolled back: %s", dest->sm.id, dest->error ? dest->error->message : "cancelled");
  dest->guest = NULL;
  xf_guest_set_incoming (guest, FALSE);
  xf_job_end (guest, NULL);
  xf_migrate_dest_release_tunnel (dest);
  if (dest->done && dest->finish_cancelled) {
    g_autoptr (GError) told = g_error_new (
      XF_ERROR, XF_ERROR_FINISH_OK,
      "migration of domain '%s' was cancelled: everything of it is removed from host '%s'%s%s", dest->name,
      dest->driver->hostname, dest->error ? "; the reason: " : "", dest->error ? dest->error->message : "");

    xf_migrate_dest_end (dest, CANCELLED, NULL, told);
    return;
  }
  if (dest->done || dest->client_is_gone) {
    xf_migrate_dest_end (dest, CANCELLED, NULL, dest->error);
    return;
  }
  /* Finish will come and ask why. */
  xf_sm_move (&dest->sm, FAILED);
  xf_migrate_dest_arm (dest, FAILED_KEPT_S);
}

static void
remains_destroyed (int rc, gpointer data)
{
  XfMigrateDest *dest = data;

  dest->ao = NULL;
  if (rc != 0 && rc != ERROR_DOMAIN_NOTFOUND)
    g_warning ("%s: cannot destroy domain %u (libxl error %d), which never ran: remove it with xl destroy", dest->sm.id,
               dest->domid, rc);
  rolled_back (dest);
}

/* Is there a domain with our guest's uuid under the number libxl gave us? It removes a half-built one itself. */
static gboolean
something_remains (XfMigrateDest *dest)
{
  libxl_dominfo info;
  gboolean yes;

  if (!dest->ctx || dest->domid == 0 || dest->domid == ~0u)
    return FALSE;
  libxl_dominfo_init (&info);
  yes = libxl_domain_info (xf_ctx_libxl (dest->ctx), &info, dest->domid) == 0
        && xf_uuid_equal (libxl_uuid_bytearray_const (&info.uuid), dest->def->uuid);
  libxl_dominfo_dispose (&info);
  return yes;
}

static void
tell_source (XfMigrateDest *dest)
{
  if (!dest->tunnel_ops)
    return;
  /* A libvirtd source that is told hangs for ever: its data is swallowed instead, and it learns from finish. */
  if (dest->from_xenferry && dest->error)
    dest->tunnel_ops->fail (dest->tunnel, dest->error);
  else
    dest->tunnel_ops->discard (dest->tunnel);
}

void
xf_migrate_dest_roll_back (XfMigrateDest *dest)
{
  xf_migrate_dest_arm (dest, 0);
  xf_migrate_dest_drop_ready (dest);
  g_clear_pointer (&dest->listener, xf_migrate_listener_free);
  if (dest->sm.state != ROLLING_BACK) {
    xf_sm_move (&dest->sm, ROLLING_BACK);
    tell_source (dest);
  }
  if (dest->ao) {
    xf_ao_abort (dest->ao); /* restored() leads on */
    return;
  }
  if (!something_remains (dest)) {
    rolled_back (dest);
    return;
  }
  dest->ao = xf_ao_new (dest->ctx, remains_destroyed, dest);
  xf_ao_started (dest->ao, libxl_domain_destroy (xf_ctx_libxl (dest->ctx), dest->domid, xf_ao_how (dest->ao)));
}
