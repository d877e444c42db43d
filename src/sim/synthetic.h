/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory that is not kept: with synthetic=1 in the control file the pages of a guest, all but its own state, are made
 * up when they are saved and only looked at when they are restored. For benchmarks: page faults of real memory would
 * cost more than what is measured. Each page carries its number, so that one that came wrong, or not at all, is
 * noticed.
 */
#pragma once

#include "sim/host.h"

/* In the page that goes as @pfn. */
void synthetic_stamp (guint8 *page, guint64 pfn);
gboolean synthetic_is (const guint8 *page, guint64 pfn);

/* @pages pages to be stamped, @percent of them with contents that do not compress, the others zero. */
guint8 *synthetic_new (guint pages, guint percent);
