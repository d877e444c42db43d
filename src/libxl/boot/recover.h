/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * At the start of the daemon: combines the journal with Xen's state. docs/exactly-once.md has the table in prose.
 */
#pragma once

#include "libxl/guest/driver_private.h"

/* Goes through the journal, once, when all guests are known. Blocks in libxl: clients are not served yet. */
void xf_recover (XfDriver *driver);
