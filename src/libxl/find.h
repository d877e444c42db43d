/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Guests that ran before the daemon did: those it knew, by their status files, and those that others started, by
 * what libxl says of them.
 */
#pragma once

#include "driver.h"

void xf_find_running (XfDriver *driver);
