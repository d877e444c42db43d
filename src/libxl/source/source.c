/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/source/private.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "conf/cookie.h"
#include "conf/uuid.h"
#include "libxl/guest/job.h"
#include "libxl/guest/look.h"
#include "libxl/migrate/plan.h"
#include "libxl/migrate/record.h"
#include "libxl/guest/removal.h"

const XfSmState xf_migrate_source_states[N_STATES] = {
  [DESCRIBING] = { "describing", XF_SM_TO (BEGUN) | XF_SM_TO (CANCELLED) },
  [BEGUN] = { "begun", XF_SM_TO (RECORDING) | XF_SM_TO (CANCELLED) | XF_SM_TO (DONE) },
  [RECORDING] = { "recording", XF_SM_TO (CONNECTING) | XF_SM_TO (ROLLING_BACK) },
  [CONNECTING] = { "connecting", XF_SM_TO (SENDING) | XF_SM_TO (ROLLING_BACK) },
  [SENDING] = { "sending", XF_SM_TO (DRAINING) | XF_SM_TO (STOPPING) | XF_SM_TO (ROLLING_BACK) },
  [DRAINING] = { "draining", XF_SM_TO (COMMITTING) | XF_SM_TO (ROLLING_BACK) },
  [COMMITTING] = { "committing", XF_SM_TO (SENT) | XF_SM_TO (ROLLING_BACK) },
  [SENT] = { "sent", XF_SM_TO (SETTLING) | XF_SM_TO (DESTROYING) | XF_SM_TO (ROLLING_BACK) },
  [SETTLING] = { "settling", XF_SM_TO (DESTROYING) | XF_SM_TO (ROLLING_BACK) | XF_SM_TO (DECIDING) },
  [DECIDING] = { "deciding", XF_SM_TO (DESTROYING) | XF_SM_TO (ROLLING_BACK) },
  [DESTROYING] = { "destroying", XF_SM_TO (DONE) },
  [STOPPING] = { "stopping", XF_SM_TO (ROLLING_BACK) },
  [ROLLING_BACK] = { "rolling back", XF_SM_TO (RESUMING) | XF_SM_TO (CANCELLED) },
  [RESUMING] = { "resuming", XF_SM_TO (CANCELLED) | XF_SM_TO (STUCK) },
  [STUCK] = { "stuck", XF_SM_TO (RESUMING) | XF_SM_TO (REMOVING) | XF_SM_TO (CANCELLED) },
  [REMOVING] = { "removing", XF_SM_TO (CANCELLED) },
  [DONE] = { "done", .final = TRUE },
  [CANCELLED] = { "cancelled", .final = TRUE },
};

/* ---- helpers ---------------------------------------------------------------------------------------------- */

/* Errors of this side name guest, host and phase. */
GError *
xf_migrate_source_error (XfMigrateSource *source, const char *phase, int code, const char *text)
{
  return g_error_new (XF_ERROR, code, "migration of domain '%s' to '%s' failed in %s: %s", source->guest->name,
                      source->host, phase, text);
}

/* The migration has its guest until it ends. A fact that the destination may already know is never only in memory. */
static gboolean
holds (guint state, gconstpointer owner)
{
  const XfMigrateSource *source = owner;
  gboolean offline = source->params.flags & VIR_MIGRATE_OFFLINE;

  switch (state) {
  case RECORDING:
  case CONNECTING:
  case SENDING:
  case DRAINING:
  case COMMITTING:
    return source->guest->job == &source->job && source->entry && (source->p2p || source->client);
  case SENT:
  case SETTLING:
  case DECIDING:
    return source->guest->job == &source->job && source->entry && !offline;
  case STOPPING:
    return source->guest->job == &source->job && source->error && (source->ao || source->still_ao);
  case DESTROYING:
  case ROLLING_BACK:
  case RESUMING:
  case STUCK:
  case REMOVING:
    return source->guest->job == &source->job;
  default:
    return TRUE;
  }
}

XfMigrateSource *
xf_migrate_source_new (XfDriver *driver, XfGuest *guest, const guint8 *id, const char *host)
{
  XfMigrateSource *source = g_new0 (XfMigrateSource, 1);
  g_autofree char *sm_id = NULL;

  source->id = xf_uuid_to_string (id);
  source->driver = driver;
  source->guest = guest;
  source->name = g_strdup (guest->name);
  source->host = g_strdup (host);
  sm_id = g_strdup_printf ("migration %s of '%s', source", source->id, guest->name);
  xf_sm_init (&source->sm, xf_migrate_source_states, N_STATES, sm_id);
  xf_sm_guard (&source->sm, holds, source);
  xf_migrate_progress_init (&source->progress, (guest->def ? guest->def->memory_kib : 0) * 1024);
  xf_job_init (&source->job, XF_JOB_MIGRATION_OUT, &xf_migrate_source_job_ops, source);
  return source;
}

static void
source_free (XfMigrateSource *source)
{
  xf_survey_free (source->survey);
  xf_journal_forget (source->driver->journal, source);
  xf_removal_forget (source->driver, source);
  xf_migrate_source_stop_asking (source);
  xf_migrate_source_converge_end (source);
  g_clear_handle_id (&source->lift_id, g_source_remove);
  g_clear_handle_id (&source->deadline_id, g_source_remove);
  g_clear_handle_id (&source->stall_id, g_source_remove);
  g_clear_handle_id (&source->again_id, g_source_remove);
  g_clear_pointer (&source->transport, xf_migrate_transport_free);
  g_clear_pointer (&source->ctx, xf_ctx_free);
  g_clear_pointer (&source->cookie, xf_cookie_free);
  g_clear_error (&source->error);
  g_clear_error (&source->why);
  xf_migrate_params_clear (&source->params);
  xf_migrate_progress_clear (&source->progress);
  xf_sm_clear (&source->sm);
  g_free (source->decided_with);
  g_free (source->ended_by);
  g_free (source->host);
  g_free (source->host_name);
  g_free (source->id);
  g_free (source->name);
  g_free (source->xml);
  g_free (source->unsaid);
  g_free (source->warnings);
  g_free (source);
}

/* Ends the job, keeps its statistics, sends the event. @failure: NULL for a migration that succeeded. */
void
xf_migrate_source_end_job (XfMigrateSource *source, const GError *failure)
{
  g_autoptr (XfTypedParams) stats = xf_typed_params_new ();

  xf_migrate_source_count (source);
  source->progress.ended_us = g_get_monotonic_time ();
  xf_migrate_progress_stats (&source->progress, VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT, stats);
  xf_typed_params_add_boolean (stats, VIR_DOMAIN_JOB_SUCCESS, !failure);
  if (failure)
    xf_typed_params_add_string (stats, VIR_DOMAIN_JOB_ERRMSG, failure->message);
  if (source->warnings)
    xf_typed_params_add_string (stats, XF_JOB_WARNINGS, source->warnings);
  xf_guest_emit_job_completed (source->guest, stats);
  xf_job_end (source->guest, stats);
}

const char *
xf_migrate_source_shown_host (const XfMigrateSource *source)
{
  return source->host_name ? source->host_name : source->host;
}

void
xf_migrate_source_set_ended_by (XfMigrateSource *source, const char *reason)
{
  if (!source->ended_by)
    source->ended_by = g_strdup (reason);
}

static const char *
why_ended (const XfMigrateSource *source)
{
  if (source->error)
    return source->error->message;
  if (source->ended_by)
    return source->ended_by;
  return source->entry && source->entry->reason ? source->entry->reason : "it was cancelled";
}

/* The journal keeps only the ends that matter later. */
static void
record_end (XfMigrateSource *source, int final_state)
{
  XfMigrationInfo end = { .is_source = TRUE, .is_final = TRUE, .guest = source->name };

  (void)xf_uuid_parse (source->id, end.id);
  end.state = (char *)xf_migrate_source_states[final_state].name;
  end.peer = (char *)xf_migrate_source_shown_host (source);
  end.reason = final_state == CANCELLED ? (char *)why_ended (source) : NULL;
  xf_record_end (source->driver, &end);
}

/* Removes the migration from the list, answers its caller with @told, and frees it. The callback may begin another
 * migration of the same guest. */
void
xf_migrate_source_finish (XfMigrateSource *source, int final_state, const GError *told)
{
  XfDone done = source->done;
  gpointer data = source->done_data;

  xf_sm_move (&source->sm, final_state);
  record_end (source, final_state);
  xf_migrate_source_drop_entry (source);
  xf_migrations_remove_source (source->driver, source);
  if (done)
    done (told, data);
  source_free (source);
}

void
xf_migrate_source_drop_entry (XfMigrateSource *source)
{
  if (source->entry)
    xf_journal_drop (source->driver->journal, g_steal_pointer (&source->entry));
}

/* ---- begin ------------------------------------------------------------------------------------------------ */

static gboolean
deadline_passed (gpointer data)
{
  XfMigrateSource *source = data;
  g_autoptr (GError) reason = xf_migrate_source_error (source, "begin", XF_ERROR_TIMEOUT,
                                                       "no perform followed within the configured time");

  source->deadline_id = 0;
  g_warning ("%s", reason->message);
  xf_migrate_source_abort (source, reason);
  return G_SOURCE_REMOVE;
}

/* A former migration of this guest that is no longer managed, because the administrator has resumed the guest by
 * other means: its entry is not true any longer, but would be acted upon after a restart. */
static void
forget_former (XfDriver *driver, const XfGuest *guest)
{
  g_autoptr (GPtrArray) entries = xf_journal_of_guest (driver->journal, XF_SIDE_SOURCE, guest->uuid);

  for (guint i = 0; i < entries->len; i++)
    xf_journal_drop (driver->journal, entries->pdata[i]);
}

XfMigrateSource *
xf_migrate_source_begin (XfDriver *driver, XfGuest *guest, gconstpointer client, gboolean p2p, XfMigrateParams *params,
                         const char *host, GError **error)
{
  g_autofree char *xml = NULL;
  g_autoptr (XfCookie) cookie = NULL;
  XfMigrateSource *source;
  guint8 id[XF_UUID_LENGTH];

  xf_look_again (guest);
  xf_uuid_generate (id);
  cookie = xf_migrate_cookie_new (driver, guest->name, guest->uuid, id);
  if (!xf_migrate_source_check (driver, guest, params, error)
      || !xf_migrate_plan_offer (&driver->config, params, cookie, error))
    return NULL;
  xml = xf_migrate_source_make_xml (guest, params, error);
  if (!xml)
    return NULL;
  source = xf_migrate_source_new (driver, guest, id, host);
  if (!xf_job_begin (guest, &source->job, error)) {
    source_free (source);
    return NULL;
  }
  /* For a guest that does not run here the entries still say where it may run. */
  if (guest->domid >= 0)
    forget_former (driver, guest);
  source->client = client;
  source->p2p = p2p;
  source->params = *params;
  *params = (XfMigrateParams){ 0 };
  source->xml = g_steal_pointer (&xml);
  guest->may_suspend = FALSE;
  source->state_before = guest->state;
  source->stand = guest->state == VIR_DOMAIN_PAUSED ? XF_STAND_PAUSED : XF_STAND_RUNS;
  source->reason_before = guest->reason;
  source->cookie = g_steal_pointer (&cookie);
  source->deadline_id = g_timeout_add_seconds (driver->config.accept_timeout_s, deadline_passed, source);
  xf_migrations_add_source (driver, source);
  g_info ("%s: begun, to '%s'", source->sm.id, source->host);
  return source;
}

/* ---- requests and events ---------------------------------------------------------------------------------- */

gboolean
xf_migrate_source_abort (XfMigrateSource *source, const GError *reason)
{
  switch (source->sm.state) {
  case DESCRIBING:
  case BEGUN:
    source->error = g_error_copy (reason);
    xf_migrate_source_end_job (source, reason);
    xf_migrate_source_finish (source, CANCELLED, reason);
    return TRUE;
  case RECORDING:
  case CONNECTING:
  case SENDING:
  case DRAINING:
  case COMMITTING:
    xf_migrate_source_fail (source, reason);
    return TRUE;
  case STUCK:
    xf_migrate_source_try_again (source);
    return TRUE;
  case STOPPING:
  case ROLLING_BACK:
  case RESUMING:
    return TRUE;
  default:
    return FALSE;
  }
}

/* The migration has no owner any longer: if it is not sent it rolls back, else it asks its destination. */
static void
abandon (XfMigrateSource *source, const char *why)
{
  g_autoptr (GError) reason = xf_migrate_source_error (source, xf_sm_name (&source->sm), XF_ERROR_NO_CONNECT, why);

  if (source->sm.state == SENT)
    xf_migrate_source_settle (source, reason, NULL, NULL);
  else
    (void)xf_migrate_source_abort (source, reason);
}

void
xf_migrate_source_client_gone (XfMigrateSource *source, gconstpointer client)
{
  if (source->client != client)
    return;
  source->client = NULL; /* the next client may have the same token */
  if (!source->p2p)
    abandon (source, "the client that drove it has disconnected");
}

/* The next daemon finds it in the journal, and continues. */
static void
leave_to_journal (XfMigrateSource *source)
{
  const char *why =
    source->sm.state == STUCK
      ? "the daemon ends before the guest could be resumed; it tries again after its next start"
      : "the daemon ends before it knows whether the guest runs there; it asks again after its next start";
  g_autoptr (GError) told = xf_migrate_source_error (source, xf_sm_name (&source->sm), XF_ERROR_NO_CONNECT, why);
  XfDone done = source->done;
  gpointer data = source->done_data;

  xf_migrations_remove_source (source->driver, source);
  xf_migrate_source_end_job (source, told);
  if (done)
    done (told, data);
  xf_sm_abandon (&source->sm);
  source_free (source);
}

/* TRUE if the journal has its state, and no operation of libxl is in progress for it. */
static gboolean
is_all_in_journal (const XfMigrateSource *source)
{
  switch (source->sm.state) {
  case SETTLING:
    return TRUE;
  case SENT:
    return !source->p2p;
  case DESTROYING:
    return source->entry && g_str_equal (source->entry->state, xf_migrate_source_states[DESTROYING].name);
  case STUCK:
    return source->entry != NULL;
  default:
    return FALSE;
  }
}

void
xf_migrate_source_daemon_ends (XfMigrateSource *source)
{
  /* A peer-to-peer migration that has sent everything waits for an answer, which may still arrive. */
  if (source->abort_func)
    (void)source->abort_func (source->abort_data, NULL);
  else if (is_all_in_journal (source))
    leave_to_journal (source);
  else if (source->sm.state != SENT)
    abandon (source, "the daemon ends");
}

void
xf_migrate_source_guest_resumed (XfMigrateSource *source)
{
  if (!source->progress.resumed_us)
    source->progress.resumed_us = g_get_monotonic_time ();
}

void
xf_migrate_source_set_abort (XfMigrateSource *source, gboolean (*func) (gpointer data, const GError *reason),
                             gpointer data)
{
  source->abort_func = func;
  source->abort_data = data;
}

/* ---- queries ---------------------------------------------------------------------------------------------- */

XfMigrateSource *
xf_migrate_source_find (const XfGuest *guest)
{
  return guest->job && guest->job->ops == &xf_migrate_source_job_ops ? guest->job->owner : NULL;
}

GBytes *
xf_migrate_source_sent_cookie (const XfMigrateSource *source)
{
  const XfMigrateProgress *progress = &source->progress;
  g_autoptr (XfCookie)
    cookie = xf_migrate_cookie_new (source->driver, source->guest->name, source->guest->uuid, source->cookie->id);

  cookie->sent = source->sm.state == SENT;
  if (xf_migrate_source_guest_paused (source))
    cookie->guest = XF_COOKIE_PAUSED;
  else if (!(source->params.flags & VIR_MIGRATE_PAUSED))
    cookie->guest = XF_COOKIE_RUNNING;
  cookie->progress = (XfCookieProgress){
    .bytes = progress->bytes,
    .pages = xf_migrate_progress_pages (progress),
    .content = progress->content,
    .iteration = progress->iteration,
    .dirty_rate = progress->dirty_rate,
    .suspended_us = progress->suspended_us ? g_get_monotonic_time () - progress->suspended_us : 0,
  };
  return xf_cookie_format (cookie);
}

void
xf_migrate_source_take_warnings (XfMigrateSource *source, const char *warnings)
{
  char *all;

  if (!warnings)
    return;
  g_warning ("%s: at '%s' not everything works: %s", source->sm.id, source->host, warnings);
  all = g_strdup_printf ("%s%sat '%s': %s", source->warnings ? source->warnings : "", source->warnings ? "; " : "",
                         source->host, warnings);
  g_free (source->warnings);
  source->warnings = all;
}

GBytes *
xf_migrate_source_cookie (const XfMigrateSource *source)
{
  return xf_cookie_format (source->cookie);
}

const char *
xf_migrate_source_xml (const XfMigrateSource *source)
{
  return source->xml;
}

const char *
xf_migrate_source_id (const XfMigrateSource *source)
{
  return source->id;
}

const char *
xf_migrate_source_state (const XfMigrateSource *source)
{
  return xf_sm_name (&source->sm);
}

XfGuest *
xf_migrate_source_guest (const XfMigrateSource *source)
{
  return source->guest;
}

const XfMigrateParams *
xf_migrate_source_params (const XfMigrateSource *source)
{
  return &source->params;
}

const char *
xf_migrate_source_guest_name (const XfMigrateSource *source)
{
  return source->guest->name;
}

void
xf_migrate_source_set_host (XfMigrateSource *source, const char *host)
{
  g_free (source->host);
  source->host = g_strdup (host);
}

void
xf_migrate_source_hold (XfMigrateSource *source)
{
  g_clear_handle_id (&source->deadline_id, g_source_remove);
}

gboolean
xf_migrate_source_may_confirm (const XfMigrateSource *source, gboolean cancelled, GError **error)
{
  gboolean offline = source->params.flags & VIR_MIGRATE_OFFLINE;

  if (source->sm.state == SENT || (source->sm.state == BEGUN && (cancelled || offline)))
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
               "confirm of domain '%s' is not possible now: the migration is %s", source->guest->name,
               xf_sm_name (&source->sm));
  return FALSE;
}

gboolean
xf_migrate_source_is_stuck (const XfMigrateSource *source)
{
  return source->sm.state == STUCK;
}

const char *
xf_migrate_source_host (const XfMigrateSource *source)
{
  return source->host;
}

gboolean
xf_migrate_source_is_begun (const XfMigrateSource *source)
{
  return source->sm.state == BEGUN;
}

gboolean
xf_migrate_source_check_caller (const XfMigrateSource *source, gconstpointer client, const XfCookie *cookie,
                                const char *phase, GError **error)
{
  g_autofree char *id = cookie && cookie->is_xenferry ? xf_uuid_to_string (cookie->id) : NULL;

  if (source->p2p || !client || source->client != client) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
                 "%s of domain '%s' is refused: its migration to '%s' is driven by %s", phase, source->guest->name,
                 source->host, source->p2p ? "this daemon, peer to peer" : "another client");
    return FALSE;
  }
  if (id && !g_str_equal (id, source->id)) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
                 "%s of domain '%s' is refused: its cookie is of migration %s, and the one under way is %s", phase,
                 source->guest->name, id, source->id);
    return FALSE;
  }
  return TRUE;
}

gboolean
xf_migrate_source_can_be_asked (const XfMigrateSource *source)
{
  return source->entry && source->entry->secret;
}

gboolean
xf_migrate_source_guest_ran (const XfMigrateSource *source)
{
  return source->state_before == VIR_DOMAIN_RUNNING || source->state_before == VIR_DOMAIN_BLOCKED;
}

gboolean
xf_migrate_source_guest_paused (const XfMigrateSource *source)
{
  return source->state_before == VIR_DOMAIN_PAUSED;
}
