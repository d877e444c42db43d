/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reservations of this host's memory. A guest that is started or received here claims the memory it needs before
 * anything is built. Xen allocates pages only while the guest is built, so the free memory and the memory that is not
 * reserved are two numbers. If the configuration allows it (dom0_min_memory), dom0 gives memory back for a claim.
 */
#pragma once

#include <libxl.h>

#include "driver.h"

typedef struct XfMemoryClaim XfMemoryClaim;

/* Claims the memory for @config, including Xen's overhead for the guest. Memory that the domain of that UUID already
 * has no longer counts. NULL, with the missing MiB, if there is not enough memory and dom0 may not free any. */
XfMemoryClaim *xf_memory_claim_new (XfDriver *driver, const libxl_domain_config *config, GError **error);

/* TRUE if xf_memory_claim_new() would succeed now. Claims nothing, and asks dom0 for nothing. */
gboolean xf_memory_check (XfDriver *driver, const libxl_domain_config *config, GError **error);

/* Calls @done when the memory is available: at once, or when dom0 has given it; or with an error if dom0 did not
 * within half a minute. Not called after the claim is freed. */
void xf_memory_claim_wait (XfMemoryClaim *claim, XfDone done, gpointer data);

void xf_memory_claim_free (XfMemoryClaim *claim);
