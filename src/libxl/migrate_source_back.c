/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The way back of a migration on its source: the guest as it was.
 */
#include "libxl/migrate_source_private.h"

#include <libvirt/libvirt.h>
#include <libxl.h>

#include "base/error.h"
#include "libxl/death.h"

static void
rolled_back (XfMigrateSource *source)
{
  gboolean was_running = source->state_before == VIR_DOMAIN_RUNNING || source->state_before == VIR_DOMAIN_BLOCKED;
  XfGuest *waits; /* for this, to be started */

  source->progress.resumed_us = g_get_monotonic_time ();
  xf_migrate_source_unthrottle (source);
  /* libxl tells of one shutdown a watch, and the suspend was one. */
  if (source->progress.suspended_us && source->guest->domid >= 0)
    xf_death_watch (source->guest);
  if ((source->progress.suspended_us || source->held) && was_running && source->guest->domid >= 0) {
    xf_guest_set_state (source->guest, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_MIGRATION_CANCELED);
    xf_guest_emit_lifecycle (source->guest, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_MIGRATED);
  }
  waits = source->guest->autostart_waits && source->guest->domid < 0 ? source->guest : NULL;
  xf_migrate_source_end_job (source, source->error);
  g_info ("%s: rolled back%s%s", source->sm.id, source->error ? ": " : "", source->error ? source->error->message : "");
  xf_migrate_source_finish (source, CANCELLED, source->error);
  if (waits)
    xf_autostart_guest (waits);
}

static void
stuck_suspended (XfMigrateSource *source, const GError *why)
{
  g_autoptr (GError)
    told = g_error_new (XF_ERROR, XF_ERROR_OPERATION_FAILED,
                        "%s%sdomain '%s' is suspended on this host and could not be resumed: %s; try virsh resume '%s'",
                        source->error ? source->error->message : "", source->error ? "; moreover, " : "",
                        source->guest->name, why->message, source->guest->name);

  g_warning ("%s: %s", source->sm.id, told->message);
  xf_guest_set_message (source->guest, told->message);
  /* The next daemon tries again. */
  if (source->entry)
    xf_journal_write (source->driver->journal, g_steal_pointer (&source->entry),
                      xf_migrate_source_states[ROLLING_BACK].name, NULL, NULL);
  xf_migrate_source_end_job (source, told);
  xf_migrate_source_finish (source, CANCELLED, told);
}

/* Asks Xen, not our memory of events: a guest that stopped with reason "suspend" is the one to be resumed. */
static gboolean
is_suspended (XfMigrateSource *source)
{
  libxl_dominfo info;
  gboolean yes;

  libxl_dominfo_init (&info);
  yes = source->guest->domid > 0 && libxl_domain_info (xf_ctx_libxl (source->ctx), &info, source->guest->domid) == 0
        && info.shutdown && info.shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND;
  libxl_dominfo_dispose (&info);
  return yes;
}

static void
resumed (int rc, gpointer data)
{
  XfMigrateSource *source = data;
  g_autoptr (GError) error = NULL;

  source->suspend = NULL;
  /* libxl may fail after the guest has gone on. */
  if (rc == 0 || !is_suspended (source)) {
    rolled_back (source);
    return;
  }
  xf_rc_to_error (rc, &error, source->ctx, "libxl could not resume it");
  stuck_suspended (source, error);
}

static void
resume (XfMigrateSource *source)
{
  int rc;

  /* A guest that did not acknowledge its suspend is still running, or will stop at a time nobody knows: resuming it
   * then damages its registers. */
  if (!source->ctx || source->suspend_rc == ERROR_GUEST_TIMEDOUT || !is_suspended (source)) {
    /* One that has acknowledged but not yet stopped does so after we are gone: death.c resumes it then. After a
     * time-out libxl has taken the request back. */
    source->guest->may_suspend = source->asked && source->suspend_rc != ERROR_GUEST_TIMEDOUT;
    rolled_back (source);
    return;
  }
  xf_migrate_source_mark_suspended (source);
  source->suspend = xf_ao_new (source->ctx, resumed, source);
  rc = libxl_domain_resume (xf_ctx_libxl (source->ctx), source->guest->domid, 1, xf_ao_how (source->suspend));
  xf_ao_started (source->suspend, rc);
}

static void
paused_again (int rc, gpointer data)
{
  XfMigrateSource *source = data;

  source->suspend = NULL;
  if (rc != 0)
    g_warning ("%s: the guest was paused and could not be paused again (libxl error %d)", source->sm.id, rc);
  resume (source);
}

static void
let_go (int rc, gpointer data)
{
  XfMigrateSource *source = data;

  source->suspend = NULL;
  if (rc != 0)
    g_warning ("%s: the guest was held and could not be let go (libxl error %d): try virsh resume", source->sm.id, rc);
  resume (source);
}

/* A guest that was woken only to suspend is paused before it is resumed; one that was only held meanwhile is let go. */
void
xf_migrate_source_roll_back (XfMigrateSource *source)
{
  g_clear_handle_id (&source->deadline_id, g_source_remove);
  xf_journal_forget (source->driver->journal, source);
  xf_migrate_source_stop_asking (source);
  if (source->sm.state != ROLLING_BACK)
    xf_sm_move (&source->sm, ROLLING_BACK);
  if (source->guest->domid < 0 || !source->ctx || (!source->woken && !source->held)) {
    resume (source);
    return;
  }
  if (source->held) {
    /* Woken, or suspended, it is not paused any more. */
    if (source->woken || is_suspended (source)) {
      resume (source);
      return;
    }
    source->suspend = xf_ao_new (source->ctx, let_go, source);
    xf_ao_started (source->suspend, libxl_domain_unpause (xf_ctx_libxl (source->ctx), source->guest->domid,
                                                          xf_ao_how (source->suspend)));
    return;
  }
  source->suspend = xf_ao_new (source->ctx, paused_again, source);
  xf_ao_started (source->suspend,
                 libxl_domain_pause (xf_ctx_libxl (source->ctx), source->guest->domid, xf_ao_how (source->suspend)));
}
