/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The end of guests that nobody here asked for: libxl's events that a domain has shut down, crashed, asked for a
 * reboot, or vanished, and what the guest's on_poweroff, on_reboot and on_crash say about it.
 */
#pragma once

#include "libxl/guest.h"

/* Hooks the driver's context, and lets go of it. */
void xf_death_start (XfDriver *driver);
void xf_death_stop (XfDriver *driver);

void xf_death_watch (XfGuest *guest);
void xf_death_unwatch (XfGuest *guest);
