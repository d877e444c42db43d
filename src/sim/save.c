/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Saves a guest: passes over the dirty pages while it runs, as many as the precopy policy wants (savehelper/policy.h,
 * with the goal that the daemon has set, as in libxl's own helper); then it is suspended, and the last pass and its
 * state are sent. Records are in the order of real streams.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "savehelper/goal.h"
#include "sim/helper.h"
#include "sim/stream.h"
#include "sim/synthetic.h"

#define REPORT_PAGES 1024
/* The page numbers of a PVH or HVM guest reach up to its special pages below 4 GiB, however small the guest is; libxc
 * walks them all in the first pass and skips the holes. */
#define HVM_PFNS 0xff000

typedef struct {
  Helper *helper;
  guint passes;        /* begun */
  guint64 done, total; /* pages of this pass */
  guint64 entries[STREAM_BATCH];
  guint n;
  guint64 rate; /* bytes per second; 0: no limit */
  gint64 started_us;
  guint64 sent;
  XfGoal *goal;      /* NULL: libxc decides alone */
  XfPolicy policy;   /* then */
  guint8 *synthetic; /* buffer for a batch; NULL: the guest's own memory is sent */
} Save;

/* ---- writing ---------------------------------------------------------------------------------------------- */

static void
pace (Save *save, gsize bytes)
{
  gint64 due;

  save->sent += bytes;
  if (!save->rate)
    return;
  due = save->started_us + (gint64)(save->sent * G_USEC_PER_SEC / save->rate) - g_get_monotonic_time ();
  if (due > 0)
    g_usleep (due);
}

static int
write_vector (Save *save, struct iovec *vector, int n)
{
  gsize all = 0;

  for (int i = 0; i < n; i++)
    all += vector[i].iov_len;
  pace (save, all);
  while (n > 0) {
    gssize written = writev (save->helper->fd, vector, MIN (n, IOV_MAX));

    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return ERROR_FAIL;
    while (n > 0 && (gsize)written >= vector->iov_len) {
      written -= vector->iov_len;
      vector++;
      n--;
    }
    if (n > 0) {
      vector->iov_base = (guint8 *)vector->iov_base + written;
      vector->iov_len -= written;
    }
  }
  return 0;
}

static int
write_bytes (Save *save, gconstpointer data, gsize length)
{
  struct iovec vector = { (gpointer)data, length };

  return write_vector (save, &vector, 1);
}

static int
write_record (Save *save, guint32 type, gconstpointer body, guint32 length)
{
  static const guint8 zeros[8];
  StreamRecord record = { GUINT32_TO_LE (type), GUINT32_TO_LE (length) };
  struct iovec vector[] = {
    { &record, sizeof (record) },
    { (gpointer)body, length },
    { (gpointer)zeros, -length & 7 },
  };

  return write_vector (save, vector, 3);
}

/* ---- pages ------------------------------------------------------------------------------------------------ */

/* Page @i of the batch. The page of the guest's own state is never synthetic. */
static guint8 *
batch_page (Save *save, guint i)
{
  guint64 pfn = save->entries[i];
  guint8 *page;

  if (!save->synthetic || pfn == 0)
    return save->helper->memory + pfn * SIM_PAGE;
  page = save->synthetic + (gsize)i * SIM_PAGE;
  synthetic_stamp (page, pfn);
  return page;
}

static int
flush_batch (Save *save)
{
  struct iovec vector[4 + STREAM_BATCH];
  guint32 count[2] = { save->n, 0 };
  StreamRecord record;
  int rc;

  if (save->n == 0)
    return 0;
  record.type = GUINT32_TO_LE (LIBXC_PAGE_DATA);
  record.length = GUINT32_TO_LE (8 + 8 * save->n + SIM_PAGE * save->n);
  vector[0] = (struct iovec){ &record, sizeof (record) };
  vector[1] = (struct iovec){ count, sizeof (count) };
  vector[2] = (struct iovec){ save->entries, 8 * save->n };
  for (guint i = 0; i < save->n; i++)
    vector[3 + i] = (struct iovec){ batch_page (save, i), SIM_PAGE };
  rc = write_vector (save, vector, 3 + save->n);
  save->done += save->n;
  save->n = 0;
  return rc;
}

/* Reports as libxc does: passes are numbered from 0, and only if the guest keeps running. */
static void
report_progress (Save *save)
{
  g_autofree char *number = save->helper->live ? g_strdup_printf (" iteration %u", save->passes - 1) : g_strdup ("");

  helper_report (save->helper, "progress %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " Frames%s\n", save->done,
                 save->total, number);
}

static void
report_stage (Save *save, const char *stage)
{
  helper_report (save->helper, "progress 0 0 %s\n", stage);
}

static int
send_page (Save *save, guint64 pfn)
{
  int rc;

  save->entries[save->n++] = pfn;
  if (save->n < STREAM_BATCH)
    return 0;
  rc = flush_batch (save);
  if (save->done % REPORT_PAGES == 0)
    report_progress (save);
  return rc;
}

static void
begin_pass (Save *save, guint64 total)
{
  save->passes++;
  save->done = 0;
  save->total = total;
  report_progress (save);
}

static int
end_pass (Save *save, int rc)
{
  if (rc == 0)
    rc = flush_batch (save);
  if (rc == 0)
    report_progress (save);
  return rc;
}

static gboolean
is_pv (Helper *helper)
{
  return helper->block->type == LIBXL_DOMAIN_TYPE_PV;
}

static int
send_all (Save *save)
{
  guint64 pages = save->helper->block->n_pages;
  int rc = 0;

  begin_pass (save, is_pv (save->helper) ? pages : MAX (pages, HVM_PFNS));
  for (guint64 pfn = 0; rc == 0 && pfn < pages; pfn++)
    rc = send_page (save, pfn);
  if (rc == 0)
    rc = flush_batch (save);
  while (rc == 0 && save->done + REPORT_PAGES < save->total) {
    save->done += REPORT_PAGES;
    report_progress (save);
  }
  save->done = rc == 0 ? save->total : save->done;
  return end_pass (save, rc);
}

/* Adds the pages that are dirty now to @bitmap and clears their bits in the same step. Returns the pages in @bitmap. */
static guint64
take_dirty (SimBlock *block, guint64 *bitmap)
{
  guint64 count = 0;

  for (guint64 i = 0; i < (block->n_pages + 63) / 64; i++) {
    bitmap[i] |= atomic_exchange (&block->dirty[i], 0);
    count += __builtin_popcountll (bitmap[i]);
  }
  return count;
}

/* Sends the pages in @bitmap, and empties it. */
static int
send_dirty (Save *save, guint64 *bitmap)
{
  guint64 words = (save->helper->block->n_pages + 63) / 64, count = 0;
  int rc = 0;

  for (guint64 i = 0; i < words; i++)
    count += __builtin_popcountll (bitmap[i]);
  begin_pass (save, count);
  for (guint64 i = 0; rc == 0 && i < words; i++) {
    for (guint64 bits = bitmap[i]; rc == 0 && bits; bits &= bits - 1)
      rc = send_page (save, i * 64 + __builtin_ctzll (bits));
    bitmap[i] = 0;
  }
  return end_pass (save, rc);
}

/* ---- the suspend ------------------------------------------------------------------------------------------ */

static int
suspend (Helper *helper)
{
  SimBlock *block = helper->block;
  int rc;
  gint64 until = g_get_monotonic_time ()
                 + host_control_number (helper->dir, helper->name, "suspend-timeout-ms", 60000) * 1000;

  helper_report (helper, "asking\n");
  block->ask = SIM_ASK_SUSPEND;
  host_kick (block);
  while (block->state == SIM_RUNNING) {
    if (g_get_monotonic_time () > until) {
      /* A request that the guest has acknowledged cannot be withdrawn. */
      if (block->ask == SIM_ASK_NOTHING)
        helper_report (helper, "acknowledged\n");
      rc = block->ask == SIM_ASK_NOTHING ? ERROR_FAIL : ERROR_GUEST_TIMEDOUT;
      block->ask = SIM_ASK_NOTHING;
      return rc;
    }
    g_usleep (200);
  }
  if (block->state != SIM_SUSPENDED)
    return ERROR_FAIL; /* it shut down instead */
  helper_report (helper, "suspended\n");
  helper_trace_hash (helper, "suspended");
  return 0;
}

/* The pages that are dirty now; their bits stay. */
static gint64
count_dirty (gpointer data)
{
  SimBlock *block = data;
  gint64 count = 0;

  for (guint64 i = 0; i < (block->n_pages + 63) / 64; i++)
    count += __builtin_popcountll (atomic_load (&block->dirty[i]));
  return count;
}

/* @passes: complete ones. @dirty: the pages of the pass that would begin; -1: a pass has ended. */
static XfPolicyDecision
ask (Save *save, guint passes, gint64 dirty)
{
  static const XfPolicyLimits none;

  if (save->goal)
    return xf_goal_decide (save->goal, passes, dirty, count_dirty, save->helper->block);
  return dirty < 0 ? xf_policy_after_pass (&save->policy, &none, passes, -1)
                   : xf_policy_before_pass (&save->policy, &none, passes, (guint64)dirty);
}

/* In libxc's order: a pass is sent whatever the answer before it is. */
static int
live_passes (Save *save, guint64 *bitmap)
{
  Helper *helper = save->helper;
  int rc = helper_point (helper, "save-first-round");
  guint64 dirty = helper->block->n_pages;
  XfPolicyDecision decision = XF_POLICY_CONTINUE;
  guint passes = 0; /* those without a page too */

  while (rc == 0) {
    decision = ask (save, passes++, (gint64)dirty);
    rc = save->passes == 0 ? send_all (save) : dirty > 0 ? send_dirty (save, bitmap) : 0;
    if (rc != 0 || decision != XF_POLICY_CONTINUE)
      break;
    decision = ask (save, passes, -1);
    if (decision != XF_POLICY_CONTINUE)
      break;
    rc = helper_point (helper, "save-live-round");
    if (rc == 0)
      dirty = take_dirty (helper->block, bitmap);
  }
  if (rc == 0 && decision == XF_POLICY_ABORT)
    return ERROR_FAIL;
  return rc;
}

static int
last_pass (Save *save, guint64 *bitmap)
{
  Helper *helper = save->helper;
  int rc = helper_point (helper, "save-before-suspend");

  if (rc == 0)
    rc = suspend (helper);
  if (rc == 0)
    report_stage (save, "Domain now suspended");
  if (rc == 0)
    rc = helper_point (helper, "save-suspended");
  if (rc == 0 && helper->live) {
    (void)take_dirty (helper->block, bitmap);
    rc = send_dirty (save, bitmap);
  } else if (rc == 0) {
    rc = send_all (save);
  }
  return rc == 0 ? helper_point (helper, "save-last-round") : rc;
}

/* ---- records ---------------------------------------------------------------------------------------------- */

static int
write_headers (Save *save)
{
  StreamLibxlHeader libxl = { GUINT64_TO_BE (STREAM_IDENT), GUINT32_TO_BE (STREAM_LIBXL_VERSION), 0 };
  StreamLibxcHeader libxc = {
    .marker = STREAM_LIBXC_MARKER,
    .id = GUINT32_TO_BE (STREAM_LIBXC_ID),
    .version = GUINT32_TO_BE (STREAM_LIBXC_VERSION),
  };
  StreamDomainHeader domain = {
    .type = GUINT32_TO_LE (is_pv (save->helper) ? 1 : 2),
    .page_shift = GUINT16_TO_LE (12),
    .xen_major = GUINT32_TO_LE (4),
    .xen_minor = GUINT32_TO_LE (17),
  };
  int rc = write_bytes (save, &libxl, sizeof (libxl));

  if (rc == 0)
    rc = write_record (save, LIBXL_LIBXC_CONTEXT, NULL, 0);
  if (rc == 0)
    rc = write_bytes (save, &libxc, sizeof (libxc));
  return rc == 0 ? write_bytes (save, &domain, sizeof (domain)) : rc;
}

/* The records before any page. The policies have the shape of real ones: leaves of 24 bytes, entries of 16. */
static int
write_static (Save *save)
{
  guint32 leaves[6] = { 0, 0xffffffff, 0xd, 0x756e6547, 0x6c65746e, 0x49656e69 };
  guint32 msrs[4] = { 0xce, 0, 0, 0 };
  guint8 pv_info[8] = { 8, 4 };
  int rc = is_pv (save->helper) ? write_record (save, LIBXC_X86_PV_INFO, pv_info, sizeof (pv_info)) : 0;

  if (rc == 0)
    rc = write_record (save, LIBXC_X86_CPUID_POLICY, leaves, sizeof (leaves));
  if (rc == 0)
    rc = write_record (save, LIBXC_X86_MSR_POLICY, msrs, sizeof (msrs));
  return rc == 0 ? write_record (save, LIBXC_STATIC_DATA_END, NULL, 0) : rc;
}

static int
write_p2m (Save *save)
{
  guint64 frames = (save->helper->block->n_pages + 511) / 512;
  gsize size = 8 + 8 * frames;
  g_autofree guint32 *body = g_malloc0 (size);

  if (!is_pv (save->helper))
    return 0;
  body[1] = save->helper->block->n_pages - 1;
  return write_record (save, LIBXC_X86_PV_P2M_FRAMES, body, size);
}

static int
write_state (Save *save)
{
  static const guint8 blob[4096];
  guint32 tsc[6] = { 0, 2000000, 0, 0, 0, 0 };
  guint32 params[2] = { 0, 0 };
  guint8 vcpu[8 + 64] = { 0 };
  int rc = write_record (save, LIBXC_X86_TSC_INFO, tsc, sizeof (tsc));

  if (is_pv (save->helper)) {
    if (rc == 0)
      rc = write_record (save, LIBXC_SHARED_INFO, blob, sizeof (blob));
    for (guint32 i = 0; rc == 0 && i < save->helper->block->vcpus; i++) {
      memcpy (vcpu, &i, sizeof (i));
      rc = write_record (save, LIBXC_X86_PV_VCPU_BASIC, vcpu, sizeof (vcpu));
    }
  } else {
    if (rc == 0)
      rc = write_record (save, LIBXC_HVM_CONTEXT, blob, 2504);
    if (rc == 0)
      rc = write_record (save, LIBXC_HVM_PARAMS, params, sizeof (params));
  }
  return rc == 0 ? write_record (save, LIBXC_END, NULL, 0) : rc;
}

static int
write_end (Save *save)
{
  /* id of the upstream device model, index, then the first bytes of QEMU's state. */
  static const guint8 emulator[] = { 2, 0, 0, 0, 0, 0, 0, 0, 'Q', 'E', 'V', 'M', 0, 0, 0, 3 };
  int rc = helper_point (save->helper, "save-end");

  if (rc == 0 && save->helper->block->type == LIBXL_DOMAIN_TYPE_HVM)
    rc = write_record (save, LIBXL_EMULATOR_CONTEXT, emulator, sizeof (emulator));
  return rc == 0 ? write_record (save, LIBXL_END, NULL, 0) : rc;
}

int
helper_save (Helper *helper)
{
  g_autofree guint64 *bitmap = g_new0 (guint64, (helper->block->n_pages + 63) / 64);
  Save save = { .helper = helper, .started_us = g_get_monotonic_time () };
  int rc;

  report_stage (&save, "Start of stream");
  rc = helper_point (helper, "save-start");
  if (helper->synthetic)
    save.synthetic = synthetic_new (STREAM_BATCH, host_control_number (helper->dir, helper->name, "fill-percent", 25));
  save.rate = host_control_number (helper->dir, helper->name, "rate-mib", 0) * 1024 * 1024;
  if (helper->live) {
    save.goal = g_getenv (XF_GOAL_ENVIRONMENT) ? xf_goal_open (g_getenv (XF_GOAL_ENVIRONMENT), helper->domid) : NULL;
    (void)take_dirty (helper->block, bitmap);
    memset (bitmap, 0, (helper->block->n_pages + 63) / 64 * sizeof (*bitmap));
    helper->block->log_dirty = 1;
  }
  if (rc == 0)
    rc = write_headers (&save);
  if (rc == 0)
    rc = write_static (&save);
  if (rc == 0)
    rc = write_p2m (&save);
  if (rc == 0 && helper->live)
    rc = live_passes (&save, bitmap);
  if (rc == 0)
    rc = last_pass (&save, bitmap);
  if (rc == 0)
    rc = write_state (&save);
  if (rc == 0) {
    report_stage (&save, "End of stream");
    report_stage (&save, "Complete");
    rc = write_end (&save);
  }
  helper->block->log_dirty = 0;
  xf_goal_free (save.goal);
  g_free (save.synthetic);
  return rc;
}
