/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Guests that another toolstack (xl) starts while the daemon runs. libxl tells of deaths, not of births: once a second
 * the domains Xen has are compared with the guests we know, which costs one hypercall. A new one that runs is looked at
 * without waiting, and becomes a guest like any other.
 */
#pragma once

#include "driver.h"

typedef struct XfDiscover XfDiscover;

XfDiscover *xf_discover_new (XfDriver *driver);
void xf_discover_free (XfDiscover *discover);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfDiscover, xf_discover_free)
