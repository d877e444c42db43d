/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Start, stop and pause: the short jobs. driver.h declares the functions for clients.
 */
#pragma once

#include "libxl/guest/guest.h"

/* Cleans up after a guest that has shut itself down: destroys its domain, then reports it as gone, with that STOPPED
 * event. @dump: its memory is written to a file first; a failed dump does not stop the rest. */
void xf_lifecycle_clean_up (XfGuest *guest, gboolean dump, int shutoff_reason, int stopped_detail);

/* The same, then starts the guest again with its last configuration. @how: one of the actions that restart;
 * XF_ACTION_RENAME_RESTART keeps the ended domain under another name. */
void xf_lifecycle_restart (XfGuest *guest, XfAction how);
