/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a guest is started again with after its own end: the configuration that libxl had of the ended domain. Disks,
 * interfaces and settings that were changed while it ran are in it, and so is all that domain XML cannot express.
 */
#pragma once

#include "libxl/operation.h"

/* Reads it into the operation's configuration, then calls @next. When libxl cannot say it there is a warning, the
 * operation stays without a configuration, and the definition is what remains. */
void xf_restart_remember (XfOperation *operation, void (*next) (XfOperation *operation));
