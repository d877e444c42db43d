/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The end of a migration on its source after success: the guest is at the destination, and the domain that is left
 * here is destroyed.
 */
#include "libxl/source/private.h"

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "libxl/guest/hook.h"
#include "libxl/guest/removal.h"

/* After this many failed attempts to destroy the domain of a guest that has left, the client is answered: the guest
 * is where it should be. */
#define TRIES_TOLD 3

/* The guest's former host may ask this host for it. */
static void
remember_that_it_moved_on (XfMigrateSource *source)
{
  g_autoptr (GPtrArray) came = xf_journal_of_guest (source->driver->journal, XF_SIDE_DESTINATION, source->guest->uuid);

  for (guint i = 0; i < came->len; i++) {
    XfJournalEntry *entry = came->pdata[i];

    if (!entry->final || !g_str_equal (entry->state, "running"))
      continue;
    g_free (entry->reason);
    entry->reason = g_strdup_printf ("it has moved on to '%s'", xf_migrate_source_shown_host (source));
    xf_journal_write_final (source->driver->journal, entry, entry->state, NULL, NULL);
  }
}

/* A guest that stays defined could run twice if this host boots and autostart finds it. */
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
  entry->reason = g_strdup_printf ("it has moved to '%s'", xf_migrate_source_shown_host (source));
  xf_journal_write_final (source->driver->journal, g_steal_pointer (&source->entry),
                          xf_migrate_source_states[DONE].name, NULL, NULL);
}

static void
leave_host (XfMigrateSource *source)
{
  XfGuest *guest = source->guest;
  gboolean undefine = source->params.flags & VIR_MIGRATE_UNDEFINE_SOURCE;

  if (guest->domid >= 0) {
    xf_hook_guest_vanished (guest);
    xf_guest_gone (guest, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_MIGRATED);
    xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_MIGRATED);
  }
  if (undefine && guest->persistent) {
    xf_guest_remove_persistent (guest);
    xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_UNDEFINED, VIR_DOMAIN_EVENT_UNDEFINED_REMOVED);
  }
  xf_migrate_source_tell_decision (source, FALSE);
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

/* The domain that stays is empty and suspended, but a resume would make a second copy. The next daemon need not ask
 * again. */
static void
not_destroyed (guint tries, const GError *error, gpointer data)
{
  XfMigrateSource *source = data;
  XfDone done = tries >= TRIES_TOLD ? g_steal_pointer (&source->done) : NULL;
  g_autofree char *text = g_strdup_printf ("it runs on '%s'; its domain here is being removed: %s", source->host,
                                           error->message);

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

/* After a failed prepare, or for an offline migration, which sends nothing. */
static void
confirm_begun (XfMigrateSource *source, gboolean cancelled)
{
  /* A guest that runs here has not moved, whatever a peer says. */
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
    if (cancelled)
      xf_migrate_source_set_ended_by (source, "the client ended it before data was sent; its error gives the reason");
    xf_migrate_source_conclude (source, !cancelled, NULL, done, data);
    return;
  }
  /* A client says cancelled if the destination has refused, and also if the destination's answer was lost. And if the
   * guest runs there, the destination itself can say so. */
  if (!cancelled)
    why = xf_migrate_source_error (
      source, "confirm", XF_ERROR_OPERATION_FAILED,
      "the client says that the guest runs there, but the destination has not confirmed it");
  xf_migrate_source_settle (source, why, done, data);
}

void
xf_migrate_source_conclude (XfMigrateSource *source, gboolean runs, const GError *why, XfDone done, gpointer data)
{
  if (why)
    xf_migrate_source_set_ended_by (source, why->message);
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
