/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who was promised how much of this host's memory. A guest that starts here or is being received claims what it needs
 * before anything is made; Xen hands pages out only while the guest is built, so what is free now and what is still
 * free for others are two numbers. Where the configuration allows it (dom0_min_memory), dom0 gives memory back for a
 * claim.
 */
#pragma once

#include <libxl.h>

#include "driver.h"

typedef struct XfMemoryClaim XfMemoryClaim;

/* Claims what @config needs, with all that Xen keeps beside the guest's own memory. What the domain of that uuid has
 * taken already counts no more. NULL, with what is missing in MiB, when there is no room and dom0 may not make any. */
XfMemoryClaim *xf_memory_claim_new (XfDriver *driver, const libxl_domain_config *config, GError **error);

/* Calls @done when the memory is there: at once, or when dom0 has given it; or with an error when it did not within
 * half a minute. Not called any more after the claim is freed. */
void xf_memory_claim_wait (XfMemoryClaim *claim, XfDone done, gpointer data);

void xf_memory_claim_free (XfMemoryClaim *claim);
