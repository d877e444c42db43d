/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Guests that ran before the daemon did: those it knew, by their status files, and those that others started, by
 * what libxl says of them.
 */
#pragma once

#include <libxl.h>

#include "driver.h"

gboolean xf_find_running (XfDriver *driver, GError **error);

/* Takes a running domain that another toolstack started into the registry, as @config describes it. FALSE, with a
 * warning, when it cannot be one of our guests. */
gboolean xf_find_adopt (XfDriver *driver, const libxl_dominfo *info, const libxl_domain_config *config);
