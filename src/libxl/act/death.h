/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The end of guests without a request to this daemon: libxl's events that a domain has shut down, crashed, asked for
 * a reboot, or vanished, and the actions of the guest's on_poweroff, on_reboot and on_crash.
 */
#pragma once

#include <libxl.h>

#include "libxl/guest/guest.h"

/* Start and stop: sets and clears the event function of the driver's context. */
void xf_death_start (XfDriver *driver);
void xf_death_stop (XfDriver *driver);

/* Adopts or acts on the state that the check of each second has found, like an event of libxl. @info NULL: there is
 * no such domain. The guest may be freed. */
void xf_death_compare (XfGuest *guest, const libxl_dominfo *info);

/* A sentence that says how the guest has ended during its job; NULL: it has not. */
const char *xf_death_how (const XfGuest *guest);
