/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libxl's events for the end of a guest's domain. libxl reports one shutdown to each watch, and a suspend counts as a
 * shutdown: after it the watch is renewed.
 */
#pragma once

#include "libxl/guest/guest.h"

/* Starts or renews the watch. death.c gets the events. */
void xf_end_watch (XfGuest *guest);
void xf_end_unwatch (XfGuest *guest);
