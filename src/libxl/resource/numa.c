/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Placement: vCPUs that are pinned to CPUs, and virtual NUMA nodes that stand for physical ones. libxl refuses a pin to
 * CPUs that do not exist, or are not in the guest's pool, and a node that does not exist; the latter only when the
 * whole image has arrived. A guest that does not insist on them runs on any CPU, with its nodes on node 0.
 */
#include <libxl_utils.h>

#include "libxl/resource/kinds.h"
#include "libxl/resource/pools.h"

static void
list (XfResources *set, const XfResourceKind *kind)
{
  const XfResourceGuest *guest = xf_resources_guest (set);
  const libxl_domain_build_info *info;

  if (!guest->config || guest->side != XF_SIDE_DESTINATION)
    return;
  info = &guest->config->b_info;
  if (info->num_vcpu_hard_affinity || info->num_vcpu_soft_affinity || info->num_vnuma_nodes)
    (void)xf_resource_add (set, kind, NULL, 0);
}

static gboolean
has_common (const libxl_bitmap *one, const libxl_bitmap *other)
{
  for (int i = 0; i < (int)one->size * 8; i++) {
    if (libxl_bitmap_test (one, i) && libxl_bitmap_test (other, i))
      return TRUE;
  }
  return FALSE;
}

/* These look for what cannot be had and append it to @missing; with @mend they take it out of the configuration. */
static void
look_at_pins_of (XfResource *resource, libxl_bitmap *pins, int n, const libxl_bitmap *cpus, GString *missing,
                 const char *how, gboolean mend)
{
  for (int i = 0; i < n; i++) {
    if (!pins[i].size || has_common (&pins[i], cpus))
      continue;
    g_string_append_printf (missing, "%svCPU %d %s CPUs that its pool does not have", missing->len ? "; " : "", i, how);
    if (!mend)
      continue;
    libxl_bitmap_dispose (&pins[i]);
    libxl_bitmap_copy_alloc (xf_ctx_libxl (xf_resources_driver (resource->set)->ctx), &pins[i], cpus);
  }
}

static void
look_at_pins (XfResource *resource, GString *missing, gboolean mend)
{
  libxl_domain_config *config = xf_resource_guest (resource)->config;
  libxl_domain_build_info *info = &config->b_info;
  libxl_bitmap cpus;

  libxl_bitmap_init (&cpus);
  if ((info->num_vcpu_hard_affinity || info->num_vcpu_soft_affinity)
      && xf_pool_cpus (xf_resources_driver (resource->set), config->c_info.pool_name, &cpus)) {
    look_at_pins_of (resource, info->vcpu_hard_affinity, info->num_vcpu_hard_affinity, &cpus, missing, "is pinned to",
                     mend);
    look_at_pins_of (resource, info->vcpu_soft_affinity, info->num_vcpu_soft_affinity, &cpus, missing, "prefers", mend);
  }
  libxl_bitmap_dispose (&cpus);
}

static void
look_at_nodes (XfResource *resource, GString *missing, gboolean mend)
{
  libxl_domain_build_info *info = &xf_resource_guest (resource)->config->b_info;
  int nodes = info->num_vnuma_nodes ? libxl_get_max_nodes (xf_ctx_libxl (xf_resources_driver (resource->set)->ctx)) : 0;

  for (int i = 0; nodes > 0 && i < info->num_vnuma_nodes; i++) {
    if (info->vnuma_nodes[i].pnode < (uint32_t)nodes)
      continue;
    g_string_append_printf (missing, "%svirtual node %d is on node %u, which does not exist", missing->len ? "; " : "",
                            i, info->vnuma_nodes[i].pnode);
    if (mend)
      info->vnuma_nodes[i].pnode = 0;
  }
}

static void
check (XfResource *resource)
{
  g_autoptr (GString) missing = g_string_new (NULL);

  look_at_pins (resource, missing, FALSE);
  look_at_nodes (resource, missing, FALSE);
  if (missing->len)
    xf_resource_fail (resource, XF_ERROR_OPERATION_FAILED,
                      "on host '%s' %s; change it with --xml, or the guest runs on any CPU and node",
                      xf_resource_host (resource), missing->str);
  else
    xf_resource_done (resource, NULL);
}

/* What is missing was said in the check. */
static void
prepare (XfResource *resource)
{
  g_autoptr (GString) missing = g_string_new (NULL);

  look_at_pins (resource, missing, TRUE);
  look_at_nodes (resource, missing, TRUE);
  xf_resource_done (resource, NULL);
}

const XfResourceKind xf_resource_numa = {
  .name = "numa",
  .want = XF_WANT_BEST_EFFORT,
  .prudent = TRUE,
  .list = list,
  .verbs = { [XF_VERB_CHECK] = check, [XF_VERB_PREPARE] = prepare },
};
