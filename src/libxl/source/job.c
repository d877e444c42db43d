/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A migration as the job of its guest: its progress, and the commands that it accepts while it runs.
 */
#include "libxl/source/private.h"

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "libxl/guest/job.h"

void
xf_migrate_source_count (XfMigrateSource *source)
{
  XfMigrateTransport *transport = source->transport;

  if (!transport)
    return;
  source->progress.bytes = transport->ops->sent (transport);
  source->progress.content = transport->ops->content ? transport->ops->content (transport) : 0;
}

static void
job_info (XfJob *job, XfJobInfo *info_out)
{
  XfMigrateSource *source = job->owner;

  xf_migrate_source_count (source);
  xf_migrate_progress_info (&source->progress, info_out);
}

static void
job_stats (XfJob *job, XfTypedParams *params)
{
  XfMigrateSource *source = job->owner;

  xf_migrate_source_count (source);
  xf_migrate_source_converge_update (source);
  xf_migrate_progress_stats (&source->progress, VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT, params);
}

static gboolean
job_abort (XfJob *job, GError **error)
{
  XfMigrateSource *source = job->owner;
  g_autoptr (GError)
    reason = xf_migrate_source_error (source, xf_sm_name (&source->sm), XF_ERROR_ABORTED, "it was aborted");

  if (source->abort_func ? source->abort_func (source->abort_data, NULL) : xf_migrate_source_abort (source, reason))
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
               "too late to abort the migration of domain '%s': everything is at '%s', which decides now",
               source->guest->name, source->host);
  return FALSE;
}

static void
job_set_rate (XfJob *job, guint64 bytes_per_s)
{
  XfMigrateSource *source = job->owner;

  source->params.bandwidth_mib = bytes_per_s / (1024 * 1024);
  if (source->transport && source->sm.state == SENDING)
    source->transport->ops->set_rate (source->transport, bytes_per_s);
}

static void
job_downtime_changed (XfJob *job)
{
  xf_migrate_source_converge_update (job->owner);
}

static char *
job_describe (XfJob *job)
{
  XfMigrateSource *source = job->owner;

  return g_strdup_printf ("being migrated to '%s' (%s)", source->host, xf_sm_name (&source->sm));
}

static void
job_guest_suspended (XfJob *job)
{
  XfMigrateSource *source = job->owner;

  if (source->sm.state == SENDING || source->sm.state == STOPPING)
    xf_migrate_source_mark_suspended (source);
}

static void
job_guest_ended (XfJob *job, const char *how)
{
  XfMigrateSource *source = job->owner;
  g_autoptr (GError)
    reason = xf_migrate_source_error (source, xf_sm_name (&source->sm), XF_ERROR_OPERATION_FAILED, how);

  if (source->abort_func)
    (void)source->abort_func (source->abort_data, reason);
  else
    (void)xf_migrate_source_abort (source, reason);
}

/* If the guest may run at the destination already, its definition is all that is left here. */
static gboolean
job_needs_definition (const XfJob *job)
{
  const XfMigrateSource *source = job->owner;

  return source->sm.state >= SENT;
}

const XfJobOps xf_migrate_source_job_ops = {
  .info = job_info,
  .stats = job_stats,
  .abort = job_abort,
  .set_rate = job_set_rate,
  .downtime_changed = job_downtime_changed,
  .describe = job_describe,
  .decide = xf_migrate_source_decide,
  .hold_still = xf_migrate_source_hold_still,
  .guest_suspended = job_guest_suspended,
  .guest_ended = job_guest_ended,
  .needs_definition = job_needs_definition,
};
