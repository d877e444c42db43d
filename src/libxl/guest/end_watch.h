/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libxl's events of the end of a guest's domain. libxl reports one shutdown to each watch, and a suspend is one: after
 * it the watch is renewed.
 */
#pragma once

#include "libxl/guest/guest.h"

/* Begins, or renews, the watch. death.c gets the events. */
void xf_end_watch (XfGuest *guest);
void xf_end_unwatch (XfGuest *guest);
