/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory that is not stored: with synthetic=1 in the control file the pages of a guest, except its own state, are
 * generated when they are saved and only checked when they are restored. For benchmarks: page faults of real memory
 * would cost more than the code that is measured. Each page carries its number, so a wrong or missing page is found.
 */
#pragma once

#include "sim/host.h"

/* Marks @page as page @pfn. */
void synthetic_stamp (guint8 *page, guint64 pfn);
gboolean synthetic_is (const guint8 *page, guint64 pfn);

/* @pages pages to be marked, @percent of them with contents that do not compress, the others zero. */
guint8 *synthetic_new (guint pages, guint percent);
