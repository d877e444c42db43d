/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The way back, from whatever state. What libxl is doing ends first; then the tombstone is written; then what was
 * restored is destroyed; then those who wait are told. The tombstone is first because "unpausing" and no guest reads,
 * to whoever finds it after a crash, as a guest that ran here and has ended.
 */
#include "libxl/migrate_dest_private.h"

#include <sys/socket.h>

#include "base/error.h"

/* How long a failure waits for the finish that will ask for its reason. */
#define FAILED_KEPT_S 60

/* How often the tombstone is tried, a second apart, where the disk may say that the guest runs here. */
#define TOMBSTONE_TRIES 10

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
  xf_migrate_dest_tell_settlers (dest, XF_VERDICT_WILL_NOT_RUN);
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

  if (error && dest->decided && ++dest->tombstone_tries < TOMBSTONE_TRIES) {
    dest->deadline_id = g_timeout_add_seconds (1, tombstone_again, dest);
    return;
  }
  dest->tombstone = TRUE;
  if (error)
    g_warning ("%s: that it is cancelled is not on disk: %s", dest->sm.id, error->message);
  else
    xf_migrate_dest_tell_settlers (dest, XF_VERDICT_WILL_NOT_RUN);
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
  if (dest->ao) { /* a restore or, without a descriptor, the way back already; its end leads on */
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
  dest->ao = xf_ao_new (dest->ctx, remains_destroyed, dest);
  xf_ao_started (dest->ao, libxl_domain_destroy (xf_ctx_libxl (dest->ctx), dest->domid, xf_ao_how (dest->ao)));
}
