/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Guests that ran before the daemon started: those that the last daemon knew, from their status files, and those that
 * another toolstack started, from libxl's configuration.
 */
#pragma once

#include <libxl.h>

#include "driver.h"

gboolean xf_find_running (XfDriver *driver, GError **error);

/* Takes a running domain that another toolstack started into the registry, with the definition made from @config.
 * FALSE, with a warning, if it cannot be a guest here. */
gboolean xf_find_adopt (XfDriver *driver, const libxl_dominfo *info, const libxl_domain_config *config);
