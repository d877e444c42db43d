/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Changes what a person asked to change in a configuration that says more than domain XML can.
 */
#pragma once

#include <glib.h>

/* Three configurations in libxl's JSON. Where @wanted differs from @known (two that come from domain XML: as it is, and
 * as a person wants it at the destination), the result has what @wanted says; everywhere else it has what @exact says,
 * fields that no domain XML knows among it. Devices are compared one by one when there are as many in all three;
 * otherwise the whole list is taken from where it changed. The caller's string; NULL when one of them is no JSON. */
char *xf_config_merge (const char *exact, const char *known, const char *wanted, GError **error);
