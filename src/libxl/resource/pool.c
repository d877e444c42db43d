/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The CPU pool that the configuration names. libxl makes the domain in it, so a migration without it fails at its
 * beginning. A guest that does not insist on its pool runs in the host's first pool, which always exists.
 */
#include <libxl_utils.h>
#include <stdlib.h>

#include "libxl/resource/kinds.h"
#include "libxl/resource/pools.h"

static void
list (XfResources *set, const XfResourceKind *kind)
{
  const XfResourceGuest *guest = xf_resources_guest (set);

  if (guest->config && guest->side == XF_SIDE_DESTINATION && guest->config->c_info.pool_name)
    (void)xf_resource_add (set, kind, NULL, 0);
}

static gboolean
find (XfResource *resource, GError **error)
{
  const char *name = xf_resource_guest (resource)->config->c_info.pool_name;
  libxl_bitmap cpus;
  gboolean has_cpus;

  libxl_bitmap_init (&cpus);
  if (!xf_pool_cpus (xf_resources_driver (resource->set), name, &cpus)) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_FAILED,
                 "CPU pool '%s' does not exist on host '%s'; create it there (xl cpupool-create)", name,
                 xf_resource_host (resource));
    return FALSE;
  }
  has_cpus = libxl_bitmap_count_set (&cpus) > 0;
  libxl_bitmap_dispose (&cpus);
  if (!has_cpus)
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_FAILED,
                 "CPU pool '%s' on host '%s' has no CPUs; give it some (xl cpupool-cpu-add)", name,
                 xf_resource_host (resource));
  return has_cpus;
}

static void
check (XfResource *resource)
{
  g_autoptr (GError) error = NULL;

  (void)find (resource, &error);
  xf_resource_done (resource, error);
}

static void
prepare (XfResource *resource)
{
  libxl_domain_config *config = xf_resource_guest (resource)->config;

  if (!find (resource, NULL))
    g_clear_pointer (&config->c_info.pool_name, free);
  xf_resource_done (resource, NULL);
}

const XfResourceKind xf_resource_pool = {
  .name = "pool",
  .want = XF_WANT_MANDATORY,
  .list = list,
  .verbs = { [XF_VERB_CHECK] = check, [XF_VERB_PREPARE] = prepare },
};
