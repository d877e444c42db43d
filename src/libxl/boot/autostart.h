/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Autostart, once per boot of the host (xf_driver_autostart()). A guest that may run on another host is not started.
 * If its migration is asking that host, the guest is checked again each second, until the answer is there.
 */
#pragma once

#include "libxl/guest/driver_private.h"

/* The daemon ends: guests that still wait are not started. */
void xf_autostart_stop (XfDriver *driver);
