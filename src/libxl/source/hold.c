/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A guest that does not run while it is sent: one that was paused before the migration, or one that is paused during
 * it; virsh migrate --timeout does that to end a migration. Neither can answer Xen's request to suspend: libxl would
 * wait a minute and give up. So the guest is woken after the request was made; the request is the first thing that it
 * handles. A guest that was paused before, or by another toolstack since, arrives paused; a guest that was paused
 * here during the migration runs there.
 */
#include "libxl/source/private.h"

#include <libvirt/libvirt.h>
#include <libxl.h>
#include <string.h>

#include "libxl/guest/look.h"

/* libxl reports the request only in its log. */
#define SUSPEND_REQUEST "suspend request via"

static void
woken (int rc, gpointer data)
{
  XfMigrateSource *source = data;

  source->still_ao = NULL;
  source->request = XF_REQUEST_WOKEN;
  if (rc != 0)
    g_warning ("%s: the paused guest could not be woken to suspend (libxl error %d)", source->sm.id, rc);
  xf_migrate_source_check_written (source);
}

static gboolean
wake (gpointer data)
{
  XfMigrateSource *source = data;

  source->wake_id = 0;
  source->request = XF_REQUEST_WAKING;
  source->still_ao = xf_ao_new (source->ctx, woken, source);
  xf_ao_started (source->still_ao,
                 libxl_domain_unpause (xf_ctx_libxl (source->ctx), source->guest->domid, xf_ao_how (source->still_ao)));
  return G_SOURCE_REMOVE;
}

/* Adopts what other toolstacks have changed since begin: the guest arrives, or returns, in its present state. A guest
 * that was to arrive paused anyway does so. */
static void
take_state (XfMigrateSource *source)
{
  gboolean paused = xf_look_at (source->guest) == XF_SHOWN_PAUSED;

  if (source->stand > XF_STAND_PAUSED || paused == (source->stand == XF_STAND_PAUSED))
    return;
  g_info ("%s: the guest has been %s by another toolstack", source->sm.id, paused ? "paused" : "unpaused");
  source->stand = paused ? XF_STAND_PAUSED : XF_STAND_RUNS;
  source->state_before = paused ? VIR_DOMAIN_PAUSED : VIR_DOMAIN_RUNNING;
  source->reason_before = paused ? VIR_DOMAIN_PAUSED_UNKNOWN : VIR_DOMAIN_RUNNING_UNPAUSED;
  xf_guest_set_state (source->guest, source->state_before, source->reason_before);
  source->entry->was_paused = paused; /* written with `sent` */
}

/* While libxl pauses the guest, the end of the pause continues here. */
static void
wake_if_needed (XfMigrateSource *source)
{
  if (source->sm.state != SENDING || source->request != XF_REQUEST_MADE || source->stand == XF_STAND_PAUSING
      || source->wake_id)
    return;
  if (source->stand != XF_STAND_RUNS)
    source->wake_id = g_idle_add_full (G_PRIORITY_HIGH, wake, source, NULL);
}

void
xf_migrate_source_libxl_said (const char *text, gpointer data)
{
  XfMigrateSource *source = data;

  if (!strstr (text, SUSPEND_REQUEST) || source->request != XF_REQUEST_NONE)
    return;
  source->request = XF_REQUEST_MADE;
  xf_migrate_source_let_answer (source);
  take_state (source);
  wake_if_needed (source);
}

/* ---- during the migration --------------------------------------------------------------------------------- */

static void
held (int rc, gpointer data)
{
  XfMigrateSource *source = data;
  XfDone done = source->hold_done;
  g_autoptr (GError) error = NULL;

  source->still_ao = NULL;
  source->hold_done = NULL;
  source->stand = rc == 0 ? XF_STAND_HELD : XF_STAND_RUNS;
  if (rc == 0) {
    g_info ("%s: the guest is held until it has arrived", source->sm.id);
    xf_guest_set_state (source->guest, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION);
    xf_guest_emit_lifecycle (source->guest, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED);
    /* The request to suspend may have been made in between. */
    wake_if_needed (source);
  } else {
    xf_rc_to_error (rc, &error, source->ctx, "libxl could not pause it");
  }
  done (error, source->hold_data);
  xf_migrate_source_check_written (source);
}

gboolean
xf_migrate_source_hold_still (XfJob *job, XfDone done, gpointer data)
{
  XfMigrateSource *source = job->owner;

  if (source->sm.state != SENDING || source->request != XF_REQUEST_NONE || source->stand != XF_STAND_RUNS)
    return FALSE;
  source->stand = XF_STAND_PAUSING;
  source->hold_done = done;
  source->hold_data = data;
  source->still_ao = xf_ao_new (source->ctx, held, source);
  xf_ao_started (source->still_ao,
                 libxl_domain_pause (xf_ctx_libxl (source->ctx), source->guest->domid, xf_ao_how (source->still_ao)));
  return TRUE;
}
