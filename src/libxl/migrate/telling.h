/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reports an administrator's decision at the source, once it was carried out, to the destination: a destination whose
 * host was booted in `unpausing` waits for that report alone. The report is repeated after 1, 2, 4 … 30 seconds until
 * the destination answers, for as long as this daemon lives; otherwise the destination waits for a decision of its
 * own.
 *
 * If the answer is that the guest runs there, while it runs here, both hosts show the conflict (record.h), and the
 * report is repeated until the guest has ended on one of them. A guest that has ended here is not reported: the
 * destination is only asked, and so learns that the conflict is over.
 */
#pragma once

#include "libxl/guest/driver_private.h"
#include "libxl/journal/journal.h"

/* @entry: the source's; without a URI to ask, nothing is reported. @here: the guest runs here, else it is gone from
 * here. The object frees itself. */
void xf_telling_start (XfDriver *driver, const XfJournalEntry *entry, gboolean here);

/* The daemon ends. */
void xf_tellings_free (XfDriver *driver);
