/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Autostart, once per boot of the host (xf_driver_autostart()). A guest that may run on another host is not started;
 * one whose migration asks that host is looked at again each second, until the answer is there.
 */
#pragma once

#include "libxl/guest/driver_private.h"

/* The daemon ends: what still waits is not started. */
void xf_autostart_stop (XfDriver *driver);
