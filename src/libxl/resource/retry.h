/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * After a migration: best-effort resources whose commit has failed are tried again while the guest runs.
 */
#pragma once

#include "libxl/guest/guest.h"
#include "libxl/resource/resource.h"

/* Tries the resources of @set again whose commit has failed, a few times with growing pauses, as long as @guest, which
 * has just arrived, runs here. Copies what it needs. The guest's message goes when all of them work. */
void xf_retry_failed (const XfResources *set, XfGuest *guest);

/* The daemon ends. What does not work yet is not tried again. */
void xf_retries_free (XfDriver *driver);
