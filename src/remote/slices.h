/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Calls that are too long for one turn of the loop: their work is cut into steps, and all such calls of all clients
 * together have XF_SLICE_US of each turn, in rounds, one step a call. A step of the caller's is short: one guest.
 */
#pragma once

#include "remote/remote_private.h"

#define XF_SLICE_US 5000

/* One step; TRUE when it was the last and the call has been answered. */
typedef gboolean (*XfSliceStep) (gpointer data);

/* @free frees @data after the last step; or before it, when the server ends: it answers the call then. */
void xf_slices_add (XfRemote *remote, XfSliceStep step, GDestroyNotify free_data, gpointer data);

/* Drops all of them. */
void xf_slices_clear (XfRemote *remote);
