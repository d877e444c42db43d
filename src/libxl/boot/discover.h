/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Guests that another toolstack (xl) starts while the daemon runs. libxl reports the end of domains but not their
 * start: once a second Xen's domains are compared with the known guests, which costs one hypercall. A new domain that
 * runs is examined without blocking, and becomes a guest like any other.
 */
#pragma once

#include "driver.h"

typedef struct XfDiscover XfDiscover;

XfDiscover *xf_discover_new (XfDriver *driver);
void xf_discover_free (XfDiscover *discover);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfDiscover, xf_discover_free)
