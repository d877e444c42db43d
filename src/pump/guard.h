/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The guard checks a migration stream from a peer, and refuses it at the first byte that libxl's restore code, which
 * runs as root, should not read. It does no I/O and stores at most one list of page numbers. It says how many bytes it
 * needs next and whether it must see them, so that page data can be spliced past it.
 *
 *   header ─► LIBXC_CONTEXT ─► [libxc: headers ─► static data ─► memory ─► state ─► END] ─► emulator ─► END ─► done
 *
 * Order: new; then xf_guard_want() and, depending on its result, xf_guard_check() or xf_guard_passed(), until
 * XF_GUARD_DONE. Bytes of XF_GUARD_CHECK may be passed on only after xf_guard_check() has returned TRUE. After an error
 * nothing may be passed on.
 */
#pragma once

#include <glib.h>

typedef enum { XF_GUARD_ANY, XF_GUARD_PV, XF_GUARD_HVM } XfGuardGuest; /* the stream treats PVH as HVM */

/* The longest piece to check: a full list of page numbers. */
#define XF_GUARD_PAGES_MAX 16384
#define XF_GUARD_PIECE_MAX (XF_GUARD_PAGES_MAX * 8)

typedef struct {
  XfGuardGuest guest;
  guint64 max_pages;    /* of 4 KiB: the largest memory of the guest */
  guint vcpus;          /* the largest number; 0: unknown, at most 8192 */
  guint64 total_max;    /* bytes of the whole stream; 0: no limit */
  guint32 emulator_max; /* bytes of the device model's state; 0: 256 MiB */
} XfGuardLimits;

typedef struct {
  guint64 bytes, records, optional;
  guint64 pages;      /* entries of page lists, holes too */
  guint64 data_pages; /* those with data */
  guint64 passes;     /* begun passes; a page number not above the previous one begins a pass */
} XfGuardCounts;

typedef enum {
  XF_GUARD_CHECK, /* give exactly that many bytes to xf_guard_check() */
  XF_GUARD_PASS,  /* up to that many bytes may pass unread; then call xf_guard_passed() */
  XF_GUARD_DONE,  /* the stream is complete: no byte may follow */
} XfGuardWant;

typedef struct XfGuard XfGuard;

XfGuard *xf_guard_new (const XfGuardLimits *limits);
void xf_guard_free (XfGuard *guard);

/* @length_out: 1 to XF_GUARD_PIECE_MAX for CHECK, any for PASS, 0 for DONE. */
XfGuardWant xf_guard_want (const XfGuard *guard, guint64 *length_out);

/* TRUE when the current piece completes the stream: the last moment to look for bytes after the end. */
gboolean xf_guard_is_last (const XfGuard *guard);

/* @data: as many bytes as xf_guard_want() said. FALSE with XF_ERROR_INVALID_STREAM, which names record, field and
 * offset. */
gboolean xf_guard_check (XfGuard *guard, const guint8 *data, GError **error);

void xf_guard_passed (XfGuard *guard, guint64 length);

/* The error for a stream that ends at this point; NULL when it is complete. */
GError *xf_guard_cut_short (const XfGuard *guard);

const XfGuardCounts *xf_guard_counts (const XfGuard *guard);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfGuard, xf_guard_free)
