/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Perform: writes `sending` to the journal, opens the transport; libxl writes, the transport passes on the rest; then
 * writes `sent`. A failure stops libxl first; the end of libxl's operation continues.
 */
#include "libxl/source/private.h"

#include <libvirt/libvirt.h>
#include <string.h>
#include <libxl.h>

#include "base/error.h"
#include "libxl/act/death.h"

/* The interval between checks of the transport's byte count, to detect a stalled stream. */
#define STALL_CHECK_S 5

/* The delay before a suspend is aborted whose helper may not run yet. */
#define ABORT_LATE_S 2

/* The first failure counts. Stops the operation in progress; its end continues. */
void
xf_migrate_source_fail (XfMigrateSource *source, const GError *error)
{
  guint state = source->sm.state;

  if (state < RECORDING || state > COMMITTING)
    return;
  source->error = g_error_copy (error);
  if (state != RECORDING)
    source->transport->ops->abort (source->transport);
  if (!source->ao && !source->still_ao) {
    xf_migrate_source_roll_back (source);
    return;
  }
  xf_sm_move (&source->sm, STOPPING);
  if (source->ao)
    xf_ao_abort_late (source->ao, ABORT_LATE_S);
}

void
xf_migrate_source_mark_suspended (XfMigrateSource *source)
{
  if (source->progress.suspended_us)
    return;
  source->progress.suspended_us = g_get_monotonic_time ();
  if (source->stand == XF_STAND_HELD || !xf_migrate_source_guest_ran (source))
    return;
  xf_guest_set_state (source->guest, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION);
  xf_guest_emit_lifecycle (source->guest, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED);
}

/* The reason why libxl could not write: the guest has ended, the transport has failed, or libxl's own. */
static GError *
why_not_written (XfMigrateSource *source, int rc)
{
  XfMigrateTransport *transport = source->transport;
  const char *ended = xf_death_how (source->guest);
  GError *exceeds = ended ? NULL : xf_migrate_source_converge_failure (source);
  g_autoptr (GError) why = ended                    ? g_error_new_literal (XF_ERROR, XF_ERROR_OPERATION_FAILED, ended)
                           : transport->ops->reason ? transport->ops->reason (transport)
                                                    : NULL;

  if (exceeds)
    return exceeds;
  if (!why)
    xf_rc_to_error (rc, &why, source->ctx, "libxl could not send it");
  return xf_migrate_source_error (source, "perform", why->code, why->message);
}

static void
suspended (int rc, gpointer data)
{
  XfMigrateSource *source = data;

  source->ao = NULL;
  source->suspend_rc = rc;
  if (rc == 0)
    xf_migrate_source_mark_suspended (source);
  if (rc != 0 && source->sm.state == SENDING) {
    g_autoptr (GError) why = why_not_written (source, rc);

    xf_migrate_source_converge_end (source);
    xf_migrate_source_fail (source, why);
    return;
  }
  xf_migrate_source_converge_end (source);
  xf_migrate_source_check_written (source);
}

void
xf_migrate_source_check_written (XfMigrateSource *source)
{
  if (source->ao || source->still_ao)
    return;
  g_clear_handle_id (&source->wake_id, g_source_remove);
  if (source->sm.state == STOPPING) {
    xf_migrate_source_roll_back (source);
    return;
  }
  if (source->sm.state != SENDING)
    return;
  xf_sm_move (&source->sm, DRAINING);
  source->transport->ops->finish_writing (source->transport);
}

static void
fail_perform (XfMigrateSource *source, const GError *error)
{
  g_autoptr (GError) told = xf_migrate_source_error (source, "perform", error->code, error->message);

  xf_migrate_source_fail (source, told);
}

/* Through the loop: a callback is never called before its call has returned. */
static gboolean
fail_later (gpointer data)
{
  XfMigrateSource *source = data;

  source->deadline_id = 0;
  xf_migrate_source_roll_back (source);
  return G_SOURCE_REMOVE;
}

/* No phase has reported the result in time. */
static gboolean
sent_too_long (gpointer data)
{
  XfMigrateSource *source = data;
  g_autoptr (GError) why = xf_migrate_source_error (source, "finish", XF_ERROR_TIMEOUT,
                                                    "no confirm followed within the configured time");

  source->deadline_id = 0;
  g_warning ("%s", why->message);
  xf_migrate_source_settle (source, why, NULL, NULL);
  return G_SOURCE_REMOVE;
}

/* From here on the destination may start the guest: not before `sent` is on disk. */
static void
sent_written (const GError *error, gpointer data)
{
  XfMigrateSource *source = data;
  const XfDriverConfig *config = &source->driver->config;
  XfDone done = source->done;

  if (error) {
    fail_perform (source, error);
    return;
  }
  xf_sm_move (&source->sm, SENT);
  xf_migrate_source_count (source);
  g_info ("%s: all is sent, %" G_GUINT64_FORMAT " bytes in %u passes", source->sm.id, source->progress.bytes,
          source->progress.iteration);
  /* The destination may still restore for a while, and peer to peer the call to it has its own keepalive. */
  if (!source->p2p)
    source->deadline_id = g_timeout_add_seconds (config->stall_timeout_s + config->finish_timeout_s, sent_too_long,
                                                 source);
  source->done = NULL;
  done (NULL, source->done_data);
}

static void
drained (const GError *error, gpointer data)
{
  XfMigrateSource *source = data;
  g_autoptr (GError) early = NULL;

  if (!error && source->sm.state != DRAINING)
    error = early = g_error_new (XF_ERROR, XF_ERROR_OPERATION_FAILED, "the data connection ended before the image");
  if (error) {
    fail_perform (source, error);
    return;
  }
  g_clear_handle_id (&source->stall_id, g_source_remove);
  xf_sm_move (&source->sm, COMMITTING);
  xf_journal_write (source->driver->journal, source->entry, xf_migrate_source_states[SENT].name, sent_written, source);
}

static void
progressed (const char *what, int percent, unsigned long done, unsigned long total, gpointer data)
{
  XfMigrateSource *source = data;
  gboolean another;

  if (source->ao)
    xf_ao_helper_runs (source->ao);
  another = xf_migrate_progress_report (&source->progress, what, done, total);
  xf_migrate_source_converge_update (source);
  if (!another)
    return;
  xf_migrate_source_count (source);
  xf_guest_emit_iteration (source->guest, source->progress.iteration);
  xf_migrate_source_another_pass (source);
}

/* ---- sending --------------------------------------------------------------------------------------------- */

/* A peer whose kernel still answers but that accepts no more data is detected only by the byte count. */
static gboolean
check_stall (gpointer data)
{
  XfMigrateSource *source = data;
  guint64 bytes = source->transport->ops->sent (source->transport);
  gint64 now = g_get_monotonic_time ();
  g_autoptr (GError) stalled = NULL;

  if (bytes != source->stall_bytes || !source->stall_since_us) {
    source->stall_bytes = bytes;
    source->stall_since_us = now;
    return G_SOURCE_CONTINUE;
  }
  if (now - source->stall_since_us < (gint64)source->driver->config.stall_timeout_s * G_USEC_PER_SEC)
    return G_SOURCE_CONTINUE;
  source->stall_id = 0;
  stalled = xf_migrate_source_error (source, "perform", XF_ERROR_TIMEOUT,
                                     "the destination accepted no data for the configured time; see its log");
  xf_migrate_source_fail (source, stalled);
  return G_SOURCE_REMOVE;
}

static void
opened (int fd, const GError *error, gpointer data)
{
  XfMigrateSource *source = data;
  guint64 rate = source->params.bandwidth_mib * 1024 * 1024;
  int flags = source->params.flags & VIR_MIGRATE_LIVE ? LIBXL_SUSPEND_LIVE : 0;
  int rc;

  if (error) {
    fail_perform (source, error);
    return;
  }
  xf_sm_move (&source->sm, SENDING);
  source->progress.sending_us = g_get_monotonic_time ();
  if (rate)
    source->transport->ops->set_rate (source->transport, rate);
  source->stall_id = g_timeout_add_seconds (STALL_CHECK_S, check_stall, source);
  xf_migrate_source_converge_begin (source);
  source->ao = xf_ao_new (source->ctx, suspended, source);
  rc = libxl_domain_suspend (xf_ctx_libxl (source->ctx), source->guest->domid, fd, flags, xf_ao_how (source->ao));
  xf_ao_started (source->ao, rc);
}

/* From here on the guest may be suspended. */
static void
sending_written (const GError *error, gpointer data)
{
  XfMigrateSource *source = data;

  if (error) {
    fail_perform (source, error);
    return;
  }
  xf_sm_move (&source->sm, CONNECTING);
  source->transport->ops->open (source->transport);
}

/* set_peer() has recorded whom to ask in case of doubt. */
static void
write_sending (XfMigrateSource *source)
{
  XfJournalEntry *entry = source->entry;

  entry->domid = source->guest->domid;
  entry->flags = source->params.flags;
  entry->was_paused = xf_migrate_source_guest_paused (source);
  entry->peer = g_strdup (xf_migrate_source_shown_host (source));
  xf_journal_write (source->driver->journal, entry, xf_migrate_source_states[SENDING].name, sending_written, source);
}

void
xf_migrate_source_perform (XfMigrateSource *source, XfMigrateTransport *transport, XfDone done, gpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert (source->sm.state == BEGUN && source->entry);
  g_clear_handle_id (&source->deadline_id, g_source_remove);
  source->done = done;
  source->done_data = data;
  source->transport = transport;
  transport->events = (XfMigrateTransportEvents){ .opened = opened, .drained = drained };
  transport->data = source;
  xf_sm_move (&source->sm, RECORDING);
  source->ctx = xf_ctx_new (source->sm.id, &error);
  if (!source->ctx) {
    g_autoptr (GError) told = xf_migrate_source_error (source, "perform", error->code, error->message);

    source->error = g_error_copy (told);
    source->deadline_id = g_idle_add (fail_later, source);
    return;
  }
  xf_ctx_set_progress (source->ctx, progressed, source);
  xf_ctx_set_listener (source->ctx, xf_migrate_source_libxl_said, source);
  write_sending (source);
}
