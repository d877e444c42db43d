/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Settle: everything is sent, and the destination's answer is missing. The source asks again and again until it has
 * an answer. The guest stays suspended meanwhile, and its message names the host for which it waits.
 *
 * A xenferry is asked by a call of its own, and its answer is a promise: from then on the guest runs there, or never
 * will. Any other daemon is only asked for the guest's state, which says less: a guest that runs there has arrived. A
 * guest that is paused or shut off there may still be being received (libvirt shows such a guest as shut off, with an
 * old reason). A guest that is absent may have run there and have moved on or ended: finish may have been called. An
 * administrator decides then.
 */
#include "libxl/source/private.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "conf/migrate_uri.h"
#include "libxl/guest/operation.h"
#include "libxl/migrate/telling.h"

/* Between two questions; the time doubles with each. */
#define ASK_FIRST_S 1
#define ASK_MAX_S 30

static void ask (XfMigrateSource *source);

void
xf_migrate_source_stop_asking (XfMigrateSource *source)
{
  g_clear_handle_id (&source->ask_id, g_source_remove);
  if (source->peer)
    source->driver->peers->close (g_steal_pointer (&source->peer));
}

/* ---- the peer to ask -------------------------------------------------------------------------------------- */

/* In managed mode only the address of the data is known: the host, and the port that the destination named for
 * questions. */
static char *
managed_uri (const XfMigrateSource *source, const XfCookie *cookie)
{
  const char *pattern = source->driver->config.peer_uri;
  g_auto (XfMigrateUri) uri = { 0 };
  g_autoptr (GString) text = NULL;
  g_autofree char *host = NULL;

  if (!xf_migrate_uri_parse (source->host, &uri, NULL))
    return NULL;
  host = strchr (uri.host, ':') ? g_strdup_printf ("[%s]", uri.host) : g_strdup (uri.host);
  if (cookie && cookie->secret)
    return cookie->settle_port ? g_strdup_printf ("xen+tcp://%s:%u/system", host, cookie->settle_port) : NULL;
  if (!pattern)
    return NULL;
  text = g_string_new (pattern);
  g_string_replace (text, "%s", host, 0);
  return g_strdup (text->str);
}

void
xf_migrate_source_set_peer (XfMigrateSource *source, const XfCookie *cookie, const char *uri)
{
  XfJournalEntry *entry = xf_journal_add (source->driver->journal, XF_SIDE_SOURCE, source->cookie->id,
                                          source->guest->name, source->guest->uuid);

  g_assert (!source->entry);
  source->entry = entry;
  if (cookie && cookie->is_xenferry)
    entry->secret = g_strdup (cookie->secret);
  /* Two hosts of one name would be confusing. */
  if (cookie && cookie->hostname && *cookie->hostname && !g_str_equal (cookie->hostname, source->driver->hostname))
    source->host_name = g_strdup (cookie->hostname);
  entry->ask_uri = uri ? g_strdup (uri) : managed_uri (source, cookie);
}

/* ---- the answer ------------------------------------------------------------------------------------------- */

static void
decided (XfMigrateSource *source, XfVerdict verdict)
{
  static const char *const words[] = {
    [XF_VERDICT_RUNS] = "the guest runs on",
    [XF_VERDICT_WILL_NOT_RUN] = "the guest does not and will not run on",
    [XF_VERDICT_HAS_RUN] = "the guest has run and ended on",
  };

  g_info ("%s: %s '%s'", source->sm.id, words[verdict], source->host);
  if (source->guest->domid >= 0)
    xf_guest_set_message (source->guest, NULL);
  if (verdict != XF_VERDICT_WILL_NOT_RUN) {
    xf_migrate_source_leave (source);
    return;
  }
  {
    g_autofree char *text = g_strdup_printf (
      "host '%s' has cancelled it: `xenferry migrations --all` there has the reason",
      xf_migrate_source_shown_host (source));

    xf_migrate_source_set_ended_by (source, text);
  }
  source->error = g_steal_pointer (&source->why);
  xf_migrate_source_roll_back (source);
}

static gboolean
ask_again (gpointer data)
{
  XfMigrateSource *source = data;

  source->ask_id = 0;
  ask (source);
  return G_SOURCE_REMOVE;
}

/* Reports the delay to the waiting caller, and the reason in the guest's message. */
static void
say_what_is_awaited (XfMigrateSource *source, const char *problem)
{
  XfDone done = g_steal_pointer (&source->done);
  g_autofree char *text = g_strdup_printf (
    "domain '%s' is suspended here until host '%s' answers whether it runs there: %s; the daemon asks again. If that "
    "host is gone for good: power it off first, then virsh resume to continue the guest here; or virsh destroy if it "
    "runs there",
    source->guest->name, source->host, problem);
  g_autoptr (GError) told = g_error_new (XF_ERROR, XF_ERROR_OPERATION_FAILED, "%s%s%s",
                                         source->why ? source->why->message : "", source->why ? "; " : "", text);

  if (g_strcmp0 (source->entry->reason, problem) != 0)
    g_warning ("%s: %s", source->sm.id, text);
  g_free (source->entry->reason);
  source->entry->reason = g_strdup (problem);
  xf_guest_set_message (source->guest, text);
  if (done)
    done (told, source->done_data);
}

static void
unanswered (XfMigrateSource *source, const char *problem)
{
  source->ask_after_s = source->ask_after_s ? MIN (source->ask_after_s * 2, ASK_MAX_S) : ASK_FIRST_S;
  source->ask_id = g_timeout_add_seconds (source->ask_after_s, ask_again, source);
  say_what_is_awaited (source, problem);
}

static void
settled (XfVerdict verdict, const GError *error, gpointer data)
{
  XfMigrateSource *source = data;

  source->driver->peers->close (g_steal_pointer (&source->peer));
  if (error)
    unanswered (source, error->message);
  else
    decided (source, verdict);
}

/* ---- peers without a journal ------------------------------------------------------------------------------ */

static void
looked_up (int state, const GError *error, gpointer data)
{
  XfMigrateSource *source = data;

  source->driver->peers->close (g_steal_pointer (&source->peer));
  if (error)
    unanswered (source, error->message);
  else if (state == VIR_DOMAIN_RUNNING || state == VIR_DOMAIN_BLOCKED)
    decided (source, XF_VERDICT_RUNS);
  else if (state < 0)
    unanswered (source,
                "it is not known there, which proves nothing: it may never have run there, or have run there and "
                "moved on or ended");
  else
    unanswered (source, "it is known there and does not run: whether it will, only that host knows");
}

/* ---- asking ----------------------------------------------------------------------------------------------- */

static void
ask (XfMigrateSource *source)
{
  const XfPeerOps *peers = source->driver->peers;
  gpointer peers_data = source->driver->peers_data;
  const XfJournalEntry *entry = source->entry;
  guint timeout_s = source->driver->config.connect_timeout_s;

  if (!entry->ask_uri)
    say_what_is_awaited (source, "this daemon has no address of it");
  else if (entry->secret)
    source->peer = peers->settle (peers_data, entry->ask_uri, timeout_s, entry->id, entry->secret, XF_PURPOSE_KNOW,
                                  settled, source);
  else
    source->peer = peers->look_up (peers_data, entry->ask_uri, timeout_s, entry->uuid, looked_up, source);
}

void
xf_migrate_source_settle (XfMigrateSource *source, const GError *why, XfDone done, gpointer data)
{
  g_clear_handle_id (&source->deadline_id, g_source_remove);
  /* The connection that carries the transport may end long before the answer arrives. */
  xf_migrate_source_count (source);
  g_clear_pointer (&source->transport, xf_migrate_transport_free);
  source->done = done;
  source->done_data = data;
  source->why = why ? g_error_copy (why) : NULL;
  if (source->sm.state != SETTLING)
    xf_sm_move (&source->sm, SETTLING);
  if (source->guest->domid >= 0)
    xf_guest_set_state (source->guest, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION);
  ask (source);
}

/* ---- an administrator's decision --------------------------------------------------------------------------- */

static void
resume_as_decided (const GError *error, gpointer data)
{
  XfMigrateSource *source = data;

  xf_migrate_source_roll_back (source);
}

static void
destroy_as_decided (const GError *error, gpointer data)
{
  XfMigrateSource *source = data;

  xf_migrate_source_leave (source);
}

/* Answers the caller that still waits for the first answer. */
static void
tell_of_decision (XfMigrateSource *source, const char *how)
{
  XfDone done = g_steal_pointer (&source->done);
  g_autoptr (GError) told = g_error_new (XF_ERROR, XF_ERROR_ABORTED, "an administrator has decided with %s", how);

  if (done)
    done (told, source->done_data);
}

void
xf_migrate_source_tell_decision (const XfMigrateSource *source, gboolean here)
{
  if (source->is_told && source->entry)
    xf_telling_start (source->driver, source->entry, here);
}

/* The first decision counts: it is being carried out. */
static void
refuse_second (const XfMigrateSource *source, const char *how, XfDone done, gpointer data)
{
  GError *error = g_error_new (XF_ERROR, XF_ERROR_OPERATION_INVALID,
                               "%s of domain '%s' is refused: it has been decided with %s, which is being carried out",
                               how, source->guest->name, source->decided_with);

  xf_operation_answer (done, NULL, data, error, NULL);
}

gboolean
xf_migrate_source_decide (XfJob *job, gboolean here, const char *how, XfDone done, gpointer data)
{
  XfMigrateSource *source = job->owner;

  if (source->decided_with) {
    refuse_second (source, how, done, data);
    return TRUE;
  }
  if (source->sm.state == STUCK) {
    xf_migrate_source_decide_stuck (source, here, how, done, data);
    return TRUE;
  }
  if (source->sm.state != SETTLING)
    return FALSE;
  xf_sm_move (&source->sm, DECIDING);
  source->decided_with = g_strdup (how);
  source->is_told = TRUE;
  xf_migrate_source_stop_asking (source);
  tell_of_decision (source, how);
  g_message ("%s: an administrator has decided, with %s: the guest %s", source->sm.id, how,
             here ? "continues here" : "ends here");
  source->done = done;
  source->done_data = data;
  source->params.flags &= ~(guint)VIR_MIGRATE_UNDEFINE_SOURCE; /* no daemon has said that it arrived */
  g_clear_error (&source->why);
  g_free (source->entry->reason);
  source->entry->reason = g_strdup_printf ("decided by an administrator, with %s", how);
  xf_migrate_source_set_ended_by (source, source->entry->reason);
  xf_guest_set_message (source->guest, NULL);
  /* A write that fails is no reason to refuse: only the record of the decision is lost. */
  xf_journal_write (source->driver->journal, source->entry,
                    xf_migrate_source_states[here ? ROLLING_BACK : DESTROYING].name,
                    here ? resume_as_decided : destroy_as_decided, source);
  return TRUE;
}
