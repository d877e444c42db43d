/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the last daemon had taken for a guest that did not arrive: its journal names the resources.
 */
#pragma once

#include "libxl/guest/driver_private.h"

/* Gives back what @entry, a destination's end, may hold. @done is called once, from the loop or at once, and never
 * after xf_leftovers_free(); then the entry's resources are those that could not be given back. */
void xf_leftover_give_back (XfDriver *driver, XfJournalEntry *entry, XfDone done, gpointer data);

/* TRUE if that is under way for @entry. */
gboolean xf_leftover_has (XfDriver *driver, const XfJournalEntry *entry);

/* The daemon ends: the next one continues. */
void xf_leftovers_free (XfDriver *driver);
