/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * After a start: what the journal says and what Xen shows, put together. docs/exactly-once.md has the table in prose.
 */
#pragma once

#include "libxl/guest/driver_private.h"

/* Goes through the journal, once, when all guests are known. libxl is waited for here: nobody is served yet. */
void xf_recover (XfDriver *driver);
