/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Calls about a guest's job: progress, abort, limits of speed and downtime. They work while PERFORM is pending.
 */
#include "remote/convert.h"
#include "remote/reply.h"

void
xf_handle_DOMAIN_GET_JOB_INFO (XfCall *call, const xf_dom_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;
  XfJobInfo info = { 0 };
  xf_job_info_ret ret;

  if (!xf_driver_job_info (xf_driver_of (client), xf_uuid_of (&arguments->dom), &info, &error)) {
    xf_reply_error (call, error);
    return;
  }
  ret = (xf_job_info_ret){
    .type = info.type,
    .elapsed = info.time_elapsed,
    .remaining = info.time_remaining,
    .data_total = info.data_total,
    .data_processed = info.data_processed,
    .data_remaining = info.data_remaining,
    .memory_total = info.memory_total,
    .memory_processed = info.memory_processed,
    .memory_remaining = info.memory_remaining,
    .file_total = info.file_total,
    .file_processed = info.file_processed,
    .file_remaining = info.file_remaining,
  };
  xf_call_reply (call, &ret);
}

void
xf_handle_DOMAIN_GET_JOB_STATS (XfCall *call, const xf_dom_flags_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) params = NULL;
  g_autofree xf_param *wire = NULL;
  xf_job_stats_ret ret = { 0 };

  params = xf_driver_job_stats (xf_driver_of (client), xf_uuid_of (&arguments->dom), arguments->flags, &ret.type,
                                &error);
  if (!params) {
    xf_reply_error (call, error);
    return;
  }
  wire = xf_convert_params_to_wire (params, &ret.params.params_len);
  ret.params.params_val = wire;
  xf_call_reply (call, &ret);
}

static void
abort_job (XfCall *call, XfRemoteClient *client, const xf_domain *dom, guint flags)
{
  g_autoptr (GError) error = NULL;

  xf_driver_job_abort (xf_driver_of (client), xf_uuid_of (dom), flags, &error);
  xf_reply_void_or (call, error);
}

void
xf_handle_DOMAIN_ABORT_JOB (XfCall *call, const xf_dom_args *arguments, XfRemoteClient *client)
{
  abort_job (call, client, &arguments->dom, 0);
}

void
xf_handle_DOMAIN_ABORT_JOB_FLAGS (XfCall *call, const xf_dom_flags_args *arguments, XfRemoteClient *client)
{
  abort_job (call, client, &arguments->dom, arguments->flags);
}

void
xf_handle_DOMAIN_MIGRATE_SET_MAX_SPEED (XfCall *call, const xf_dom_u64_flags_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;

  xf_driver_set_max_speed (xf_driver_of (client), xf_uuid_of (&arguments->dom), arguments->value, arguments->flags,
                           &error);
  xf_reply_void_or (call, error);
}

void
xf_handle_DOMAIN_MIGRATE_GET_MAX_SPEED (XfCall *call, const xf_dom_flags_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;
  guint64 mib = 0;

  xf_driver_get_max_speed (xf_driver_of (client), xf_uuid_of (&arguments->dom), &mib, arguments->flags, &error);
  xf_reply_u64_or (call, mib, error);
}

void
xf_handle_DOMAIN_MIGRATE_SET_MAX_DOWNTIME (XfCall *call, const xf_dom_u64_flags_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;

  xf_driver_set_max_downtime (xf_driver_of (client), xf_uuid_of (&arguments->dom), arguments->value, arguments->flags,
                              &error);
  xf_reply_void_or (call, error);
}

void
xf_handle_DOMAIN_MIGRATE_GET_MAX_DOWNTIME (XfCall *call, const xf_dom_flags_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;
  guint64 ms = 0;

  xf_driver_get_max_downtime (xf_driver_of (client), xf_uuid_of (&arguments->dom), &ms, arguments->flags, &error);
  xf_reply_u64_or (call, ms, error);
}
