/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Starting, stopping, pausing: the short jobs. The functions for clients are in driver.h.
 */
#pragma once

#include "libxl/guest/guest.h"

/* The guest has shut itself down: its domain is destroyed, then it is gone, with that STOPPED event. @dump: its memory
 * is written to a file before; a dump that fails stops nothing. */
void xf_lifecycle_clean_up (XfGuest *guest, gboolean dump, int shutoff_reason, int stopped_detail);

/* The same, and then started again as it ran. @how: one of the actions that restart; XF_ACTION_RENAME_RESTART keeps the
 * ended domain, under another name. */
void xf_lifecycle_restart (XfGuest *guest, XfAction how);
