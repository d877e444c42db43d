/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/dest/private.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/secret.h"
#include "conf/cookie.h"
#include "libxl/guest/removal.h"
#include "libxl/migrate/record.h"

const XfSmState xf_migrate_dest_states[N_STATES] = {
  [FILTERING] = { "filtering", XF_SM_TO (CHECKING) | XF_SM_TO (PREPARED) | XF_SM_TO (CANCELLED) },
  [CHECKING] = { "checking", XF_SM_TO (RESERVING) | XF_SM_TO (CANCELLED) },
  [RESERVING] = { "reserving", XF_SM_TO (RECORDING) | XF_SM_TO (CANCELLED) },
  [RECORDING] = { "recording", XF_SM_TO (PREPARING) | XF_SM_TO (CANCELLED) },
  [PREPARING] = { "preparing", XF_SM_TO (PREPARED) | XF_SM_TO (RELEASING) },
  [PREPARED] = { "prepared", XF_SM_TO (CONNECTED) | XF_SM_TO (RUNNING) | XF_SM_TO (CANCELLING) },
  [CONNECTED] = { "connected", XF_SM_TO (RECEIVING) | XF_SM_TO (CANCELLING) },
  [RECEIVING] = { "receiving", XF_SM_TO (RESTORED) | XF_SM_TO (STOPPING) | XF_SM_TO (CANCELLING) },
  [RESTORED] = { "restored", XF_SM_TO (ACTIVATING) | XF_SM_TO (CANCELLING) },
  [ACTIVATING] = { "activating", XF_SM_TO (COMMITTING) | XF_SM_TO (CANCELLING) },
  [COMMITTING] = { "committing", XF_SM_TO (UNPAUSING) | XF_SM_TO (ARRIVING) | XF_SM_TO (REVOKING) },
  [UNPAUSING] = { "unpausing", XF_SM_TO (RUNNING) | XF_SM_TO (REVOKING) },
  [ARRIVING] = { "arriving", XF_SM_TO (RUNNING) | XF_SM_TO (REVOKING) },
  [STOPPING] = { "stopping", XF_SM_TO (CANCELLING) },
  [CANCELLING] = { "cancelling", XF_SM_TO (REMOVING) },
  [REVOKING] = { "revoking", XF_SM_TO (REMOVING) },
  [REMOVING] = { "removing", XF_SM_TO (RELEASING) },
  [RELEASING] = { "releasing", XF_SM_TO (FAILED) | XF_SM_TO (CANCELLED) },
  [FAILED] = { "failed", XF_SM_TO (CANCELLED) },
  [RUNNING] = { "running", .final = TRUE },
  [CANCELLED] = { "cancelled", .final = TRUE },
};

/* ---- as the guest's job ----------------------------------------------------------------------------------- */

static void
job_info (XfJob *job, XfJobInfo *info_out)
{
  xf_migrate_progress_info (&((XfMigrateDest *)job->owner)->progress, info_out);
}

static void
job_stats (XfJob *job, XfTypedParams *params)
{
  xf_migrate_progress_stats (&((XfMigrateDest *)job->owner)->progress, VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN, params);
}

static char *
job_describe (XfJob *job)
{
  XfMigrateDest *dest = job->owner;

  return g_strdup_printf ("being received from '%s' (%s)", dest->from, xf_sm_name (&dest->sm));
}

static const XfJobOps job_ops = { .info = job_info, .stats = job_stats, .describe = job_describe };

/* ---- helpers ---------------------------------------------------------------------------------------------- */

GError *
xf_migrate_dest_error (XfMigrateDest *dest, const char *phase, int code, const char *text)
{
  return g_error_new (XF_ERROR, code, "migration of domain '%s' from '%s' failed in %s on host '%s': %s", dest->name,
                      dest->from, phase, dest->driver->hostname, text);
}

void
xf_migrate_dest_release_tunnel (XfMigrateDest *dest)
{
  if (dest->tunnel_ops)
    dest->tunnel_ops->release (dest->tunnel);
  dest->tunnel_ops = NULL;
}

XfMigrateDest *
xf_migrate_dest_new (XfDriver *driver, gconstpointer client)
{
  XfMigrateDest *dest = g_new0 (XfMigrateDest, 1);

  dest->driver = driver;
  dest->client = client;
  dest->fd = -1;
  dest->finishers = g_array_new (FALSE, FALSE, sizeof (XfMigrateFinisher));
  dest->settlers = g_array_new (FALSE, FALSE, sizeof (XfMigrateSettler));
  libxl_domain_config_init (&dest->config);
  return dest;
}

static gboolean
has_guest (const XfMigrateDest *dest)
{
  return dest->guest && dest->guest->job == &dest->job;
}

/* The migration has the guest's name until its end. From the first data on the journal has an entry, and only a
 * finish lets the guest run. */
static gboolean
holds (guint state, gconstpointer owner)
{
  const XfMigrateDest *dest = owner;
  gboolean offline = dest->params.flags & VIR_MIGRATE_OFFLINE;

  switch (state) {
  case PREPARED:
    return has_guest (dest) && (offline || dest->entry);
  case CONNECTED:
  case RECEIVING:
  case RESTORED:
    return has_guest (dest) && dest->entry && !offline;
  case PREPARING:
    return has_guest (dest) && dest->entry && dest->ready && !offline;
  case ACTIVATING:
  case COMMITTING:
  case UNPAUSING:
  case ARRIVING:
    return has_guest (dest) && dest->entry && xf_migrate_dest_is_to_start (dest);
  case STOPPING:
    return has_guest (dest) && dest->ao;
  case REVOKING:
    return has_guest (dest) && dest->entry;
  default:
    return TRUE;
  }
}

void
xf_migrate_dest_identify (XfMigrateDest *dest)
{
  g_autofree char *id = xf_uuid_to_string (dest->id);
  g_autofree char *sm_id = g_strdup_printf ("migration %s of '%s', destination", id, dest->name);

  xf_sm_init (&dest->sm, xf_migrate_dest_states, N_STATES, sm_id);
  xf_sm_guard (&dest->sm, holds, dest);
}

gboolean
xf_migrate_dest_reserve (XfMigrateDest *dest, GError **error)
{
  dest->guest = xf_guest_reserve_incoming (dest->driver, dest->name, dest->def->uuid, error);
  if (!dest->guest)
    return FALSE;
  xf_job_init (&dest->job, XF_JOB_MIGRATION_IN, &job_ops, dest);
  if (xf_job_begin (dest->guest, &dest->job, error))
    return TRUE;
  xf_guest_release_incoming (dest->guest);
  return FALSE;
}

void
xf_migrate_dest_free (XfMigrateDest *dest)
{
  xf_journal_forget (dest->driver->journal, dest);
  xf_removal_forget (dest->driver, dest);
  g_clear_handle_id (&dest->deadline_id, g_source_remove);
  g_clear_pointer (&dest->listener, xf_migrate_listener_free);
  xf_migrate_dest_release_tunnel (dest);
  xf_migrate_dest_stop_looking (dest);
  xf_memory_claim_free (dest->claim);
  xf_migrate_dest_stop_filter (dest);
  xf_resources_free (dest->resources);
  libxl_domain_config_dispose (&dest->config);
  g_clear_pointer (&dest->ctx, xf_ctx_free);
  xf_domain_def_free (dest->def);
  xf_domain_def_free (dest->persistent);
  xf_domain_def_free (dest->replaced);
  xf_migrate_params_clear (&dest->params);
  xf_migrate_progress_clear (&dest->progress);
  g_clear_error (&dest->error);
  xf_sm_clear (&dest->sm);
  g_array_unref (dest->finishers);
  g_array_unref (dest->settlers);
  g_clear_pointer (&dest->facts, g_hash_table_unref);
  g_free (dest->warnings);
  g_free (dest->cancelled_by);
  g_free (dest->secret);
  g_free (dest->exact);
  g_free (dest->name);
  g_free (dest->from);
  g_free (dest);
}

gint64
xf_migrate_dest_domid (const XfMigrateDest *dest)
{
  return dest->domid == 0 || dest->domid == ~0u ? -1 : (gint64)dest->domid;
}

void
xf_migrate_dest_write (XfMigrateDest *dest, int state, XfDone done)
{
  dest->entry->domid = xf_migrate_dest_domid (dest);
  dest->entry->flags = dest->params.flags;
  xf_journal_write (dest->driver->journal, dest->entry, xf_migrate_dest_states[state].name, done, dest);
}

/* Keeps the final state for a source that can ask. */
static void
close_entry (XfMigrateDest *dest)
{
  XfJournalEntry *entry = g_steal_pointer (&dest->entry);

  if (!entry)
    return;
  entry->use = XF_ENTRY_IDLE;
  if (!dest->secret && !(dest->sm.state == CANCELLED && entry->resources))
    xf_journal_drop (dest->driver->journal, entry);
  else if (!entry->final)
    xf_journal_write_final (dest->driver->journal, entry, xf_sm_name (&dest->sm), NULL, NULL);
}

/* The journal keeps the ends that a source may ask for. */
static void
record_end (XfMigrateDest *dest, int final_state)
{
  XfMigrationInfo end = { .is_final = TRUE, .guest = dest->name, .peer = dest->from };

  memcpy (end.id, dest->id, XF_UUID_LENGTH);
  end.state = (char *)xf_migrate_dest_states[final_state].name;
  end.reason = final_state == CANCELLED ? (char *)xf_migrate_dest_why (dest) : NULL;
  xf_record_end (dest->driver, &end);
}

/* Removes the migration from the list, answers its callers, and frees it. */
void
xf_migrate_dest_end (XfMigrateDest *dest, int final_state, const XfMigrateResult *result, const GError *told)
{
  xf_sm_move (&dest->sm, final_state);
  xf_migrations_remove_dest (dest->driver, dest);
  record_end (dest, final_state);
  close_entry (dest);
  xf_migrate_dest_tell_settlers (dest, final_state == RUNNING ? XF_VERDICT_RUNS : XF_VERDICT_WILL_NOT_RUN, NULL);
  xf_migrate_dest_tell_finishers (dest, result, told);
  xf_migrate_dest_free (dest);
}

void
xf_migrate_dest_tell_finishers (XfMigrateDest *dest, const XfMigrateResult *result, const GError *told)
{
  for (guint i = 0; i < dest->finishers->len; i++) {
    XfMigrateFinisher *finisher = &g_array_index (dest->finishers, XfMigrateFinisher, i);

    finisher->done (result, told, finisher->data);
  }
  g_array_set_size (dest->finishers, 0);
}

void
xf_migrate_dest_end_job (XfMigrateDest *dest, const GError *failure)
{
  g_autoptr (XfTypedParams) stats = xf_typed_params_new ();

  dest->progress.ended_us = g_get_monotonic_time ();
  xf_migrate_progress_stats (&dest->progress, VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN, stats);
  xf_typed_params_add_boolean (stats, VIR_DOMAIN_JOB_SUCCESS, !failure);
  if (dest->warnings)
    xf_typed_params_add_string (stats, XF_JOB_WARNINGS, dest->warnings);
  if (!failure)
    xf_guest_emit_job_completed (dest->guest, stats);
  xf_job_end (dest->guest, failure ? NULL : stats);
}

/* ---- deadlines -------------------------------------------------------------------------------------------- */

static const char *
what_is_overdue (const XfMigrateDest *dest)
{
  switch (dest->sm.state) {
  case FILTERING:
    return "the hook 'migrate' did not end within the configured time (accept_timeout)";
  case CHECKING:
  case PREPARING:
    return "its resources were not ready within the configured time (accept_timeout)";
  case RESERVING:
  case RECORDING:
    return "memory for the guest and an entry in the journal were not available within the configured time";
  case RESTORED:
    return "no finish followed within the configured time";
  default:
    return "no migration data arrived within the configured time; does the source reach this host's migration port?";
  }
}

static gboolean
deadline_passed (gpointer data)
{
  XfMigrateDest *dest = data;

  dest->deadline_id = 0;
  if (dest->sm.state == FAILED) {
    xf_migrate_dest_end (dest, CANCELLED, NULL, NULL);
    return G_SOURCE_REMOVE;
  }
  if (!dest->error)
    dest->error = xf_migrate_dest_error (dest, xf_sm_name (&dest->sm), XF_ERROR_TIMEOUT, what_is_overdue (dest));
  g_warning ("%s", dest->error->message);
  xf_migrate_dest_roll_back (dest);
  return G_SOURCE_REMOVE;
}

void
xf_migrate_dest_arm (XfMigrateDest *dest, guint seconds)
{
  g_clear_handle_id (&dest->deadline_id, g_source_remove);
  if (seconds)
    dest->deadline_id = g_timeout_add_seconds (seconds, deadline_passed, dest);
}

/* ---- queries and requests --------------------------------------------------------------------------------- */

GBytes *
xf_migrate_dest_cookie (const XfMigrateDest *dest)
{
  g_autoptr (XfCookie) cookie = NULL;

  if (!dest->secret)
    return NULL;
  cookie = xf_migrate_cookie_new (dest->driver, dest->name, dest->def->uuid, dest->id);
  cookie->secret = g_strdup (dest->secret);
  xf_migrate_plan_tell (&dest->plan, cookie);
  if (dest->plan.ticket)
    cookie->token = xf_hex_format (dest->token, sizeof (dest->token));
  cookie->settle_port = dest->driver->config.peer_port;
  return xf_cookie_format (cookie);
}

XfMigrateDest *
xf_migrate_dest_find (XfDriver *driver, const char *name)
{
  for (guint i = 0; i < driver->destinations->len; i++) {
    XfMigrateDest *dest = driver->destinations->pdata[i];

    if (g_str_equal (dest->name, name))
      return dest;
  }
  return NULL;
}

XfMigrateDest *
xf_migrate_dest_find_id (XfDriver *driver, const guint8 *id)
{
  for (guint i = 0; i < driver->destinations->len; i++) {
    XfMigrateDest *dest = driver->destinations->pdata[i];

    if (xf_uuid_equal (dest->id, id))
      return dest;
  }
  return NULL;
}

const char *
xf_migrate_dest_state (const XfMigrateDest *dest)
{
  return xf_sm_name (&dest->sm);
}

gboolean
xf_migrate_dest_can_be_asked (const XfMigrateDest *dest)
{
  return dest->secret != NULL;
}

gboolean
xf_migrate_dest_has_failed (const XfMigrateDest *dest)
{
  return dest->sm.state == FAILED;
}

gboolean
xf_migrate_dest_is_of (const XfMigrateDest *dest, gconstpointer client)
{
  return client && dest->client == client;
}

gboolean
xf_migrate_dest_is_to_start (const XfMigrateDest *dest)
{
  return dest->demand == XF_DEST_START || dest->demand == XF_DEST_START_UNSEEN;
}

/* TRUE if the disk says, or may say, that the guest runs here. */
static gboolean
is_committed (const XfMigrateDest *dest)
{
  return (dest->sm.state >= COMMITTING && dest->sm.state <= ARRIVING) || dest->sm.state == REVOKING;
}

gboolean
xf_migrate_dest_rolls_back (const XfMigrateDest *dest)
{
  return dest->sm.state >= STOPPING && dest->sm.state <= RELEASING;
}

gboolean
xf_migrate_dest_source_has_left (const XfMigrateDest *dest)
{
  gboolean (*is_there) (gconstpointer client) = dest->driver->client_is_there;

  if (dest->secret)
    return FALSE;
  if (dest->demand == XF_DEST_LEFT || dest->demand == XF_DEST_START_UNSEEN)
    return TRUE;
  return dest->client && is_there && !is_there (dest->client);
}

static void
client_has_left (XfMigrateDest *dest)
{
  dest->client = NULL; /* the next client may have the same token */
  if (dest->demand == XF_DEST_AWAITS_FINISH)
    dest->demand = XF_DEST_LEFT;
  if (dest->demand == XF_DEST_START)
    dest->demand = XF_DEST_START_UNSEEN;
  /* A xenferry asks for the result of finish. Any other source takes its guest back, so the guest must not run here;
   * while the journal is being written, the code after the write checks again. */
  if (xf_migrate_dest_is_to_start (dest) && (dest->secret || is_committed (dest)))
    return;
  if (!dest->error)
    dest->error = xf_migrate_dest_error (dest, xf_sm_name (&dest->sm), XF_ERROR_NO_CONNECT,
                                         "the connection that drove it is gone");
  if (dest->sm.state == FAILED)
    xf_migrate_dest_end (dest, CANCELLED, NULL, NULL);
  else if (!xf_migrate_dest_rolls_back (dest))
    xf_migrate_dest_roll_back (dest);
}

void
xf_migrate_dest_client_gone (XfMigrateDest *dest, gconstpointer client)
{
  if (client && dest->client == client)
    client_has_left (dest);
}

/* The next daemon continues all that is still retried: it finds the entry and the domain. */
static void
leave_to_journal (XfMigrateDest *dest)
{
  XfGuest *guest = dest->guest;
  g_autoptr (GError) told = xf_migrate_dest_error (dest, "finish", XF_ERROR_NO_CONNECT,
                                                   "the daemon ends before everything of it is removed");

  if (dest->ready)
    xf_migrate_dest_refuse (dest);
  xf_migrations_remove_dest (dest->driver, dest);
  xf_guest_set_incoming (guest, FALSE);
  xf_job_end (guest, NULL);
  xf_migrate_dest_tell_finishers (dest, NULL, told);
  xf_migrate_dest_tell_settlers (dest, XF_VERDICT_WILL_NOT_RUN, told);
  xf_sm_abandon (&dest->sm);
  xf_migrate_dest_free (dest);
}

void
xf_migrate_dest_daemon_ends (XfMigrateDest *dest)
{
  if (xf_migrate_dest_rolls_back (dest) && dest->sm.state != STOPPING)
    leave_to_journal (dest);
  else
    client_has_left (dest);
}
