/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Roll back. First the restore in progress ends (stopping); then the tombstone is written (cancelling, or revoking if
 * the disk may say `unpausing`); then the restored domain is destroyed, until it is gone (removing); then its resources
 * are given back (releasing); then the callers of finish and settle are answered. The tombstone is first because after
 * a crash an entry in `unpausing` without a domain means that the guest ran here and has ended.
 */
#include "libxl/dest/private.h"

#include <sys/socket.h>

#include "base/error.h"
#include "libxl/guest/removal.h"
#include "libxl/xen/dominfo.h"

/* The time for which a failure waits for the finish that asks for its reason. */
#define FAILED_KEPT_S 60

/* If the disk may say that the guest runs here, the tombstone is retried until it is written, with growing pauses. */
#define TOMBSTONE_PAUSE_MAX_S 30

/* After this many failed attempts of one kind, the callers of finish are informed of the delay. */
#define TRIES_TOLD 4

/* A cancellation ends the data too: an error of the restore after it is only its effect. */
const char *
xf_migrate_dest_why (const XfMigrateDest *dest)
{
  if (dest->cancelled_by)
    return dest->cancelled_by;
  return dest->error ? dest->error->message : "cancelled";
}

static void
rolled_back (XfMigrateDest *dest)
{
  XfGuest *guest = dest->guest;

  g_info ("%s: rolled back: %s", dest->sm.id, xf_migrate_dest_why (dest));
  dest->guest = NULL;
  xf_guest_set_incoming (guest, FALSE);
  xf_job_end (guest, NULL);
  xf_migrate_dest_release_tunnel (dest);
  if (dest->demand == XF_DEST_CANCEL) {
    g_autoptr (GError) told = g_error_new (
      XF_ERROR, XF_ERROR_FINISH_OK,
      "migration of domain '%s' was cancelled: everything of it is removed from host '%s'; the reason: %s", dest->name,
      dest->driver->hostname, xf_migrate_dest_why (dest));

    xf_migrate_dest_end (dest, CANCELLED, NULL, told);
    return;
  }
  if (dest->demand != XF_DEST_AWAITS_FINISH || dest->sm.state != RELEASING) {
    xf_migrate_dest_end (dest, CANCELLED, NULL, dest->error);
    return;
  }
  /* Finish will be called, and is answered with the reason. */
  xf_sm_move (&dest->sm, FAILED);
  xf_migrate_dest_tell_settlers (dest, XF_VERDICT_WILL_NOT_RUN, NULL);
  xf_migrate_dest_arm (dest, FAILED_KEPT_S);
}

/* The callers of finish do not wait for a host that cannot complete its part: it continues by itself. */
static void
tell_of_delay (XfMigrateDest *dest, const GError *why)
{
  g_autofree char *text = g_strdup_printf ("%s%sit is cancelled; the removal takes longer: %s",
                                           dest->error ? dest->error->message : "", dest->error ? "; " : "",
                                           why->message);
  g_autoptr (GError) told = xf_migrate_dest_error (dest, "finish", XF_ERROR_OPERATION_FAILED, text);

  xf_migrate_dest_tell_finishers (dest, NULL, told);
}

/* Nothing was built for a prepare that is still to be answered, and no source knows of the migration. */
static void
refused (XfMigrateDest *dest)
{
  xf_migrate_dest_refuse (dest);
  xf_journal_forget (dest->driver->journal, dest);
  if (dest->entry && !dest->entry->resources)
    xf_journal_drop (dest->driver->journal, g_steal_pointer (&dest->entry));
  rolled_back (dest);
}

/* What could not be given back stays in the journal: the next daemon tries again. */
static void
released (const GError *error, gpointer data)
{
  XfMigrateDest *dest = data;
  XfJournalEntry *entry = dest->entry;

  if (entry && entry->resources) {
    g_free (entry->resources);
    entry->resources = xf_resources_held (dest->resources);
    if (entry->resources || (dest->secret && !dest->ready))
      xf_journal_write_final (dest->driver->journal, entry, xf_migrate_dest_states[CANCELLED].name, NULL, NULL);
  }
  if (!dest->ready) {
    rolled_back (dest);
    return;
  }
  if (dest->demand == XF_DEST_AWAITS_FINISH)
    dest->demand = XF_DEST_LEFT; /* prepare has failed: no finish follows */
  refused (dest);
}

static void
release (XfMigrateDest *dest)
{
  xf_sm_move (&dest->sm, RELEASING);
  if (dest->resources && xf_resources_hold (dest->resources))
    xf_resources_run (dest->resources, XF_VERB_ROLLBACK, released, dest);
  else
    released (NULL, dest);
}

static void
remains_gone (const GError *error, gpointer data)
{
  release (data);
}

/* The guest stays reserved meanwhile, so that nothing resumes a domain that must never run. */
static void
remains_stay (guint tries, const GError *error, gpointer data)
{
  XfMigrateDest *dest = data;

  if (tries == TRIES_TOLD)
    tell_of_delay (dest, error);
}

/* TRUE if a domain with the guest's UUID has the number that libxl returned. libxl itself removes a half-built
 * domain. */
static gboolean
something_remains (XfMigrateDest *dest)
{
  g_auto (XfDominfo) info = { 0 };
  int rc;

  if (!dest->ctx || xf_migrate_dest_domid (dest) < 0)
    return FALSE;
  rc = xf_dominfo_get (dest->ctx, dest->domid, &info);
  /* A domain whose state cannot be read counts as present: its removal reads the state again. */
  return rc == 0 ? xf_uuid_equal (libxl_uuid_bytearray_const (&info.uuid), dest->def->uuid)
                 : rc != ERROR_DOMAIN_NOTFOUND;
}

static void
tell_source (XfMigrateDest *dest)
{
  if (!dest->tunnel_ops)
    return;
  /* A libvirtd source hangs for ever if the stream fails: its data is discarded instead, and the answer to finish has
   * the error. */
  if (dest->secret && dest->error)
    dest->tunnel_ops->fail (dest->tunnel, dest->error);
  else
    dest->tunnel_ops->discard (dest->tunnel);
}

/* ---- the tombstone ---------------------------------------------------------------------------------------- */

static void write_tombstone (XfMigrateDest *dest);

static gboolean
tombstone_again (gpointer data)
{
  XfMigrateDest *dest = data;

  dest->deadline_id = 0;
  write_tombstone (dest);
  return G_SOURCE_REMOVE;
}

/* Called once, after the tombstone. */
static void
remove_remains (XfMigrateDest *dest)
{
  xf_sm_move (&dest->sm, REMOVING);
  if (something_remains (dest))
    (void)xf_removal_new (dest->driver, dest->domid, dest->def->uuid, remains_stay, remains_gone, dest);
  else
    release (dest);
}

static void
tombstone_written (const GError *error, gpointer data)
{
  XfMigrateDest *dest = data;

  if (error && dest->sm.state == REVOKING) {
    /* A source that cannot ask would take the guest back. */
    if (++dest->tombstone_tries == TRIES_TOLD && dest->secret)
      tell_of_delay (dest, error);
    dest->deadline_id = g_timeout_add_seconds (MIN (dest->tombstone_tries, TOMBSTONE_PAUSE_MAX_S), tombstone_again,
                                               dest);
    return;
  }
  if (error) {
    /* The state on disk allows the cancellation, and once the domain is destroyed it never runs. The answer is given
     * only after that. */
    g_warning ("%s: the cancellation is not on disk yet: %s", dest->sm.id, error->message);
    xf_journal_write (dest->driver->journal, dest->entry, xf_migrate_dest_states[CANCELLED].name, NULL, NULL);
  } else {
    xf_migrate_dest_tell_settlers (dest, XF_VERDICT_WILL_NOT_RUN, NULL);
  }
  remove_remains (dest);
}

static void
write_tombstone (XfMigrateDest *dest)
{
  XfJournalEntry *entry = dest->entry;

  entry->domid = xf_migrate_dest_domid (dest);
  g_free (entry->reason);
  entry->reason = g_strdup (xf_migrate_dest_why (dest));
  xf_journal_write_final (dest->driver->journal, entry, xf_migrate_dest_states[CANCELLED].name, tombstone_written,
                          dest);
}

/* ---- start of the roll back ------------------------------------------------------------------------------- */

/* libxl does not report when a restore's helper runs. */
#define ABORT_LATE_S 10

static void
stop_libxl (XfMigrateDest *dest)
{
  /* libxl reads end of file when the pump ends; a socket is shut down; a tunnel has ended when its source got the
   * error. */
  g_clear_pointer (&dest->pump, xf_pump_free);
  (void)shutdown (dest->fd, SHUT_RDWR);
  xf_ao_abort_late (dest->ao, ABORT_LATE_S);
}

/* libxl has no operation in progress for it any longer. A source without a journal needs no tombstone. */
static void
cancel (XfMigrateDest *dest)
{
  xf_sm_move (&dest->sm, CANCELLING);
  xf_migrate_dest_stop_looking (dest);
  if (dest->entry && dest->secret)
    write_tombstone (dest);
  else
    remove_remains (dest);
}

void
xf_migrate_dest_restore_stopped (XfMigrateDest *dest)
{
  cancel (dest);
}

void
xf_migrate_dest_roll_back (XfMigrateDest *dest)
{
  xf_migrate_dest_arm (dest, 0);
  if (dest->resources)
    xf_resources_stop (dest->resources); /* a step that was under way has taken its resource or not */
  g_clear_pointer (&dest->listener, xf_migrate_listener_free);
  switch (dest->sm.state) {
  case FILTERING:
  case CHECKING:
  case RESERVING:
  case RECORDING:
    refused (dest);
    return;
  case PREPARING:
    release (dest);
    return;
  case COMMITTING:
  case UNPAUSING:
  case ARRIVING:
    xf_sm_move (&dest->sm, REVOKING);
    tell_source (dest);
    write_tombstone (dest);
    return;
  default:
    tell_source (dest);
    if (!dest->ao) {
      cancel (dest);
      return;
    }
    xf_sm_move (&dest->sm, STOPPING);
    stop_libxl (dest);
  }
}
