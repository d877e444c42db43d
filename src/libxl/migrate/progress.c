/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/migrate/progress.h"

#include <libvirt/libvirt.h>

#define US_PER_MS 1000

/* Shorter measurements show the sizes of buffers. */
#define SAMPLE_US (500 * 1000)

void
xf_migrate_progress_init (XfMigrateProgress *progress, guint64 memory_bytes)
{
  *progress = (XfMigrateProgress){ .started_us = g_get_monotonic_time (), .memory_bytes = memory_bytes };
}

void
xf_migrate_progress_clear (XfMigrateProgress *progress)
{
  g_clear_pointer (&progress->pass, g_free);
}

/* The first pass walks all page numbers, which for a PVH or HVM guest end at 4 GiB, however small it is. It holds no
 * more pages than the guest has. */
static guint64
pages_of_pass (const XfMigrateProgress *progress)
{
  guint64 most = progress->memory_bytes / XF_MIGRATE_PAGE_SIZE;

  return progress->iteration == 1 ? MIN (progress->pass_done, most) : progress->pass_done;
}

guint64
xf_migrate_progress_pages (const XfMigrateProgress *progress)
{
  return progress->pages_before + pages_of_pass (progress);
}

static void
next_pass (XfMigrateProgress *progress, const char *what, guint64 total)
{
  gint64 now = g_get_monotonic_time ();
  gint64 lasted = now - progress->pass_us;

  /* A pass sends the pages that were dirtied during the one before. */
  if (progress->iteration > 0 && lasted > 0)
    progress->dirty_rate = total * G_USEC_PER_SEC / lasted;
  progress->pages_before += pages_of_pass (progress);
  progress->iteration++;
  progress->pass_us = now;
  g_free (progress->pass);
  progress->pass = g_strdup (what);
}

gboolean
xf_migrate_progress_report (XfMigrateProgress *progress, const char *what, unsigned long done, unsigned long total)
{
  gboolean another;

  /* "Start of stream", "Domain now suspended": messages between the passes. */
  if (total == 0)
    return FALSE;
  another = g_strcmp0 (what, progress->pass) != 0 || done < progress->pass_done;
  if (another)
    next_pass (progress, what, total);
  progress->pass_done = done;
  progress->pass_total = total;
  return another;
}

static guint64
content (const XfMigrateProgress *progress)
{
  return progress->content ? progress->content : progress->bytes;
}

static guint64
memory_remaining (const XfMigrateProgress *progress)
{
  guint64 pages = progress->pass_total - MIN (progress->pass_done, progress->pass_total);

  if (progress->ended_us)
    return 0;
  if (progress->iteration == 0 || progress->pass_total == 0)
    return progress->memory_bytes;
  /* Only the bytes show how much of the first pass is holes: memory that has not been sent remains, and the value is
   * above 0 until the pass ends. */
  if (progress->iteration == 1 && pages > 0)
    return MIN (MAX (progress->memory_bytes - MIN (content (progress), progress->memory_bytes), XF_MIGRATE_PAGE_SIZE),
                pages * XF_MIGRATE_PAGE_SIZE);
  return MIN (pages * XF_MIGRATE_PAGE_SIZE, progress->memory_bytes);
}

static guint64
elapsed_us (const XfMigrateProgress *progress)
{
  return (progress->ended_us ? progress->ended_us : g_get_monotonic_time ()) - progress->started_us;
}

/* Bytes of the guest per second since the transfer began. */
static guint64
mean_rate (const XfMigrateProgress *progress)
{
  gint64 until = progress->resumed_us ? progress->resumed_us : progress->ended_us;
  gint64 lasted = (until ? until : g_get_monotonic_time ()) - progress->sending_us;

  return progress->sending_us && lasted > 0 ? content (progress) * G_USEC_PER_SEC / lasted : 0;
}

guint64
xf_migrate_progress_recent_rate (XfMigrateProgress *progress)
{
  gint64 now = g_get_monotonic_time ();
  gint64 since = progress->sample_us ? progress->sample_us : progress->sending_us;
  guint64 bytes = content (progress);

  if (since && now - since >= SAMPLE_US) {
    progress->recent_rate = (bytes - MIN (progress->sample_content, bytes)) * G_USEC_PER_SEC / (now - since);
    progress->sample_us = now;
    progress->sample_content = bytes;
  }
  return progress->recent_rate ? progress->recent_rate : mean_rate (progress);
}

static guint64
downtime_us (const XfMigrateProgress *progress)
{
  gint64 until = progress->resumed_us ? progress->resumed_us : g_get_monotonic_time ();

  return progress->suspended_us ? until - progress->suspended_us : 0;
}

void
xf_migrate_progress_info (const XfMigrateProgress *progress, XfJobInfo *info_out)
{
  guint64 remaining = memory_remaining (progress);
  guint64 bytes_per_s = mean_rate (progress);

  *info_out = (XfJobInfo){
    .type = progress->iteration ? VIR_DOMAIN_JOB_BOUNDED : VIR_DOMAIN_JOB_UNBOUNDED,
    .time_elapsed = elapsed_us (progress) / US_PER_MS,
    .time_remaining = bytes_per_s ? remaining * 1000 / bytes_per_s : 0,
    .data_total = progress->memory_bytes,
    .data_processed = progress->bytes,
    .data_remaining = remaining,
    .memory_total = progress->memory_bytes,
    .memory_processed = content (progress),
    .memory_remaining = remaining,
  };
}

void
xf_migrate_progress_stats (const XfMigrateProgress *progress, int operation, XfTypedParams *params)
{
  XfJobInfo info;
  guint64 pages = xf_migrate_progress_pages (progress);

  xf_migrate_progress_info (progress, &info);
  xf_typed_params_add_int (params, VIR_DOMAIN_JOB_OPERATION, operation);
  xf_typed_params_add_ullong (params, VIR_DOMAIN_JOB_TIME_ELAPSED, info.time_elapsed);
  if (!progress->ended_us && info.time_remaining)
    xf_typed_params_add_ullong (params, VIR_DOMAIN_JOB_TIME_REMAINING, info.time_remaining);
  if (progress->suspended_us)
    xf_typed_params_add_ullong (params, VIR_DOMAIN_JOB_DOWNTIME, downtime_us (progress) / US_PER_MS);
  else if (!progress->ended_us && progress->expected_ms)
    xf_typed_params_add_ullong (params, VIR_DOMAIN_JOB_DOWNTIME, progress->expected_ms);
  if (progress->sending_us)
    xf_typed_params_add_ullong (params, VIR_DOMAIN_JOB_SETUP_TIME,
                                (progress->sending_us - progress->started_us) / US_PER_MS);
  xf_typed_params_add_ullong (params, VIR_DOMAIN_JOB_DATA_TOTAL, info.data_total);
  xf_typed_params_add_ullong (params, VIR_DOMAIN_JOB_DATA_PROCESSED, info.data_processed);
  xf_typed_params_add_ullong (params, VIR_DOMAIN_JOB_DATA_REMAINING, info.data_remaining);
  xf_typed_params_add_ullong (params, VIR_DOMAIN_JOB_MEMORY_TOTAL, info.memory_total);
  xf_typed_params_add_ullong (params, VIR_DOMAIN_JOB_MEMORY_PROCESSED, info.memory_processed);
  xf_typed_params_add_ullong (params, VIR_DOMAIN_JOB_MEMORY_REMAINING, info.memory_remaining);
  if (progress->content)
    xf_typed_params_add_ullong (params, VIR_DOMAIN_JOB_COMPRESSION_BYTES, progress->bytes);
  xf_typed_params_add_ullong (params, VIR_DOMAIN_JOB_MEMORY_NORMAL, pages);
  xf_typed_params_add_ullong (params, VIR_DOMAIN_JOB_MEMORY_NORMAL_BYTES, pages * XF_MIGRATE_PAGE_SIZE);
  xf_typed_params_add_ullong (params, VIR_DOMAIN_JOB_MEMORY_BPS, mean_rate (progress));
  xf_typed_params_add_ullong (params, VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE, progress->dirty_rate);
  xf_typed_params_add_ullong (params, VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE, XF_MIGRATE_PAGE_SIZE);
  xf_typed_params_add_ullong (params, VIR_DOMAIN_JOB_MEMORY_ITERATION, progress->iteration);
}
