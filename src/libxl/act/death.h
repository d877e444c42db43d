/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The end of guests that nobody here asked for: libxl's events that a domain has shut down, crashed, asked for a
 * reboot, or vanished, and what the guest's on_poweroff, on_reboot and on_crash say about it.
 */
#pragma once

#include <libxl.h>

#include "libxl/guest/guest.h"

/* Hooks the driver's context, and lets go of it. */
void xf_death_start (XfDriver *driver);
void xf_death_stop (XfDriver *driver);

/* What the look of each second shows of a guest: taken over, or acted upon, as if libxl had told it. NULL: nothing. The
 * guest may be gone afterwards. */
void xf_death_compare (XfGuest *guest, const libxl_dominfo *info);

/* How a guest that a job has has ended meanwhile, in a sentence; NULL: it has not. */
const char *xf_death_how (const XfGuest *guest);
