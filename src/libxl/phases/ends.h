/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ends for all migrations at once: a client's connection has ended (xf_driver_client_gone()), or the daemon ends.
 */
#pragma once

#include "libxl/guest/guest.h"

/* The daemon ends: stops every migration here. Each rolls back, or is left to the journal. */
void xf_migrations_end (XfDriver *driver);
