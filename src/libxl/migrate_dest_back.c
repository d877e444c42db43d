/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The way back, from whatever state. What libxl is doing ends first; then the tombstone is written; then what was
 * restored is destroyed, until it is gone; then those who wait are told. The tombstone is first because "unpausing" and
 * no guest reads, to whoever finds it after a crash, as a guest that ran here and has ended.
 */
#include "libxl/migrate_dest_private.h"

#include <sys/socket.h>

#include "base/error.h"
#include "libxl/removal.h"

/* How long a failure waits for the finish that will ask for its reason. */
#define FAILED_KEPT_S 60

/* Where the disk may say that the guest runs here the tombstone is tried until it is there, with longer and longer
 * pauses. */
#define TOMBSTONE_PAUSE_MAX_S 30

/* After how many tries in vain, of whatever, those who wait for finish are told that it takes longer. */
#define TRIES_TOLD 4

static void
rolled_back (XfMigrateDest *dest)
{
  XfGuest *guest = dest->guest;

  g_info ("%s: rolled back: %s", dest->sm.id, dest->error ? dest->error->message : "cancelled");
  dest->guest = NULL;
  xf_guest_set_incoming (guest, FALSE);
  xf_job_end (guest, NULL);
  xf_migrate_dest_release_tunnel (dest);
  if (dest->finish_asked && dest->finish_cancelled) {
    g_autoptr (GError) told = g_error_new (
      XF_ERROR, XF_ERROR_FINISH_OK,
      "migration of domain '%s' was cancelled: everything of it is removed from host '%s'%s%s", dest->name,
      dest->driver->hostname, dest->error ? "; the reason: " : "", dest->error ? dest->error->message : "");

    xf_migrate_dest_end (dest, CANCELLED, NULL, told);
    return;
  }
  if (dest->finish_asked || dest->client_is_gone || !dest->announced) {
    xf_migrate_dest_end (dest, CANCELLED, NULL, dest->error);
    return;
  }
  /* Finish will come and ask why. */
  xf_sm_move (&dest->sm, FAILED);
  xf_migrate_dest_tell_settlers (dest, XF_VERDICT_WILL_NOT_RUN, NULL);
  xf_migrate_dest_arm (dest, FAILED_KEPT_S);
}

/* Whoever waits for finish is not kept waiting for a host that cannot do its part: it goes on by itself. */
static void
tell_of_delay (XfMigrateDest *dest, const GError *why)
{
  g_autofree char *text = g_strdup_printf ("%s%sit is cancelled, and that takes longer: %s",
                                           dest->error ? dest->error->message : "", dest->error ? "; " : "",
                                           why->message);
  g_autoptr (GError) told = xf_migrate_dest_error (dest, "finish", XF_ERROR_OPERATION_FAILED, text);

  xf_migrate_dest_tell_finishers (dest, NULL, told);
}

static void
remains_gone (const GError *error, gpointer data)
{
  rolled_back (data);
}

/* The guest stays reserved meanwhile: nothing resumes what must never run. */
static void
remains_stay (guint tries, const GError *error, gpointer data)
{
  XfMigrateDest *dest = data;

  if (tries == TRIES_TOLD)
    tell_of_delay (dest, error);
}

/* Is there a domain with our guest's uuid under the number libxl gave us? It removes a half-built one itself. */
static gboolean
something_remains (XfMigrateDest *dest)
{
  libxl_dominfo info;
  gboolean yes;
  int rc;

  if (!dest->ctx || dest->domid == 0 || dest->domid == ~0u)
    return FALSE;
  libxl_dominfo_init (&info);
  rc = libxl_domain_info (xf_ctx_libxl (dest->ctx), &info, dest->domid);
  /* What cannot be looked at counts as there: removing it looks again. */
  yes = rc == 0 ? xf_uuid_equal (libxl_uuid_bytearray_const (&info.uuid), dest->def->uuid)
                : rc != ERROR_DOMAIN_NOTFOUND;
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

static void
tombstone_written (const GError *error, gpointer data)
{
  XfMigrateDest *dest = data;

  if (error && dest->decided) {
    /* A source that cannot ask would take the guest back. */
    if (++dest->tombstone_tries == TRIES_TOLD && dest->secret)
      tell_of_delay (dest, error);
    dest->deadline_id = g_timeout_add_seconds (MIN (dest->tombstone_tries, TOMBSTONE_PAUSE_MAX_S), tombstone_again,
                                               dest);
    return;
  }
  dest->tombstone = TRUE;
  if (error) {
    /* What the disk says allows to cancel it, and when it is destroyed it never runs. Then only that is told. */
    g_warning ("%s: that it is cancelled is not on disk yet: %s", dest->sm.id, error->message);
    xf_journal_write (dest->driver->journal, dest->entry, xf_migrate_dest_states[CANCELLED].name, NULL, NULL);
  } else {
    xf_migrate_dest_tell_settlers (dest, XF_VERDICT_WILL_NOT_RUN, NULL);
  }
  xf_migrate_dest_roll_back (dest);
}

static void
write_tombstone (XfMigrateDest *dest)
{
  XfJournalEntry *entry = dest->entry;

  dest->tombstone_begun = TRUE;
  entry->domid = dest->domid == 0 || dest->domid == ~0u ? -1 : (gint64)dest->domid;
  g_free (entry->reason);
  entry->reason = g_strdup (dest->error ? dest->error->message : "cancelled");
  xf_journal_write_final (dest->driver->journal, entry, xf_migrate_dest_states[CANCELLED].name, tombstone_written,
                          dest);
}

/* A source that was never told to send asks nobody, and neither does one without a journal. */
static gboolean
needs_tombstone (const XfMigrateDest *dest)
{
  return dest->entry && dest->announced && !dest->tombstone && (dest->secret || dest->decided);
}

/* ---- the way back ----------------------------------------------------------------------------------------- */

/* libxl does not tell when a restore's helper runs. */
#define ABORT_LATE_S 10

static void
stop_libxl (XfMigrateDest *dest)
{
  /* A pump's end is the end of what libxl reads; a socket is cut; a tunnel has ended when the source was told. */
  g_clear_pointer (&dest->pump, xf_pump_free);
  (void)shutdown (dest->fd, SHUT_RDWR);
  xf_ao_abort_late (dest->ao, ABORT_LATE_S);
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
  if (dest->ao) { /* a restore, or an unpause; its end leads on */
    if (dest->fd >= 0)
      stop_libxl (dest);
    return;
  }
  xf_migrate_dest_stop_looking (dest);
  if (needs_tombstone (dest)) {
    if (!dest->tombstone_begun)
      write_tombstone (dest);
    return;
  }
  if (!something_remains (dest)) {
    rolled_back (dest);
    return;
  }
  if (!xf_removal_has (dest->driver, dest->domid))
    (void)xf_removal_new (dest->driver, dest->domid, dest->def->uuid, remains_stay, remains_gone, dest);
}
