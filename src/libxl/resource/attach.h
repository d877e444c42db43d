/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Attaches a device to the restored guest: an operation of libxl as the commit of a resource. libxl may still work at
 * it when the step is over; what is attached then ends with the domain, or stays with the guest.
 */
#pragma once

#include "libxl/resource/kind.h"
#include "libxl/xen/ao.h"

/* Starts the operation: calls libxl with @how and @device, and returns its result. */
typedef int (*XfAttach) (libxl_ctx *ctx, uint32_t domid, gpointer device, const libxl_asyncop_how *how);

/* Ends the step of @resource when @attach has ended. @device is freed by @free_device when libxl does not need it any
 * longer. @what: for the error, "PCI device 0000:03:00.0". */
void xf_attach (XfResource *resource, XfAttach attach, gpointer device, GDestroyNotify free_device, const char *what);

/* The `stop` of the kinds that use it. */
void xf_attach_stop (XfResource *resource);
