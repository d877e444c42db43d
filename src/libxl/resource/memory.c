/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory: check asks whether the host has enough that is not promised to others. The promise itself is made after the
 * checks (libxl/guest/memory.h) and ends with the migration: no step of a resource is needed for it.
 */
#include "libxl/guest/memory.h"

#include "libxl/resource/kinds.h"

static void
list (XfResources *set, const XfResourceKind *kind)
{
  const XfResourceGuest *guest = xf_resources_guest (set);

  if (guest->config && guest->side == XF_SIDE_DESTINATION)
    (void)xf_resource_add (set, kind, NULL, 0);
}

static void
check (XfResource *resource)
{
  g_autoptr (GError) error = NULL;

  (void)xf_memory_check (xf_resources_driver (resource->set), xf_resource_guest (resource)->config, &error);
  xf_resource_done (resource, error);
}

const XfResourceKind xf_resource_memory = {
  .name = "memory",
  .want = XF_WANT_MANDATORY,
  .vital = TRUE,
  .list = list,
  .verbs = { [XF_VERB_CHECK] = check },
};
