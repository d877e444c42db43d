/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Applies the administrator's changes to a configuration that holds more than domain XML can express.
 */
#pragma once

#include "conf/domain_def.h"

/* Merges three configurations in libxl's JSON. @known and @wanted are made from domain XML: the guest's present one,
 * and the one wanted at the destination. Where @wanted differs from @known, the result has the value of @wanted;
 * everywhere else it has the value of @exact, including fields that domain XML cannot express. Devices are compared
 * one by one if all three have the same number of them; otherwise the whole list is taken from the changed text. The
 * caller frees the string. NULL if one of the three is not JSON. */
char *xf_config_merge (const char *exact, const char *known, const char *wanted, GError **error);

/* The same for two definitions, from which @known and @wanted are made. Errors: as above, and those of
 * xf_config_from_def(). */
char *xf_config_merge_defs (const char *exact, const XfDomainDef *known, const XfDomainDef *wanted, GError **error);
