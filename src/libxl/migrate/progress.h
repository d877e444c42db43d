/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How far a migration is, in real numbers: libxl reports "this pass, so many pages of so many" through its logger,
 * the transport knows the bytes it has sent. Everything that virsh shows (domjobinfo, --verbose, the completed
 * statistics, the events) is computed here, from one struct, so that it never disagrees with itself.
 */
#pragma once

#include "driver.h"

#define XF_MIGRATE_PAGE_SIZE 4096

typedef struct {
  gint64 started_us;   /* monotonic, as all times here; 0: has not happened */
  gint64 sending_us;   /* the first byte could flow: what was before is set-up time */
  gint64 suspended_us; /* the guest stopped on this host */
  gint64 resumed_us;   /* it runs again, there or here */
  gint64 ended_us;
  guint64 memory_bytes;          /* of the guest: what the first pass is about */
  char *pass;                    /* libxl's own word for the pass under way */
  guint iteration;               /* 1: the first pass */
  gint64 pass_us;                /* since when */
  guint64 pass_done, pass_total; /* pages */
  guint64 pages_before;          /* sent in the passes before this one */
  guint64 dirty_rate;            /* pages a second, over the last whole pass */
  guint64 bytes;                 /* on the wire */
  guint64 content;               /* of libxl's stream, that these were made of; 0: the same */
} XfMigrateProgress;

void xf_migrate_progress_init (XfMigrateProgress *progress, guint64 memory_bytes);
void xf_migrate_progress_clear (XfMigrateProgress *progress);

/* What libxl's progress hook said. TRUE when this begins another pass. */
gboolean xf_migrate_progress_report (XfMigrateProgress *progress, const char *what, unsigned long done,
                                     unsigned long total);

/* Bytes of the guest a second since the transfer began. */
guint64 xf_migrate_progress_rate (const XfMigrateProgress *progress);

/* Pages sent in all passes together. */
guint64 xf_migrate_progress_pages (const XfMigrateProgress *progress);

void xf_migrate_progress_info (const XfMigrateProgress *progress, XfJobInfo *info_out);

/* Appends the statistics, under libvirt's names. @operation: virDomainJobOperation. */
void xf_migrate_progress_stats (const XfMigrateProgress *progress, int operation, XfTypedParams *params);
