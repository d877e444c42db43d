/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Calls with many numbers: virtual CPUs, and the statistics of many guests. Statistics are collected guest by guest,
 * over several turns of the loop if necessary.
 */
#include <string.h>

#include "remote/convert.h"
#include "remote/reply.h"
#include "remote/slices.h"

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

/* A pending call for statistics. */
typedef struct {
  XfCall *call; /* NULL: answered */
  XfDriver *driver;
  GByteArray *uuids; /* in order, none twice */
  guint next;
  gboolean named; /* named by the client: a missing guest is an error */
  guint stats, flags;
  GPtrArray *answers; /* from the driver: arrays of one XfDomainStats */
} Stats;

static guint
uuid_hash (gconstpointer uuid)
{
  guint hash = 5381;

  for (guint i = 0; i < XF_UUID_LENGTH; i++)
    hash = hash * 33 + ((const guint8 *)uuid)[i];
  return hash;
}

static gboolean
uuid_equal (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, XF_UUID_LENGTH) == 0;
}

static void
reply_stats (XfCall *call, const GPtrArray *answers)
{
  g_autofree xf_stats_record *records = g_new0 (xf_stats_record, answers->len);
  xf_stats_ret ret;

  for (guint i = 0; i < answers->len; i++) {
    const XfDomainStats *one = g_ptr_array_index ((GPtrArray *)answers->pdata[i], 0);

    records[i].dom = xf_convert_dom (one->ref);
    records[i].params.params_val = xf_convert_params_to_wire (one->params, &records[i].params.params_len);
  }
  ret.records.records_len = answers->len;
  ret.records.records_val = records;
  xf_call_reply (call, &ret);
  for (guint i = 0; i < answers->len; i++)
    g_free (records[i].params.params_val);
}

static void
stats_fail (Stats *stats, const GError *error)
{
  xf_reply_error (g_steal_pointer (&stats->call), error);
}

static void
stats_free (gpointer data)
{
  Stats *stats = data;
  g_autoptr (GError) ends = NULL;

  if (stats->call) {
    ends = g_error_new_literal (XF_ERROR, XF_ERROR_RPC, "the connection ends before the statistics are collected");
    stats_fail (stats, ends);
  }
  g_byte_array_unref (stats->uuids);
  g_ptr_array_unref (stats->answers);
  g_free (stats);
}

/* FALSE: the call has been answered with an error. */
static gboolean
collect_next (Stats *stats)
{
  const guint8 *uuid = stats->uuids->data + (gsize)stats->next++ * XF_UUID_LENGTH;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) one = xf_driver_domain_stats (stats->driver, uuid, 1, stats->stats, stats->flags, &error);

  if (one) {
    g_ptr_array_add (stats->answers, g_steal_pointer (&one));
    return TRUE;
  }
  /* A guest of the list that has ended meanwhile is no error. */
  if (!stats->named && g_error_matches (error, XF_ERROR, XF_ERROR_NO_DOMAIN))
    return TRUE;
  stats_fail (stats, error);
  return FALSE;
}

static gboolean
stats_step (gpointer data)
{
  Stats *stats = data;

  if (!xf_conn_is_open (xf_call_conn (stats->call)))
    return TRUE;
  if ((gsize)stats->next * XF_UUID_LENGTH < stats->uuids->len)
    return !collect_next (stats);
  reply_stats (g_steal_pointer (&stats->call), stats->answers);
  return TRUE;
}

/* Each guest once, even if the client names it several times. */
static void
name_guests (GByteArray *uuids, const xf_stats_args *arguments)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (uuid_hash, uuid_equal);

  for (guint i = 0; i < arguments->doms.doms_len; i++) {
    const guint8 *uuid = (const guint8 *)arguments->doms.doms_val[i].uuid;

    if (g_hash_table_add (seen, (gpointer)uuid))
      g_byte_array_append (uuids, uuid, XF_UUID_LENGTH);
  }
}

static gboolean
list_guests (XfDriver *driver, GByteArray *uuids, guint flags, GError **error)
{
  /* The bits of VIR_CONNECT_LIST_DOMAINS that this call accepts. */
  g_autoptr (GPtrArray) refs = xf_driver_list (driver, flags & 0xff, error);

  for (guint i = 0; refs && i < refs->len; i++)
    g_byte_array_append (uuids, ((XfDomainRef *)refs->pdata[i])->uuid, XF_UUID_LENGTH);
  return refs != NULL;
}

/* Wrong flags are an error even without a guest. */
static gboolean
check_flags (XfDriver *driver, guint stats, guint flags, GError **error)
{
  static const guint8 nobody[XF_UUID_LENGTH];
  g_autoptr (GError) local = NULL;
  g_autoptr (GPtrArray) none = xf_driver_domain_stats (driver, nobody, 1, stats, flags, &local);

  if (none || g_error_matches (local, XF_ERROR, XF_ERROR_NO_DOMAIN))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

void
xf_handle_CONNECT_GET_ALL_DOMAIN_STATS (XfCall *call, const xf_stats_args *arguments, XfRemoteClient *client)
{
  XfDriver *driver = xf_driver_of (client);
  g_autoptr (GError) error = NULL;
  g_autoptr (GByteArray) uuids = g_byte_array_new ();
  gboolean named = arguments->doms.doms_len > 0;
  Stats *stats;

  name_guests (uuids, arguments);
  if (!named
      && (!check_flags (driver, arguments->stats, arguments->flags, &error)
          || !list_guests (driver, uuids, arguments->flags, &error))) {
    xf_reply_error (call, error);
    return;
  }
  stats = g_new0 (Stats, 1);
  *stats = (Stats){ .call = call,
                    .driver = driver,
                    .uuids = g_steal_pointer (&uuids),
                    .named = named,
                    .stats = arguments->stats,
                    .flags = arguments->flags };
  stats->answers = g_ptr_array_new_with_free_func ((GDestroyNotify)g_ptr_array_unref);
  xf_slices_add (client->remote, stats_step, stats_free, stats);
}
