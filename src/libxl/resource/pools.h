/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The CPU pools of this host.
 */
#pragma once

#include <libxl.h>

#include "libxl/guest/driver_private.h"

/* The CPUs of the pool @name (its name or number; NULL: the first), into @cpus_out, the caller's. FALSE: there is no
 * such pool. */
gboolean xf_pool_cpus (XfDriver *driver, const char *name, libxl_bitmap *cpus_out);
