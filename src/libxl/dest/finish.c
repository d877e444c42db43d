/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Finish: stores the definition and unpauses the guest; then the guest runs here.
 */
#include "libxl/dest/private.h"

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "conf/cookie.h"
#include "libxl/guest/hook.h"
#include "libxl/resource/retry.h"
#include "libxl/xen/dominfo.h"

/* Stores the definition before the guest runs, so that a failure can still roll back. */
static gboolean
persist (XfMigrateDest *dest, GError **error)
{
  XfDomainDef *def;

  if (!(dest->params.flags & VIR_MIGRATE_PERSIST_DEST))
    return TRUE;
  if (dest->guest->persistent)
    dest->replaced = xf_domain_def_copy (dest->guest->persistent);
  def = dest->persistent ? g_steal_pointer (&dest->persistent) : xf_domain_def_copy (dest->def);
  if (xf_guest_make_persistent (dest->guest, def, error))
    return TRUE;
  xf_domain_def_free (def);
  return FALSE;
}

static void
undo_persist (XfMigrateDest *dest)
{
  g_autoptr (GError) error = NULL;

  if (!(dest->params.flags & VIR_MIGRATE_PERSIST_DEST))
    return;
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

/* What could not be had with best effort is told where people look: virsh dominfo shows the guest's messages. */
static void
tell_warnings (XfMigrateDest *dest)
{
  g_autofree char *warnings = xf_resources_warnings (dest->resources);

  if (!warnings)
    return;
  g_free (dest->guest->message);
  dest->guest->message = g_strdup_printf ("since its migration from '%s' not everything works: %s", dest->from,
                                          warnings);
  dest->warnings = g_steal_pointer (&warnings);
  xf_retry_failed (dest->resources, dest->guest);
}

/* The warnings are for the source's statistics too: its user is the one who waits. NULL: nothing to say. */
static GBytes *
finish_cookie (const XfMigrateDest *dest)
{
  g_autoptr (XfCookie) cookie = NULL;

  if (!dest->warnings || !dest->secret)
    return NULL;
  cookie = xf_migrate_cookie_new (dest->driver, dest->name, dest->guest->uuid, dest->id);
  cookie->warnings = g_strdup (dest->warnings);
  return xf_cookie_format (cookie);
}

static void
arrived (XfMigrateDest *dest)
{
  XfGuest *guest = dest->guest;
  gboolean offline = dest->params.flags & VIR_MIGRATE_OFFLINE, paused = dest->params.flags & VIR_MIGRATE_PAUSED;
  g_autoptr (XfDomainRef) ref = NULL;
  g_autoptr (GBytes) cookie = NULL;

  dest->progress.resumed_us = g_get_monotonic_time ();
  if (!offline)
    xf_guest_now_running (guest, dest->domid, g_steal_pointer (&dest->def),
                          paused ? VIR_DOMAIN_PAUSED : VIR_DOMAIN_RUNNING,
                          paused ? VIR_DOMAIN_PAUSED_USER : VIR_DOMAIN_RUNNING_MIGRATED);
  xf_guest_set_incoming (guest, FALSE);
  xf_journal_guest_is_here (dest->driver->journal, guest->uuid);
  if (dest->resources)
    tell_warnings (dest);
  tell_events (guest, dest->params.flags, dest->replaced != NULL, offline);
  xf_migrate_dest_release_tunnel (dest);
  ref = xf_guest_ref (guest);
  xf_migrate_dest_end_job (dest, NULL);
  if (!offline)
    xf_hook_guest_arrived (guest);
  g_info ("%s: running", dest->sm.id);
  cookie = finish_cookie (dest);
  xf_migrate_dest_end (dest, RUNNING, &(XfMigrateResult){ .ref = ref, .cookie = cookie }, NULL);
}

static gboolean
is_paused (const XfMigrateDest *dest)
{
  g_auto (XfDominfo) info = { 0 };

  return xf_dominfo_get (dest->ctx, dest->domid, &info) == 0 && info.paused;
}

/* In unpausing or arriving: the definition was stored. */
static void
go_back (XfMigrateDest *dest, int code, const char *text)
{
  if (!dest->error)
    dest->error = xf_migrate_dest_error (dest, "finish", code, text);
  undo_persist (dest);
  xf_migrate_dest_roll_back (dest);
}

static void
unpaused (int rc, gpointer data)
{
  XfMigrateDest *dest = data;
  g_autoptr (GError) libxl_error = NULL;

  dest->ao = NULL;
  /* libxl may fail after the guest has started to run: only a guest that Xen reports as paused has not. */
  if (rc == 0 || !is_paused (dest)) {
    arrived (dest);
    return;
  }
  xf_rc_to_error (rc, &libxl_error, dest->ctx, "libxl could not unpause it");
  go_back (dest, libxl_error->code, libxl_error->message);
}

#define TAKEN_BACK                                                                                                     \
  "the connection that called finish is gone, and its source, which has no journal, takes the guest back"

static void
running_written (const GError *error, gpointer data)
{
  XfMigrateDest *dest = data;

  if (error)
    go_back (dest, error->code, error->message);
  else
    arrived (dest);
}

static gboolean
store_definition (XfMigrateDest *dest)
{
  g_autoptr (GError) error = NULL;

  if (persist (dest, &error))
    return TRUE;
  dest->error = xf_migrate_dest_error (dest, "finish", XF_ERROR_PERSIST_FAILED, error->message);
  xf_migrate_dest_roll_back (dest);
  return FALSE;
}

/* A guest that arrives paused may be resumed here the next moment; and after a boot of this host `unpausing` means
 * that such a guest has not run. So it is here once the disk says `running`. */
void
xf_migrate_dest_revive (XfMigrateDest *dest)
{
  gboolean paused = dest->params.flags & VIR_MIGRATE_PAUSED;

  if (!store_definition (dest))
    return;
  xf_sm_move (&dest->sm, paused ? ARRIVING : UNPAUSING);
  if (xf_migrate_dest_source_has_left (dest)) {
    go_back (dest, XF_ERROR_NO_CONNECT, TAKEN_BACK);
    return;
  }
  if (paused) {
    xf_migrate_dest_write (dest, RUNNING, running_written);
    return;
  }
  dest->ao = xf_ao_new (dest->ctx, unpaused, dest);
  xf_ao_started (dest->ao, libxl_domain_unpause (xf_ctx_libxl (dest->ctx), dest->domid, xf_ao_how (dest->ao)));
}

static void
unpausing_written (const GError *error, gpointer data)
{
  XfMigrateDest *dest = data;

  if (!error) {
    xf_migrate_dest_revive (dest);
    return;
  }
  dest->error = xf_migrate_dest_error (dest, "finish", error->code, error->message);
  xf_migrate_dest_roll_back (dest);
}

static gboolean
is_taken_back (XfMigrateDest *dest)
{
  if (!xf_migrate_dest_source_has_left (dest))
    return FALSE;
  if (!dest->error)
    dest->error = xf_migrate_dest_error (dest, "finish", XF_ERROR_NO_CONNECT, TAKEN_BACK);
  xf_migrate_dest_roll_back (dest);
  return TRUE;
}

/* `unpausing` is durable before the guest runs: after a crash in between the next daemon finds the guest paused, and
 * continues. */
static void
resources_committed (const GError *error, gpointer data)
{
  XfMigrateDest *dest = data;

  if (error) {
    dest->error = xf_migrate_dest_error (dest, "finish", error->code, error->message);
    xf_migrate_dest_roll_back (dest);
    return;
  }
  if (is_taken_back (dest))
    return;
  xf_sm_move (&dest->sm, COMMITTING);
  xf_migrate_dest_write (dest, UNPAUSING, unpausing_written);
}

/* The last chance of a resource to refuse: the source can still take its guest back. */
static void
bring_to_life (XfMigrateDest *dest)
{
  if (is_taken_back (dest))
    return;
  xf_migrate_dest_arm (dest, 0);
  xf_sm_move (&dest->sm, ACTIVATING);
  xf_resources_run (dest->resources, XF_VERB_COMMIT, resources_committed, dest);
}

/* Only the definition migrates. */
static void
arrive_offline (XfMigrateDest *dest)
{
  xf_migrate_dest_arm (dest, 0);
  if (store_definition (dest))
    arrived (dest);
}

/* Acts on finish, in each state in which it can be waiting. */
void
xf_migrate_dest_go_on (XfMigrateDest *dest)
{
  if (dest->demand == XF_DEST_AWAITS_FINISH)
    return;
  if (dest->demand == XF_DEST_CANCEL && dest->sm.state <= RESTORED) {
    xf_migrate_dest_roll_back (dest);
    return;
  }
  switch (dest->sm.state) {
  case FAILED:
    xf_migrate_dest_end (dest, CANCELLED, NULL, dest->error);
    return;
  case PREPARED:
    if (dest->params.flags & VIR_MIGRATE_OFFLINE)
      arrive_offline (dest);
    else
      /* The source has sent everything: its connection is here, waiting for the loop, or was never made. */
      xf_migrate_dest_arm (dest, dest->driver->config.accept_timeout_s);
    return;
  case CONNECTED:
  case RECEIVING:
    xf_migrate_dest_arm (dest, dest->driver->config.stall_timeout_s);
    return;
  case RESTORED:
    bring_to_life (dest);
    return;
  default:
    return; /* the end of the operation continues */
  }
}

void
xf_migrate_dest_take_progress (XfMigrateDest *dest, const XfCookie *cookie)
{
  const XfCookieProgress *told = cookie && cookie->is_xenferry ? &cookie->progress : NULL;

  if (!told || !told->iteration)
    return;
  dest->progress.bytes = told->bytes;
  dest->progress.content = told->content;
  dest->progress.pages_before = told->pages;
  dest->progress.iteration = told->iteration;
  dest->progress.dirty_rate = told->dirty_rate;
  /* The clocks of the two hosts differ: only the duration is valid on both. */
  if (told->suspended_us)
    dest->progress.suspended_us = g_get_monotonic_time () - told->suspended_us;
}

void
xf_migrate_dest_take_state (XfMigrateDest *dest, const XfCookie *cookie, XfMigrateParams *params)
{
  if (!cookie || !cookie->is_xenferry || dest->demand == XF_DEST_START)
    return;
  if (cookie->guest == XF_COOKIE_PAUSED)
    params->flags |= VIR_MIGRATE_PAUSED;
  if (cookie->guest == XF_COOKIE_RUNNING) {
    params->flags &= ~(guint)VIR_MIGRATE_PAUSED;
    dest->params.flags &= ~(guint)VIR_MIGRATE_PAUSED;
  }
}

/* An error that is there already may be the cause, or the effect: data that broke off. Both are shown. */
void
xf_migrate_dest_take_cancel (XfMigrateDest *dest, const XfCookie *cookie)
{
  XfJournalEntry *entry = dest->entry;

  if (dest->cancelled_by || xf_migrate_dest_is_to_start (dest))
    return;
  if (cookie && cookie->cancelled)
    dest->cancelled_by = g_strdup_printf ("%s%sits source '%s' has cancelled it: %s",
                                          dest->error ? dest->error->message : "", dest->error ? "; " : "", dest->from,
                                          cookie->cancelled);
  else if (!dest->error)
    dest->cancelled_by = g_strdup_printf (
      "its client has cancelled it; its source '%s' knows the reason: see `xenferry migrations --all` there",
      dest->from);
  if (!dest->cancelled_by || !entry || !entry->final)
    return;
  g_free (entry->reason);
  entry->reason = g_strdup (dest->cancelled_by);
  xf_journal_write_final (dest->driver->journal, entry, entry->state, NULL, NULL);
}

void
xf_migrate_dest_finish (XfMigrateDest *dest, const XfMigrateParams *params, gboolean cancelled, XfMigrateDone done,
                        gpointer data)
{
  const XfMigrateFinisher finisher = { done, data };

  if (cancelled ? xf_migrate_dest_is_to_start (dest) : dest->demand == XF_DEST_CANCEL) {
    xf_migrate_answer_later (done, data, NULL,
                             xf_migrate_dest_error (dest, "finish", XF_ERROR_OPERATION_INVALID,
                                                    "finish has been called already with the opposite result"));
    return;
  }
  g_array_append_val (dest->finishers, finisher);
  if (dest->demand != XF_DEST_AWAITS_FINISH && dest->demand != XF_DEST_LEFT)
    return;
  dest->demand = cancelled ? XF_DEST_CANCEL : XF_DEST_START;
  /* The flags of finish count: a managed client learns between prepare and finish that the guest is paused. */
  dest->params.flags |= params->flags & (VIR_MIGRATE_PAUSED | VIR_MIGRATE_PERSIST_DEST);
  if (dest->sm.state == FAILED && cancelled) {
    g_autoptr (GError) told = g_error_new (XF_ERROR, XF_ERROR_FINISH_OK, "%s", dest->error->message);

    xf_migrate_dest_end (dest, CANCELLED, NULL, told);
    return;
  }
  xf_migrate_dest_go_on (dest);
}
