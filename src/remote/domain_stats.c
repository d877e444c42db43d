/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Calls that bring numbers in bulk: virtual CPUs, and the statistics of many guests at once.
 */
#include <string.h>

#include "remote/convert.h"
#include "remote/reply.h"

static void
copy_map (GBytes *map, guint8 *out, gsize size)
{
  gsize length = 0;
  gconstpointer bytes = map ? g_bytes_get_data (map, &length) : NULL;

  if (length)
    memcpy (out, bytes, MIN (length, size));
}

static void
reply_vcpus (XfCall *call, const GArray *vcpus, guint n, gsize map_size)
{
  g_autofree xf_vcpu *wire = g_new0 (xf_vcpu, n);
  g_autofree guint8 *maps = g_malloc0 (n * map_size + 1);
  xf_vcpus_ret ret;

  for (guint i = 0; i < n; i++) {
    const XfVcpuInfo *info = &g_array_index (vcpus, XfVcpuInfo, i);

    wire[i] = (xf_vcpu){ info->number, info->state, info->cpu_time_ns, info->cpu };
    copy_map (info->cpumap, maps + i * map_size, map_size);
  }
  ret.info.info_len = n;
  ret.info.info_val = wire;
  ret.cpumaps.cpumaps_len = (guint)(n * map_size);
  ret.cpumaps.cpumaps_val = (char *)maps;
  xf_call_reply (call, &ret);
}

void
xf_handle_DOMAIN_GET_VCPUS (XfCall *call, const xf_dom_vcpus_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) vcpus = NULL;

  if (arguments->maxinfo < 0 || arguments->maxinfo > XF_DOMAINS_MAX || arguments->maplen < 0
      || (gint64)arguments->maxinfo * arguments->maplen > XF_CPUMAPS_MAX) {
    xf_reply_refuse (call, XF_ERROR_INVALID_ARG, "%d virtual CPUs with maps of %d bytes are more than fit an answer",
                     arguments->maxinfo, arguments->maplen);
    return;
  }
  vcpus = xf_driver_domain_vcpus (xf_driver_of (client), xf_uuid_of (&arguments->dom), &error);
  if (vcpus)
    reply_vcpus (call, vcpus, MIN (vcpus->len, (guint)arguments->maxinfo), arguments->maplen);
  else
    xf_reply_error (call, error);
}

static guint8 *
collect_uuids (const xf_stats_args *arguments)
{
  guint n = arguments->doms.doms_len;
  guint8 *uuids = g_malloc0 ((gsize)n * XF_UUID_LENGTH + 1);

  for (guint i = 0; i < n; i++)
    memcpy (uuids + (gsize)i * XF_UUID_LENGTH, arguments->doms.doms_val[i].uuid, XF_UUID_LENGTH);
  return uuids;
}

static void
reply_stats (XfCall *call, const GPtrArray *stats)
{
  g_autofree xf_stats_record *records = g_new0 (xf_stats_record, stats->len);
  xf_stats_ret ret;

  for (guint i = 0; i < stats->len; i++) {
    const XfDomainStats *one = stats->pdata[i];

    records[i].dom = xf_convert_dom (one->ref);
    records[i].params.params_val = xf_convert_params_to_wire (one->params, &records[i].params.params_len);
  }
  ret.records.records_len = stats->len;
  ret.records.records_val = records;
  xf_call_reply (call, &ret);
  for (guint i = 0; i < stats->len; i++)
    g_free (records[i].params.params_val);
}

void
xf_handle_CONNECT_GET_ALL_DOMAIN_STATS (XfCall *call, const xf_stats_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *uuids = collect_uuids (arguments);
  g_autoptr (GPtrArray) stats = xf_driver_domain_stats (xf_driver_of (client), uuids, arguments->doms.doms_len,
                                                        arguments->stats, arguments->flags, &error);

  if (stats)
    reply_stats (call, stats);
  else
    xf_reply_error (call, error);
}
