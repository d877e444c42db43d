/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Roll back: a migration's source restores the guest's former state. A guest that cannot be resumed stays suspended,
 * state `stuck`, which is `rolling back` in the journal: the client gets that as its answer, and the resume is
 * retried after 1, 2, 4 … 30 seconds until the guest runs or is gone. Meanwhile virsh resume retries at once, and
 * virsh destroy removes the guest instead. After the daemon's end the next one continues from the journal.
 */
#include "libxl/source/private.h"

#include <libvirt/libvirt.h>
#include <libxl.h>

#include "base/error.h"
#include "libxl/guest/end_watch.h"
#include "libxl/guest/look.h"
#include "libxl/guest/removal.h"
#include "libxl/xen/dominfo.h"

/* Between two attempts to resume; the time doubles with each. */
#define AGAIN_FIRST_S 1
#define AGAIN_MAX_S 30

/* ---- it is over --------------------------------------------------------------------------------------------- */

/* libxl reports one shutdown to each watch, and the suspend was one. */
static void
show_as_before (XfMigrateSource *source)
{
  XfGuest *guest = source->guest;

  if (guest->domid < 0 || xf_look_at (guest) == XF_SHOWN_GONE)
    return;
  if (source->progress.suspended_us)
    xf_end_watch (guest);
  if (source->again_s)
    xf_guest_set_message (guest, NULL);
  if ((source->progress.suspended_us || source->stand == XF_STAND_HELD) && xf_migrate_source_guest_ran (source)) {
    xf_guest_set_state (guest, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_MIGRATION_CANCELED);
    xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_MIGRATED);
  }
}

/* The first failed resume has reported the reason for the roll back. A caller that waits now has requested another
 * resume. */
static void
rolled_back (XfMigrateSource *source)
{
  const GError *told = source->again_s ? NULL : source->error;

  source->progress.resumed_us = g_get_monotonic_time ();
  xf_migrate_source_unthrottle (source);
  show_as_before (source);
  xf_migrate_source_tell_decision (source, TRUE);
  xf_migrate_source_end_job (source, source->error);
  g_info ("%s: rolled back%s%s", source->sm.id, source->error ? ": " : "", source->error ? source->error->message : "");
  xf_migrate_source_finish (source, CANCELLED, told);
}

/* ---- it cannot be resumed ----------------------------------------------------------------------------------- */

static void resume (XfMigrateSource *source);

static gboolean
again (gpointer data)
{
  XfMigrateSource *source = data;

  source->again_id = 0;
  resume (source);
  return G_SOURCE_REMOVE;
}

static GError *
stuck_error (const XfMigrateSource *source, const char *why)
{
  return g_error_new (XF_ERROR, XF_ERROR_OPERATION_FAILED,
                      "%s%sdomain '%s' is suspended on this host and could not be resumed: %s; the daemon tries again. "
                      "virsh resume tries at once, virsh destroy ends the guest",
                      source->error && !source->again_s ? source->error->message : "",
                      source->error && !source->again_s ? "; moreover, " : "", source->guest->name, why);
}

/* The next daemon reads it from the journal. */
static void
write_reason (XfMigrateSource *source, const char *why)
{
  XfJournalEntry *entry = source->entry;

  if (!entry || (source->again_s && g_strcmp0 (entry->reason, why) == 0))
    return;
  g_free (entry->reason);
  entry->reason = g_strdup (why);
  xf_journal_write (source->driver->journal, entry, xf_migrate_source_states[ROLLING_BACK].name, NULL, NULL);
}

static void
stuck_suspended (XfMigrateSource *source, const GError *why)
{
  g_autoptr (GError) told = stuck_error (source, why->message);
  XfDone done = g_steal_pointer (&source->done);

  g_warning ("%s: %s", source->sm.id, told->message);
  write_reason (source, why->message);
  xf_guest_set_message (source->guest, told->message);
  xf_migrate_source_count (source);
  g_clear_pointer (&source->transport, xf_migrate_transport_free); /* the caller's connection may carry it */
  g_clear_pointer (&source->decided_with, g_free);
  xf_sm_move (&source->sm, STUCK);
  source->again_s = source->again_s ? MIN (source->again_s * 2, AGAIN_MAX_S) : AGAIN_FIRST_S;
  source->again_id = g_timeout_add_seconds (source->again_s, again, source);
  xf_job_wake_waiters (source->guest);
  if (source->driver->ends)
    xf_migrate_source_daemon_ends (source);
  else if (done)
    done (told, source->done_data);
}

void
xf_migrate_source_try_again (XfMigrateSource *source)
{
  g_clear_handle_id (&source->again_id, g_source_remove);
  resume (source);
}

static void
removed (const GError *error, gpointer data)
{
  XfMigrateSource *source = data;
  XfGuest *guest = source->guest;

  if (guest->domid >= 0) {
    xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_DESTROYED);
    xf_guest_gone (guest, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED);
  }
  xf_migrate_source_tell_decision (source, TRUE);
  xf_migrate_source_end_job (source, source->error);
  g_info ("%s: rolled back, and the guest was destroyed", source->sm.id);
  xf_migrate_source_finish (source, CANCELLED, NULL);
}

static void
not_removed (guint tries, const GError *error, gpointer data)
{
  XfMigrateSource *source = data;
  XfDone done = g_steal_pointer (&source->done);

  xf_guest_set_message (source->guest, error->message);
  if (done)
    done (error, source->done_data);
}

void
xf_migrate_source_decide_stuck (XfMigrateSource *source, gboolean here, const char *how, XfDone done, gpointer data)
{
  g_message ("%s: an administrator has decided, with %s", source->sm.id, how);
  source->done = done;
  source->done_data = data;
  source->decided_with = g_strdup (how);
  if (here) {
    xf_migrate_source_try_again (source);
    return;
  }
  g_clear_handle_id (&source->again_id, g_source_remove);
  xf_sm_move (&source->sm, REMOVING);
  (void)xf_removal_new (source->driver, (guint32)source->guest->domid, source->guest->uuid, not_removed, removed,
                        source);
}

/* ---- roll back ---------------------------------------------------------------------------------------------- */

/* Reads Xen's state, not the remembered events: a guest that stopped with reason "suspend" must be resumed. */
static gboolean
is_suspended (XfMigrateSource *source)
{
  g_auto (XfDominfo) info = { 0 };

  return source->guest->domid > 0 && xf_dominfo_get (source->ctx, (guint32)source->guest->domid, &info) == 0
         && info.shutdown && info.shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND;
}

static void
resumed (int rc, gpointer data)
{
  XfMigrateSource *source = data;
  g_autoptr (GError) error = NULL;

  source->ao = NULL;
  /* libxl may fail after the guest has been resumed. */
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

  /* A guest that did not acknowledge its suspend still runs, or will stop at an unknown time: a resume would then
   * damage its registers. */
  if (!source->ctx || source->suspend_rc == ERROR_GUEST_TIMEDOUT || !is_suspended (source)) {
    /* A guest that has acknowledged but not stopped yet stops after the migration has ended: death.c resumes it then.
     * After a time-out libxl has cancelled the request. */
    source->guest->may_suspend = source->request != XF_REQUEST_NONE && source->suspend_rc != ERROR_GUEST_TIMEDOUT;
    rolled_back (source);
    return;
  }
  xf_migrate_source_mark_suspended (source);
  xf_sm_move (&source->sm, RESUMING);
  source->ao = xf_ao_new (source->ctx, resumed, source);
  rc = libxl_domain_resume (xf_ctx_libxl (source->ctx), source->guest->domid, 1, xf_ao_how (source->ao));
  xf_ao_started (source->ao, rc);
}

static void
paused_again (int rc, gpointer data)
{
  XfMigrateSource *source = data;

  source->ao = NULL;
  if (rc != 0)
    g_warning ("%s: the guest was paused and could not be paused again (libxl error %d)", source->sm.id, rc);
  resume (source);
}

static void
let_go (int rc, gpointer data)
{
  XfMigrateSource *source = data;

  source->ao = NULL;
  if (rc != 0)
    g_warning ("%s: the guest was held and could not be unpaused (libxl error %d): try virsh resume", source->sm.id,
               rc);
  resume (source);
}

static void
pause_again (XfMigrateSource *source)
{
  source->ao = xf_ao_new (source->ctx, paused_again, source);
  xf_ao_started (source->ao,
                 libxl_domain_pause (xf_ctx_libxl (source->ctx), source->guest->domid, xf_ao_how (source->ao)));
}

static void
let_run (XfMigrateSource *source)
{
  source->ao = xf_ao_new (source->ctx, let_go, source);
  xf_ao_started (source->ao,
                 libxl_domain_unpause (xf_ctx_libxl (source->ctx), source->guest->domid, xf_ao_how (source->ao)));
}

/* A guest that was woken only to suspend is paused before it is resumed. A guest that was only held during the
 * migration is unpaused, unless it was woken or is suspended, and so is not paused any longer. */
void
xf_migrate_source_roll_back (XfMigrateSource *source)
{
  gboolean woken = source->request >= XF_REQUEST_WAKING;

  g_clear_handle_id (&source->deadline_id, g_source_remove);
  g_clear_handle_id (&source->stall_id, g_source_remove);
  xf_journal_forget (source->driver->journal, source);
  xf_migrate_source_stop_asking (source);
  if (source->sm.state != ROLLING_BACK) /* after a restart */
    xf_sm_move (&source->sm, ROLLING_BACK);
  if (source->guest->domid >= 0 && source->ctx && woken && source->stand == XF_STAND_PAUSED)
    pause_again (source);
  else if (source->guest->domid >= 0 && source->ctx && !woken && source->stand == XF_STAND_HELD
           && !is_suspended (source))
    let_run (source);
  else
    resume (source);
}
