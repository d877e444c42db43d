/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Calls that are too long for one turn of the loop. Their work is divided into steps. All such calls of all clients
 * together get XF_SLICE_US of each turn, in rounds, one step per call. A step must be short: one guest.
 */
#pragma once

#include "remote/remote_private.h"

#define XF_SLICE_US 5000

/* One step; TRUE when it was the last and the call has been answered. */
typedef gboolean (*XfSliceStep) (gpointer data);

/* @free_data frees @data after the last step; if the server ends before that, it also answers the call. */
void xf_slices_add (XfRemote *remote, XfSliceStep step, GDestroyNotify free_data, gpointer data);

/* Drops all calls. */
void xf_slices_clear (XfRemote *remote);
