/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The ways a migration ends on its source: back, the guest as it was; or out, the guest at the destination.
 */
#include "libxl/migrate_source_private.h"

#include <libvirt/libvirt.h>
#include <libxl.h>

#include "base/error.h"
#include "libxl/death.h"
#include "libxl/removal.h"

/* After how many tries in vain to destroy the shell of a guest that has left its client is not kept waiting: the guest
 * is where it should be. */
#define TRIES_TOLD 3

/* ---- the way back ----------------------------------------------------------------------------------------- */

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

/* ---- out ---------------------------------------------------------------------------------------------- */

/* A guest whose definition stays could come up twice, when this host boots and autostart finds it. */
/* Where it came from may ask this host for it. */
static void
remember_that_it_moved_on (XfMigrateSource *source)
{
  g_autoptr (GPtrArray) came = xf_journal_of_guest (source->driver->journal, XF_SIDE_DESTINATION, source->guest->uuid);

  for (guint i = 0; i < came->len; i++) {
    XfJournalEntry *entry = came->pdata[i];

    if (!entry->final || !g_str_equal (entry->state, "running"))
      continue;
    g_free (entry->reason);
    entry->reason = g_strdup_printf ("it has moved on to '%s'", source->host);
    xf_journal_write_final (source->driver->journal, entry, entry->state, NULL, NULL);
  }
}

static void
remember_where (XfMigrateSource *source)
{
  XfJournalEntry *entry = source->entry;

  remember_that_it_moved_on (source);
  if (!entry || !source->guest->persistent) {
    xf_migrate_source_drop_entry (source);
    return;
  }
  g_free (entry->reason);
  entry->reason = g_strdup_printf ("it has moved to '%s'", source->host);
  xf_journal_write_final (source->driver->journal, g_steal_pointer (&source->entry),
                          xf_migrate_source_states[DONE].name, NULL, NULL);
}

static void
leave_host (XfMigrateSource *source)
{
  XfGuest *guest = source->guest;
  gboolean undefine = source->params.flags & VIR_MIGRATE_UNDEFINE_SOURCE;

  if (guest->domid >= 0) {
    xf_guest_gone (guest, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_MIGRATED);
    xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_MIGRATED);
  }
  if (undefine && guest->persistent) {
    xf_guest_remove_persistent (guest);
    xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_UNDEFINED, VIR_DOMAIN_EVENT_UNDEFINED_REMOVED);
  }
  remember_where (source);
  xf_migrate_source_end_job (source, NULL);
  g_info ("%s: done", source->sm.id);
  xf_migrate_source_finish (source, DONE, NULL);
}

static void
destroyed (const GError *error, gpointer data)
{
  leave_host (data);
}

/* What stays is an empty, suspended shell; but whatever resumed it would make two. The next daemon need not ask again.
 */
static void
not_destroyed (guint tries, const GError *error, gpointer data)
{
  XfMigrateSource *source = data;
  XfDone done = tries >= TRIES_TOLD ? g_steal_pointer (&source->done) : NULL;
  g_autofree char *text = g_strdup_printf ("it runs on '%s'; what is left of it here is being removed: %s",
                                           source->host, error->message);

  if (tries == 1 && source->entry)
    xf_journal_write (source->driver->journal, source->entry, xf_migrate_source_states[DESTROYING].name, NULL, NULL);
  xf_guest_set_message (source->guest, text);
  if (done)
    done (NULL, source->done_data);
}

void
xf_migrate_source_leave (XfMigrateSource *source)
{
  xf_migrate_source_stop_asking (source);
  xf_migrate_source_guest_resumed (source);
  if (source->sm.state != DESTROYING)
    xf_sm_move (&source->sm, DESTROYING);
  if (source->guest->domid >= 0)
    (void)xf_removal_new (source->driver, (guint32)source->guest->domid, source->guest->uuid, not_destroyed, destroyed,
                          source);
  else
    leave_host (source);
}

/* Prepare failed, or an offline migration, which has nothing to send. */
static void
confirm_begun (XfMigrateSource *source, gboolean cancelled)
{
  /* A guest that runs here has not gone anywhere, whatever a peer says. */
  if (!cancelled && source->guest->domid < 0) {
    leave_host (source);
    return;
  }
  xf_migrate_source_end_job (source, NULL);
  xf_migrate_source_finish (source, CANCELLED, NULL);
}

void
xf_migrate_source_confirm (XfMigrateSource *source, gboolean cancelled, XfDone done, gpointer data)
{
  g_autoptr (GError) why = NULL;

  if (source->sm.state == BEGUN || (!cancelled && !xf_migrate_source_can_be_asked (source))) {
    xf_migrate_source_conclude (source, !cancelled, done, data);
    return;
  }
  /* A client says that it is cancelled when the destination has refused, and when its answer was lost; and what it says
   * of a guest that runs there the destination can say, too. */
  if (!cancelled)
    why = xf_migrate_source_error (source, "confirm", XF_ERROR_OPERATION_FAILED,
                                   "the client says that the guest runs there, and the destination has not said so");
  xf_migrate_source_settle (source, why, done, data);
}

void
xf_migrate_source_conclude (XfMigrateSource *source, gboolean runs, XfDone done, gpointer data)
{
  source->done = done;
  source->done_data = data;
  g_clear_handle_id (&source->deadline_id, g_source_remove);
  if (source->sm.state == BEGUN)
    confirm_begun (source, !runs);
  else if (runs)
    xf_migrate_source_leave (source);
  else
    xf_migrate_source_roll_back (source);
}
