/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/guest/job.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "libxl/guest/driver_private.h"
#include "libxl/guest/guest.h"

static const char *const words[] = {
  [XF_JOB_START] = "being started",         [XF_JOB_DESTROY] = "being destroyed",
  [XF_JOB_SUSPEND] = "being paused",        [XF_JOB_RESUME] = "being resumed",
  [XF_JOB_SHUTDOWN] = "being shut down",    [XF_JOB_MIGRATION_OUT] = "being migrated away",
  [XF_JOB_MIGRATION_IN] = "being received",
};

void
xf_job_init (XfJob *job, XfJobKind kind, const XfJobOps *ops, gpointer owner)
{
  *job = (XfJob){ kind, ops, owner, 0 };
}

static gboolean
refuse (XfGuest *guest, GError **error)
{
  XfJob *job = guest->job;
  g_autofree char *what = job->ops && job->ops->describe ? job->ops->describe (job) : g_strdup (words[job->kind]);
  gint64 seconds = (g_get_monotonic_time () - job->started_us) / G_USEC_PER_SEC;

  g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID, "domain '%s' is %s since %" G_GINT64_FORMAT " s%s",
               guest->name, what, seconds,
               job->ops && job->ops->abort ? ": wait, or abort it with virsh domjobabort"
                                           : ": try again when that has ended");
  return FALSE;
}

gboolean
xf_job_may_begin (XfGuest *guest, GError **error)
{
  return !guest->job || refuse (guest, error);
}

gboolean
xf_job_begin (XfGuest *guest, XfJob *job, GError **error)
{
  if (guest->job)
    return refuse (guest, error);
  job->started_us = g_get_monotonic_time ();
  guest->job = job;
  return TRUE;
}

/* ---- only for migrations ---------------------------------------------------------------------------------- */

static const XfJobOps *
ops_of (const XfGuest *guest)
{
  static const XfJobOps none;

  return guest->job && guest->job->ops ? guest->job->ops : &none;
}

gboolean
xf_job_decide (XfGuest *guest, gboolean here, const char *how, XfDone done, gpointer data)
{
  const XfJobOps *ops = ops_of (guest);

  return ops->decide && ops->decide (guest->job, here, how, done, data);
}

gboolean
xf_job_hold_still (XfGuest *guest, XfDone done, gpointer data)
{
  const XfJobOps *ops = ops_of (guest);

  return ops->hold_still && ops->hold_still (guest->job, done, data);
}

void
xf_job_guest_suspended (XfGuest *guest)
{
  const XfJobOps *ops = ops_of (guest);

  if (ops->guest_suspended)
    ops->guest_suspended (guest->job);
}

void
xf_job_guest_ended (XfGuest *guest, const char *how)
{
  const XfJobOps *ops = ops_of (guest);

  if (ops->guest_ended)
    ops->guest_ended (guest->job, how);
}

gboolean
xf_job_needs_definition (const XfGuest *guest)
{
  const XfJobOps *ops = ops_of (guest);

  return ops->needs_definition && ops->needs_definition (guest->job);
}

/* ---- waiters for its end ---------------------------------------------------------------------------------- */

typedef struct {
  GSourceFunc func;
  gpointer data;
} Waiter;

void
xf_job_when_ended (XfGuest *guest, GSourceFunc func, gpointer data)
{
  Waiter *waiter = g_new (Waiter, 1);

  g_assert (guest->job);
  *waiter = (Waiter){ func, data };
  guest->job_waiters = g_slist_append (guest->job_waiters, waiter);
}

typedef struct {
  XfDriver *driver;
  guint8 uuid[XF_UUID_LENGTH];
  XfGuestAct act;
  XfDone done;
  gpointer data;
} LaterAct;

static gboolean
act_later (gpointer data)
{
  g_autofree LaterAct *later = data;

  later->act (later->driver, later->uuid, later->done, later->data);
  return G_SOURCE_REMOVE;
}

void
xf_job_act_when_ended (XfGuest *guest, XfGuestAct act, XfDone done, gpointer data)
{
  LaterAct *later = g_new (LaterAct, 1);

  *later = (LaterAct){ .driver = guest->driver, .act = act, .done = done, .data = data };
  memcpy (later->uuid, guest->uuid, XF_UUID_LENGTH);
  xf_job_when_ended (guest, act_later, later);
}

void
xf_job_wake_waiters (XfGuest *guest)
{
  for (GSList *link = guest->job_waiters; link; link = link->next) {
    Waiter *waiter = link->data;

    g_idle_add_full (G_PRIORITY_DEFAULT, waiter->func, waiter->data, NULL);
  }
  g_slist_free_full (g_steal_pointer (&guest->job_waiters), g_free);
}

void
xf_job_end (XfGuest *guest, const XfTypedParams *completed)
{
  g_assert (guest->job);
  guest->job = NULL;
  xf_job_wake_waiters (guest);
  if (completed) {
    g_clear_pointer (&guest->completed, g_array_unref);
    guest->completed = xf_typed_params_copy (completed);
  }
  xf_guest_release_if_unneeded (guest);
}

/* ---- driver.h --------------------------------------------------------------------------------------------- */

gboolean
xf_driver_job_info (XfDriver *driver, const guint8 *uuid, XfJobInfo *info_out, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);

  *info_out = (XfJobInfo){ .type = VIR_DOMAIN_JOB_NONE };
  if (!guest)
    return FALSE;
  if (guest->job && guest->job->ops && guest->job->ops->info)
    guest->job->ops->info (guest->job, info_out);
  return TRUE;
}

static XfTypedParams *
completed_stats (XfGuest *guest, gboolean keep, int *type_out)
{
  const XfTypedParam *success;
  XfTypedParams *stats;

  if (!guest->completed)
    return xf_typed_params_new ();
  stats = xf_typed_params_copy (guest->completed);
  success = xf_typed_params_find (stats, VIR_DOMAIN_JOB_SUCCESS);
  *type_out = success && !success->b ? VIR_DOMAIN_JOB_FAILED : VIR_DOMAIN_JOB_COMPLETED;
  if (!keep)
    g_clear_pointer (&guest->completed, g_array_unref);
  return stats;
}

XfTypedParams *
xf_driver_job_stats (XfDriver *driver, const guint8 *uuid, guint flags, int *type_out, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);
  XfTypedParams *stats;
  XfJobInfo info;

  *type_out = VIR_DOMAIN_JOB_NONE;
  if (!guest)
    return NULL;
  if (flags & ~(guint)(VIR_DOMAIN_JOB_STATS_COMPLETED | VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED)) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "unsupported flags (0x%x) for job statistics", flags);
    return NULL;
  }
  if (flags & VIR_DOMAIN_JOB_STATS_COMPLETED)
    return completed_stats (guest, flags & VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED, type_out);
  stats = xf_typed_params_new ();
  if (guest->job && guest->job->ops && guest->job->ops->stats) {
    guest->job->ops->info (guest->job, &info);
    *type_out = info.type;
    guest->job->ops->stats (guest->job, stats);
  }
  return stats;
}

gboolean
xf_driver_job_abort (XfDriver *driver, const guint8 *uuid, guint flags, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);

  if (!guest)
    return FALSE;
  if (flags) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "unsupported flags (0x%x) for aborting a job", flags);
    return FALSE;
  }
  if (!guest->job || !guest->job->ops || !guest->job->ops->abort) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID, "domain '%s' has no job that can be aborted",
                 guest->name);
    return FALSE;
  }
  return guest->job->ops->abort (guest->job, error);
}

gboolean
xf_driver_set_max_speed (XfDriver *driver, const guint8 *uuid, guint64 mib, guint flags, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);

  if (!guest)
    return FALSE;
  if (flags || mib > G_MAXINT64 / (1024 * 1024)) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "unsupported flags (0x%x) or bandwidth", flags);
    return FALSE;
  }
  guest->max_speed_mib = mib;
  if (guest->job && guest->job->ops && guest->job->ops->set_rate)
    guest->job->ops->set_rate (guest->job, mib * 1024 * 1024);
  return TRUE;
}

gboolean
xf_driver_get_max_speed (XfDriver *driver, const guint8 *uuid, guint64 *mib_out, guint flags, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);

  if (!guest)
    return FALSE;
  *mib_out = guest->max_speed_mib;
  return TRUE;
}

/* libvirt's value for a guest whose limit was never set. */
#define DOWNTIME_DEFAULT_MS 300

/* Sanity limit: one day. */
#define DOWNTIME_MAX_MS (24 * 3600 * 1000)

gboolean
xf_driver_set_max_downtime (XfDriver *driver, const guint8 *uuid, guint64 ms, guint flags, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);

  if (!guest)
    return FALSE;
  if (flags || ms == 0 || ms > DOWNTIME_MAX_MS) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG,
                 "unsupported flags (0x%x), or a downtime of %" G_GUINT64_FORMAT " ms, which is none", flags, ms);
    return FALSE;
  }
  guest->max_downtime_ms = ms;
  if (guest->job && guest->job->ops && guest->job->ops->downtime_changed)
    guest->job->ops->downtime_changed (guest->job);
  return TRUE;
}

gboolean
xf_driver_get_max_downtime (XfDriver *driver, const guint8 *uuid, guint64 *ms_out, guint flags, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);

  if (!guest)
    return FALSE;
  *ms_out = guest->max_downtime_ms ? guest->max_downtime_ms : DOWNTIME_DEFAULT_MS;
  return TRUE;
}
