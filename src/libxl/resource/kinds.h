/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The kinds of resources, each in a file of its own.
 */
#pragma once

#include "libxl/resource/kind.h"

extern const XfResourceKind xf_resource_type;      /* Xen runs such guests */
extern const XfResourceKind xf_resource_memory;    /* free memory of the host */
extern const XfResourceKind xf_resource_cpu;       /* CPU features, number of vCPUs */
extern const XfResourceKind xf_resource_pool;      /* CPU pool */
extern const XfResourceKind xf_resource_numa;      /* pinned vCPUs, virtual NUMA nodes */
extern const XfResourceKind xf_resource_disk;      /* one for each target */
extern const XfResourceKind xf_resource_interface; /* one for each MAC address */
extern const XfResourceKind xf_resource_graphics;  /* ports of VNC and SPICE */
extern const XfResourceKind xf_resource_firmware;  /* device model, kernel, boot loader */
extern const XfResourceKind xf_resource_vtpm;
extern const XfResourceKind xf_resource_pci;        /* one for each address */
extern const XfResourceKind xf_resource_usb;        /* one for each device */
extern const XfResourceKind xf_resource_hook;       /* the scripts of libvirt's convention */
extern const XfResourceKind xf_resource_executable; /* the host's own */
