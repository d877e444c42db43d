/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Shared by guard.c (headers, records, padding) and guard_records.c (the rules for each record).
 */
#pragma once

#include "pump/guard.h"

typedef enum {
  AT_LIBXL_HEADER,
  AT_LIBXL_RECORD,
  AT_LIBXC_HEADER,
  AT_DOMAIN_HEADER,
  AT_LIBXC_RECORD,
  AT_PREFIX,    /* the part of a record's body that is checked */
  AT_PAGE_LIST, /* page numbers of a PAGE_DATA record */
  AT_BODY,      /* the part of a body that is not checked */
  AT_PADDING,
  AT_DONE,
} XfGuardAt;

typedef enum { IN_STATIC, IN_MEMORY, IN_STATE } XfGuardPhase; /* of libxc's image; only forward */

typedef struct XfGuardRecord XfGuardRecord;

struct XfGuard {
  XfGuardLimits limits;
  XfGuardCounts counts;
  XfGuardAt at;
  guint64 want; /* missing bytes of this piece */
  const XfGuardRecord *record;
  guint32 type, length;
  guint64 body_left; /* bytes of the body after the checked pieces */
  gboolean in_libxc; /* the current records are libxc's */
  gboolean image_done;
  XfGuardPhase phase;
  gboolean pv;
  guint32 seen, libxl_seen; /* bits by record number */
  guint pv_width;           /* bytes of a PV guest's word */
  guint64 pfn_limit;        /* page numbers must be below it */
  guint64 last_pfn;
  guint32 page_count; /* of the current record */
};

struct XfGuardRecord {
  const char *name;
  guint32 type, min, max;
  guint32 base, multiple; /* the length is base plus a multiple of this; 0: any length */
  guint32 prefix;         /* bytes for check(), G_MAXUINT32 for all */
  guint flags;
  /* @data: MIN (prefix, length) bytes */
  gboolean (*check) (XfGuard *guard, const guint8 *data, gsize size, GError **error);
};

enum {
  RECORD_ONCE = 1 << 0,
  RECORD_PV = 1 << 1,
  RECORD_HVM = 1 << 2,
  RECORD_STATIC = 1 << 3, /* the phase of the record; no flag: any phase */
  RECORD_MEMORY = 1 << 4,
  RECORD_STATE = 1 << 5,
  RECORD_REFUSED = 1 << 6,
};

guint32 xf_guard_u32 (const guint8 *data);
guint64 xf_guard_u64 (const guint8 *data);

/* Sets XF_ERROR_INVALID_STREAM, with the position in the stream. Returns FALSE. */
gboolean xf_guard_fail (const XfGuard *guard, GError **error, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* Finds the row for guard->type and guard->length, and checks everything that the record's header says. */
gboolean xf_guard_record_begin (XfGuard *guard, GError **error);
gboolean xf_guard_pages_check (XfGuard *guard, const guint8 *list, GError **error);
