/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/migrate_dest.h"

#include <libvirt/libvirt.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/sm.h"
#include "conf/cookie.h"
#include "conf/migrate_uri.h"
#include "libxl/ao.h"
#include "libxl/config.h"
#include "libxl/driver_private.h"
#include "libxl/migrate.h"
#include "libxl/migrate_listen.h"
#include "libxl/migrate_progress.h"

/* How long a failure waits for the finish that will ask for its reason. */
#define FAILED_KEPT_S 60

enum {
  PREPARED,
  RECEIVING,
  RESTORED,
  UNPAUSING,
  ROLLING_BACK,
  FAILED,
  RUNNING,
  CANCELLED,
  N_STATES,
};

static const XfSmState states[N_STATES] = {
  [PREPARED] = { "prepared", XF_SM_TO (RECEIVING) | XF_SM_TO (ROLLING_BACK) | XF_SM_TO (RUNNING) },
  [RECEIVING] = { "receiving", XF_SM_TO (RESTORED) | XF_SM_TO (ROLLING_BACK) },
  [RESTORED] = { "restored", XF_SM_TO (UNPAUSING) | XF_SM_TO (ROLLING_BACK) | XF_SM_TO (RUNNING) },
  [UNPAUSING] = { "unpausing", XF_SM_TO (RUNNING) | XF_SM_TO (ROLLING_BACK) },
  [ROLLING_BACK] = { "rolling back", XF_SM_TO (FAILED) | XF_SM_TO (CANCELLED) },
  [FAILED] = { "failed", XF_SM_TO (CANCELLED) },
  [RUNNING] = { "running", .final = TRUE },
  [CANCELLED] = { "cancelled", .final = TRUE },
};

struct XfMigrateDest {
  /* what was asked */
  XfDriver *driver;
  gconstpointer client;
  XfMigrateParams params;
  char *name; /* the guest's here */
  char *from; /* the source's host name, for errors */
  gboolean from_xenferry;
  guint8 id[XF_UUID_LENGTH];
  XfDomainDef *def;
  XfDomainDef *persistent; /* from persistent_xml, or NULL */
  XfDomainDef *replaced;   /* the definition that finish replaced, or NULL */
  gboolean persisted;      /* finish has stored one */

  /* where it stands */
  XfSm sm;
  XfGuest *guest; /* reserved */
  XfJob job;
  XfMigrateProgress progress;
  XfMigrateListener *listener;
  const XfTunnelOps *tunnel_ops;
  gpointer tunnel;
  int fd; /* libxl reads the image from it */
  XfCtx *ctx;
  XfAo *ao;
  libxl_domain_config config;
  uint32_t domid;
  GError *error; /* the first thing that went wrong */
  guint deadline_id;
  gboolean client_is_gone;

  /* finish, when it has been called */
  XfMigrateDone done;
  gpointer done_data;
  gboolean finish_asked, finish_cancelled;
};

static void roll_back (XfMigrateDest *dest);
static void go_on (XfMigrateDest *dest);

/* ---- helpers ---------------------------------------------------------------------------------------------- */

static GError *
phase_error (XfMigrateDest *dest, const char *phase, int code, const char *text)
{
  return g_error_new (XF_ERROR, code, "migration of domain '%s' from '%s' failed in %s on host '%s': %s", dest->name,
                      dest->from, phase, dest->driver->hostname, text);
}

static void
release_tunnel (XfMigrateDest *dest)
{
  if (dest->tunnel_ops)
    dest->tunnel_ops->release (dest->tunnel);
  dest->tunnel_ops = NULL;
}

static void
dest_free (XfMigrateDest *dest)
{
  g_clear_handle_id (&dest->deadline_id, g_source_remove);
  g_clear_pointer (&dest->listener, xf_migrate_listener_free);
  release_tunnel (dest);
  xf_clear_fd (&dest->fd);
  libxl_domain_config_dispose (&dest->config);
  g_clear_pointer (&dest->ctx, xf_ctx_free);
  xf_domain_def_free (dest->def);
  xf_domain_def_free (dest->persistent);
  xf_domain_def_free (dest->replaced);
  xf_migrate_params_clear (&dest->params);
  xf_migrate_progress_clear (&dest->progress);
  g_clear_error (&dest->error);
  xf_sm_clear (&dest->sm);
  g_free (dest->name);
  g_free (dest->from);
  g_free (dest);
}

/* Out of the list, told, gone. */
static void
end (XfMigrateDest *dest, int final_state, const XfMigrateResult *result, const GError *told)
{
  xf_sm_move (&dest->sm, final_state);
  xf_migrations_remove_dest (dest->driver, dest);
  if (dest->done)
    dest->done (result, told, dest->done_data);
  dest_free (dest);
}

static void
end_job (XfMigrateDest *dest, const GError *failure)
{
  g_autoptr (XfTypedParams) stats = xf_typed_params_new ();

  dest->progress.ended_us = g_get_monotonic_time ();
  xf_migrate_progress_stats (&dest->progress, VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN, stats);
  xf_typed_params_add_boolean (stats, VIR_DOMAIN_JOB_SUCCESS, !failure);
  if (!failure)
    xf_guest_emit_job_completed (dest->guest, stats);
  xf_job_end (dest->guest, failure ? NULL : stats);
}

/* ---- prepare ---------------------------------------------------------------------------------------------- */

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

static gboolean
deadline_passed (gpointer data)
{
  XfMigrateDest *dest = data;

  dest->deadline_id = 0;
  if (dest->sm.state == FAILED) {
    end (dest, CANCELLED, NULL, NULL);
    return G_SOURCE_REMOVE;
  }
  if (!dest->error)
    dest->error = phase_error (dest, xf_sm_name (&dest->sm), XF_ERROR_TIMEOUT,
                               "no migration data came within the configured time; does the source reach this host's "
                               "migration port?");
  g_warning ("%s", dest->error->message);
  roll_back (dest);
  return G_SOURCE_REMOVE;
}

static void
arm (XfMigrateDest *dest, guint seconds)
{
  g_clear_handle_id (&dest->deadline_id, g_source_remove);
  if (seconds)
    dest->deadline_id = g_timeout_add_seconds (seconds, deadline_passed, dest);
}

static gboolean
read_cookie (XfMigrateDest *dest, GBytes *bytes, GError **error)
{
  static const char *const known[] = { NULL };
  g_autoptr (GError) malformed = NULL;
  g_autoptr (XfCookie) cookie = xf_cookie_parse (bytes, &malformed);

  if (malformed) {
    g_propagate_error (error, g_steal_pointer (&malformed));
    return FALSE;
  }
  dest->from = g_strdup (cookie && cookie->hostname ? cookie->hostname : "an unnamed host");
  if (!cookie)
    return TRUE;
  if (!xf_uuid_equal (cookie->uuid, dest->def->uuid)) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "cookie and XML of domain '%s' name different uuids", dest->name);
    return FALSE;
  }
  dest->from_xenferry = cookie->is_xenferry;
  memcpy (dest->id, cookie->id, XF_UUID_LENGTH);
  return xf_cookie_check_features (cookie, known, error);
}

/* A failure that is only remembered for a finish which never came makes place for the next attempt. */
static void
forget_failed (XfDriver *driver, const char *name)
{
  XfMigrateDest *old = xf_migrate_dest_find (driver, name);

  if (old && old->sm.state == FAILED && !old->done)
    end (old, CANCELLED, NULL, NULL);
}

static gboolean
read_request (XfMigrateDest *dest, XfMigrateParams *params, GBytes *cookie, GError **error)
{
  if (!params->destination_xml) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "no domain XML was passed to prepare");
    return FALSE;
  }
  dest->def = xf_domain_def_parse (params->destination_xml, XF_DOMAIN_PARSE_INACTIVE, error);
  if (!dest->def)
    return FALSE;
  if (params->destination_name)
    xf_domain_def_set_name (dest->def, params->destination_name);
  dest->name = g_strdup (dest->def->name);
  if (params->persistent_xml) {
    dest->persistent = xf_domain_def_parse (params->persistent_xml, XF_DOMAIN_PARSE_INACTIVE, error);
    if (!dest->persistent || !xf_domain_def_check_abi (dest->def, dest->persistent, error)) {
      g_prefix_error (error, "--persistent-xml of domain '%s': ", dest->name);
      return FALSE;
    }
    xf_domain_def_set_name (dest->persistent, dest->name);
  }
  return read_cookie (dest, cookie, error);
}

static gboolean
check_host (XfMigrateDest *dest, gboolean offline, GError **error)
{
  if (offline)
    return TRUE;
  return xf_config_from_def (dest->def, &dest->config, error)
         && xf_config_check_memory (dest->driver, &dest->config, xf_migrate_dest_promised_kib (dest->driver), error);
}

static gboolean
reserve (XfMigrateDest *dest, GError **error)
{
  forget_failed (dest->driver, dest->name);
  dest->guest = xf_guest_reserve_incoming (dest->driver, dest->name, dest->def->uuid, error);
  if (!dest->guest)
    return FALSE;
  xf_job_init (&dest->job, XF_JOB_MIGRATION_IN, &job_ops, dest);
  if (xf_job_begin (dest->guest, &dest->job, error))
    return TRUE;
  xf_guest_release_incoming (dest->guest);
  return FALSE;
}

/* Everything that can be known before a byte moves. Takes @params on success. */
static XfMigrateDest *
prepare (XfDriver *driver, gconstpointer client, XfMigrateParams *params, GBytes *cookie, GError **error)
{
  XfMigrateDest *dest = g_new0 (XfMigrateDest, 1);
  g_autofree char *sm_id = NULL, *id = NULL;

  dest->driver = driver;
  dest->client = client;
  dest->fd = -1;
  libxl_domain_config_init (&dest->config);
  xf_uuid_generate (dest->id); /* until the cookie names the source's */
  if (!read_request (dest, params, cookie, error) || !check_host (dest, params->flags & VIR_MIGRATE_OFFLINE, error)
      || !reserve (dest, error)) {
    g_prefix_error (error, "cannot receive the domain on host '%s': ", driver->hostname);
    dest_free (dest);
    return NULL;
  }
  dest->params = *params;
  *params = (XfMigrateParams){ 0 };
  id = xf_uuid_to_string (dest->id);
  sm_id = g_strdup_printf ("migration %s of '%s', destination", id, dest->name);
  xf_sm_init (&dest->sm, states, N_STATES, sm_id);
  xf_migrate_progress_init (&dest->progress, dest->def->memory_kib * 1024);
  xf_migrations_add_dest (driver, dest);
  arm (dest, driver->config.accept_timeout_s);
  g_info ("%s: prepared, from '%s'", sm_id, dest->from);
  return dest;
}

/* Undoes a prepare whose last step failed. */
static void
unprepare (XfMigrateDest *dest)
{
  XfGuest *guest = dest->guest;

  xf_guest_set_incoming (guest, FALSE);
  xf_job_end (guest, NULL);
  xf_sm_move (&dest->sm, ROLLING_BACK);
  end (dest, CANCELLED, NULL, NULL);
}

/* ---- data ------------------------------------------------------------------------------------------------- */

static void
restored (int rc, gpointer data)
{
  XfMigrateDest *dest = data;

  dest->ao = NULL;
  xf_clear_fd (&dest->fd);
  if (rc != 0 && !dest->error) {
    g_autoptr (GError) libxl_error = NULL;

    xf_rc_to_error (rc, &libxl_error, dest->ctx, "libxl could not restore it");
    dest->error = phase_error (dest, "restore", libxl_error->code, libxl_error->message);
  }
  if (dest->tunnel_ops && !dest->error)
    /* What may still come after the end of the image is nothing. */
    dest->tunnel_ops->discard (dest->tunnel);
  if (dest->error) {
    roll_back (dest);
    return;
  }
  xf_sm_move (&dest->sm, RESTORED);
  g_info ("%s: restored as domid %u", dest->sm.id, dest->domid);
  go_on (dest);
}

static void
receive (XfMigrateDest *dest)
{
  libxl_domain_restore_params params;
  int rc;

  xf_sm_move (&dest->sm, RECEIVING);
  /* With finish called already the source has sent everything: what is missing must come soon. */
  arm (dest, dest->finish_asked ? dest->driver->config.stall_timeout_s : 0);
  dest->progress.sending_us = g_get_monotonic_time ();
  libxl_domain_restore_params_init (&params);
  params.stream_version = XF_STREAM_VERSION;
  dest->domid = ~0u;
  dest->ao = xf_ao_new (dest->ctx, restored, dest);
  rc = libxl_domain_create_restore (xf_ctx_libxl (dest->ctx), &dest->config, &dest->domid, dest->fd, -1, &params,
                                    xf_ao_how (dest->ao), NULL);
  libxl_domain_restore_params_dispose (&params);
  xf_ao_started (dest->ao, rc);
}

static void
accepted (int fd, gpointer data)
{
  XfMigrateDest *dest = data;

  dest->fd = fd;
  receive (dest);
}

/* ---- the way back ----------------------------------------------------------------------------------------- */

static void
rolled_back (XfMigrateDest *dest)
{
  XfGuest *guest = dest->guest;

  g_info ("%s: rolled back: %s", dest->sm.id, dest->error ? dest->error->message : "cancelled");
  dest->guest = NULL;
  xf_guest_set_incoming (guest, FALSE);
  xf_job_end (guest, NULL);
  release_tunnel (dest);
  if (dest->done && dest->finish_cancelled) {
    g_autoptr (GError) told
      = g_error_new (XF_ERROR, XF_ERROR_FINISH_OK,
                     "migration of domain '%s' was cancelled: everything of it is removed from host '%s'%s%s", dest->name,
                     dest->driver->hostname, dest->error ? "; the reason: " : "", dest->error ? dest->error->message : "");

    end (dest, CANCELLED, NULL, told);
    return;
  }
  if (dest->done || dest->client_is_gone) {
    end (dest, CANCELLED, NULL, dest->error);
    return;
  }
  /* Finish will come and ask why. */
  xf_sm_move (&dest->sm, FAILED);
  arm (dest, FAILED_KEPT_S);
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
        && memcmp (libxl_uuid_bytearray_const (&info.uuid), dest->def->uuid, XF_UUID_LENGTH) == 0;
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

static void
roll_back (XfMigrateDest *dest)
{
  arm (dest, 0);
  g_clear_pointer (&dest->listener, xf_migrate_listener_free);
  if (dest->sm.state != ROLLING_BACK) {
    xf_sm_move (&dest->sm, ROLLING_BACK);
    tell_source (dest);
  }
  if (dest->ao) {
    xf_ao_abort (dest->ao); /* restored() leads on */
    return;
  }
  if (!something_remains (dest)) {
    rolled_back (dest);
    return;
  }
  dest->ao = xf_ao_new (dest->ctx, remains_destroyed, dest);
  xf_ao_started (dest->ao, libxl_domain_destroy (xf_ctx_libxl (dest->ctx), dest->domid, xf_ao_how (dest->ao)));
}

/* ---- finish ----------------------------------------------------------------------------------------------- */

/* The definition is stored before the guest runs, so that a failure can still send it back. */
static gboolean
persist (XfMigrateDest *dest, GError **error)
{
  XfDomainDef *def;

  if (!(dest->params.flags & VIR_MIGRATE_PERSIST_DEST))
    return TRUE;
  if (dest->guest->persistent)
    dest->replaced = xf_domain_def_copy (dest->guest->persistent);
  def = dest->persistent ? g_steal_pointer (&dest->persistent) : xf_domain_def_copy (dest->def);
  if (xf_guest_make_persistent (dest->guest, def, error)) {
    dest->persisted = TRUE;
    return TRUE;
  }
  xf_domain_def_free (def);
  return FALSE;
}

static void
undo_persist (XfMigrateDest *dest)
{
  g_autoptr (GError) error = NULL;

  if (!dest->persisted)
    return;
  dest->persisted = FALSE;
  if (!dest->replaced) {
    xf_guest_remove_persistent (dest->guest);
    return;
  }
  if (xf_guest_make_persistent (dest->guest, dest->replaced, &error))
    dest->replaced = NULL;
  else
    g_warning ("%s: the former definition could not be stored again: %s", dest->sm.id, error->message);
}

static void
tell_events (XfGuest *guest, guint flags, gboolean existed, gboolean offline)
{
  if (!offline) {
    xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_MIGRATED);
    if (flags & VIR_MIGRATE_PAUSED)
      xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
    else
      xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_MIGRATED);
  }
  if (flags & VIR_MIGRATE_PERSIST_DEST)
    xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_DEFINED,
                             existed ? VIR_DOMAIN_EVENT_DEFINED_UPDATED : VIR_DOMAIN_EVENT_DEFINED_ADDED);
}

static void
arrived (XfMigrateDest *dest)
{
  XfGuest *guest = dest->guest;
  gboolean offline = dest->params.flags & VIR_MIGRATE_OFFLINE, paused = dest->params.flags & VIR_MIGRATE_PAUSED;
  g_autoptr (XfDomainRef) ref = NULL;

  dest->progress.resumed_us = g_get_monotonic_time ();
  if (!offline)
    xf_guest_now_running (guest, dest->domid, g_steal_pointer (&dest->def),
                          paused ? VIR_DOMAIN_PAUSED : VIR_DOMAIN_RUNNING,
                          paused ? VIR_DOMAIN_PAUSED_USER : VIR_DOMAIN_RUNNING_MIGRATED);
  xf_guest_set_incoming (guest, FALSE);
  tell_events (guest, dest->params.flags, dest->replaced != NULL, offline);
  release_tunnel (dest);
  ref = xf_guest_ref (guest);
  end_job (dest, NULL);
  g_info ("%s: running", dest->sm.id);
  end (dest, RUNNING, &(XfMigrateResult){ .ref = ref }, NULL);
}

static void
unpaused (int rc, gpointer data)
{
  XfMigrateDest *dest = data;
  g_autoptr (GError) libxl_error = NULL;

  dest->ao = NULL;
  if (rc == 0) {
    arrived (dest);
    return;
  }
  xf_rc_to_error (rc, &libxl_error, dest->ctx, "libxl could not unpause it");
  dest->error = phase_error (dest, "finish", libxl_error->code, libxl_error->message);
  undo_persist (dest);
  roll_back (dest);
}

static void
bring_to_life (XfMigrateDest *dest)
{
  g_autoptr (GError) error = NULL;

  arm (dest, 0);
  if (!persist (dest, &error)) {
    dest->error = phase_error (dest, "finish", XF_ERROR_PERSIST_FAILED, error->message);
    roll_back (dest);
    return;
  }
  if (dest->params.flags & (VIR_MIGRATE_PAUSED | VIR_MIGRATE_OFFLINE)) {
    arrived (dest);
    return;
  }
  xf_sm_move (&dest->sm, UNPAUSING);
  dest->ao = xf_ao_new (dest->ctx, unpaused, dest);
  xf_ao_started (dest->ao, libxl_domain_unpause (xf_ctx_libxl (dest->ctx), dest->domid, xf_ao_how (dest->ao)));
}

/* What finish wants, in each state in which it can be waiting. */
static void
go_on (XfMigrateDest *dest)
{
  gboolean offline = dest->params.flags & VIR_MIGRATE_OFFLINE;

  if (dest->client_is_gone && !dest->finish_asked) {
    roll_back (dest);
    return;
  }
  if (!dest->finish_asked)
    return;
  switch (dest->sm.state) {
  case FAILED:
    end (dest, CANCELLED, NULL, dest->error);
    return;
  case PREPARED:
    if (!dest->finish_cancelled && offline) {
      bring_to_life (dest);
      return;
    }
    if (!dest->finish_cancelled) {
      /* The source has sent everything: its connection is here, waiting for a turn of the loop, or never came. */
      arm (dest, dest->driver->config.accept_timeout_s);
      return;
    }
    roll_back (dest);
    return;
  case RECEIVING:
    if (dest->finish_cancelled)
      roll_back (dest);
    else
      arm (dest, dest->driver->config.stall_timeout_s);
    return;
  case RESTORED:
    if (dest->finish_cancelled)
      roll_back (dest);
    else
      bring_to_life (dest);
    return;
  default:
    return; /* its end leads on */
  }
}

void
xf_migrate_dest_take_progress (XfMigrateDest *dest, GBytes *bytes)
{
  g_autoptr (XfCookie) cookie = xf_cookie_parse (bytes, NULL);
  const XfCookieProgress *told = cookie && cookie->is_xenferry ? &cookie->progress : NULL;

  if (!told || !told->iteration)
    return;
  dest->progress.bytes = told->bytes;
  dest->progress.pages_before = told->pages;
  dest->progress.iteration = told->iteration;
  dest->progress.dirty_rate = told->dirty_rate;
  /* The two clocks are not the same: only how long it was can be carried over. */
  if (told->suspended_us)
    dest->progress.suspended_us = g_get_monotonic_time () - told->suspended_us;
}

void
xf_migrate_dest_finish (XfMigrateDest *dest, XfMigrateParams *params, gboolean cancelled, XfMigrateDone done,
                        gpointer data)
{
  g_assert (!dest->finish_asked);
  dest->done = done;
  dest->done_data = data;
  dest->finish_asked = TRUE;
  dest->finish_cancelled = cancelled;
  /* What finish says counts: managed clients learn between prepare and finish that the guest is paused. */
  dest->params.flags |= params->flags & (VIR_MIGRATE_PAUSED | VIR_MIGRATE_PERSIST_DEST);
  if (dest->sm.state == FAILED && cancelled) {
    g_autoptr (GError) told = g_error_new (XF_ERROR, XF_ERROR_FINISH_OK, "%s", dest->error->message);

    end (dest, CANCELLED, NULL, told);
    return;
  }
  go_on (dest);
}

gboolean
xf_migrate_dest_is_finishing (const XfMigrateDest *dest)
{
  return dest->finish_asked;
}

/* ---- entry points ----------------------------------------------------------------------------------------- */

static gboolean
open_ctx (XfMigrateDest *dest, GError **error)
{
  dest->ctx = xf_ctx_new (dest->sm.id, error);
  return dest->ctx != NULL;
}

/* Where the source shall send to: what the client said, else what the configuration says, else this host's name. */
static gboolean
choose_address (XfMigrateDest *dest, XfMigrateUri *uri_out, GError **error)
{
  const XfDriverConfig *config = &dest->driver->config;

  if (dest->params.migrate_uri)
    return xf_migrate_uri_parse (dest->params.migrate_uri, uri_out, error);
  *uri_out = (XfMigrateUri){ .host = g_strdup (config->migration_host ? config->migration_host : dest->driver->hostname) };
  return TRUE;
}

XfMigrateDest *
xf_migrate_dest_prepare (XfDriver *driver, gconstpointer client, XfMigrateParams *params, GBytes *cookie,
                         char **uri_out, GError **error)
{
  XfMigrateDest *dest = prepare (driver, client, params, cookie, error);
  g_auto (XfMigrateUri) uri = { 0 };
  gboolean chosen;

  *uri_out = NULL;
  if (!dest)
    return NULL;
  chosen = choose_address (dest, &uri, error);
  if (chosen && dest->params.flags & VIR_MIGRATE_OFFLINE) {
    /* Nothing is sent there, but a client insists on an address. */
    *uri_out = xf_migrate_uri_format (uri.host, uri.port ? uri.port : driver->config.migration_port_min);
    return dest;
  }
  if (chosen && open_ctx (dest, error))
    dest->listener = xf_migrate_listener_new (&driver->config, dest->params.listen_address, uri.port, accepted, dest,
                                              error);
  if (!dest->listener) {
    g_prefix_error (error, "cannot receive domain '%s' on host '%s': ", dest->name, driver->hostname);
    unprepare (dest);
    return NULL;
  }
  *uri_out = xf_migrate_uri_format (uri.host, xf_migrate_listener_port (dest->listener));
  return dest;
}

static void
tunnel_ended (gpointer sink, const GError *error)
{
  /* libxl reads the end of the pipe, and judges by itself whether the image was whole. */
}

XfMigrateDest *
xf_migrate_dest_prepare_tunnel (XfDriver *driver, gconstpointer client, XfMigrateParams *params, GBytes *cookie,
                                const XfTunnelOps *ops, gpointer tunnel, XfTunnelSink *sink_out, GError **error)
{
  XfMigrateDest *dest = prepare (driver, client, params, cookie, error);
  int fds[2] = { -1, -1 };

  if (!dest)
    return NULL;
  if (!open_ctx (dest, error) || !xf_pipe_new (fds, 1, error)) {
    unprepare (dest);
    return NULL;
  }
  dest->tunnel_ops = ops;
  dest->tunnel = tunnel;
  dest->fd = fds[0];
  *sink_out = (XfTunnelSink){ .fd = fds[1], .ended = tunnel_ended, .sink = dest };
  receive (dest);
  return dest;
}

GBytes *
xf_migrate_dest_cookie (const XfMigrateDest *dest)
{
  if (!dest->from_xenferry)
    return NULL;
  return xf_migrate_cookie_new (dest->driver, dest->name, dest->def->uuid, dest->id);
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

void
xf_migrate_dest_client_gone (XfMigrateDest *dest, gconstpointer client)
{
  if (dest->client != client || dest->client_is_gone)
    return;
  dest->client_is_gone = TRUE;
  if (dest->finish_asked)
    return; /* it will be answered into the void, but the guest lives by what was decided */
  if (!dest->error)
    dest->error = phase_error (dest, xf_sm_name (&dest->sm), XF_ERROR_NO_CONNECT, "the connection that drove it is gone");
  if (dest->sm.state == FAILED)
    end (dest, CANCELLED, NULL, NULL);
  else if (dest->sm.state != ROLLING_BACK)
    roll_back (dest);
}

void
xf_migrate_dest_daemon_ends (XfMigrateDest *dest)
{
  xf_migrate_dest_client_gone (dest, dest->client);
}

guint64
xf_migrate_dest_promised_kib (XfDriver *driver)
{
  guint64 sum = 0;

  for (guint i = 0; i < driver->destinations->len; i++) {
    const XfMigrateDest *dest = driver->destinations->pdata[i];

    if (dest->sm.table && dest->sm.state == PREPARED)
      sum += dest->def->memory_kib;
  }
  return sum;
}
