/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tells a destination what a person has decided at the source and what has been carried out there: a destination whose
 * host was booted in `unpausing` waits for nothing else. It is told after 1, 2, 4 … 30 seconds again until it answers,
 * for as long as this daemon lives; after that the destination waits for a decision of its own.
 */
#pragma once

#include "libxl/guest/driver_private.h"
#include "libxl/journal/journal.h"

/* @entry: the source's; one that says nowhere to ask is told nothing. @here: the guest runs here, else it is gone from
 * here. The object frees itself. */
void xf_telling_start (XfDriver *driver, const XfJournalEntry *entry, gboolean here);

/* The daemon ends. */
void xf_tellings_free (XfDriver *driver);
