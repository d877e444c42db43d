/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What ends for every migration at once: its client's connection (xf_driver_client_gone()), or the daemon.
 */
#pragma once

#include "libxl/guest/guest.h"

/* The daemon ends: every migration here is told to stop, and rolls back, or is left to the journal. */
void xf_migrations_end (XfDriver *driver);
