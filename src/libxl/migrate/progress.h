/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The progress of a migration in real numbers. libxl reports "this pass, so many pages of so many" through its
 * logger; the transport knows the bytes it has sent. Everything that virsh shows (domjobinfo, --verbose, the
 * completed statistics, the events) is computed here, from one struct, so that the values never contradict each
 * other.
 */
#pragma once

#include "driver.h"

#define XF_MIGRATE_PAGE_SIZE 4096

typedef struct {
  gint64 started_us;   /* monotonic, as all times here; 0: not yet */
  gint64 sending_us;   /* the start of the transfer: the time before is set-up time */
  gint64 suspended_us; /* the guest stopped on the source */
  gint64 resumed_us;   /* it runs again, on either host */
  gint64 ended_us;
  guint64 memory_bytes;          /* the guest's memory, which the first pass sends */
  char *pass;                    /* libxl's name of the present pass */
  guint iteration;               /* 1: the first pass */
  gint64 pass_us;                /* the start of the pass */
  guint64 pass_done, pass_total; /* pages */
  guint64 pages_before;          /* sent in earlier passes */
  guint64 dirty_rate;            /* pages a second, during the last complete pass */
  guint64 bytes;                 /* on the wire */
  guint64 content;               /* the bytes of libxl's stream in these; 0: the same number */
  gint64 sample_us;              /* the last measurement of the rate: when, and content then */
  guint64 sample_content;
  guint64 recent_rate; /* between the last two measurements; 0: no two yet */
  guint64 expected_ms; /* what the last pass would take now; 0: not known */
} XfMigrateProgress;

void xf_migrate_progress_init (XfMigrateProgress *progress, guint64 memory_bytes);
void xf_migrate_progress_clear (XfMigrateProgress *progress);

/* Takes a report of libxl's progress hook. TRUE if it begins another pass. */
gboolean xf_migrate_progress_report (XfMigrateProgress *progress, const char *what, unsigned long done,
                                     unsigned long total);

/* Bytes of the guest per second, of the last half second or more, so that a change of the limit or of the line shows
 * soon. Takes a measurement if one is due; bytes and content are up to date. */
guint64 xf_migrate_progress_recent_rate (XfMigrateProgress *progress);

/* Pages sent in all passes together. */
guint64 xf_migrate_progress_pages (const XfMigrateProgress *progress);

void xf_migrate_progress_info (const XfMigrateProgress *progress, XfJobInfo *info_out);

/* Appends the statistics, under libvirt's names. @operation: virDomainJobOperation. */
void xf_migrate_progress_stats (const XfMigrateProgress *progress, int operation, XfTypedParams *params);
