/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The kinds of resources, in the order in which they are prepared and committed.
 */
#include "libxl/resource/kinds.h"

const XfResourceKind *const xf_resource_kinds[] = {
  &xf_resource_type, &xf_resource_memory,    &xf_resource_cpu,      &xf_resource_pool,       &xf_resource_numa,
  &xf_resource_disk, &xf_resource_interface, &xf_resource_graphics, &xf_resource_firmware,   &xf_resource_vtpm,
  &xf_resource_pci,  &xf_resource_usb,       &xf_resource_hook,     &xf_resource_executable, /* the host's own come
                                                                                                last, and go first */
};

const guint xf_n_resource_kinds = G_N_ELEMENTS (xf_resource_kinds);
