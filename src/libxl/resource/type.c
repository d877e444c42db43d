/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The type of the guest: whether Xen on the destination runs PV guests, or PVH and HVM guests.
 */
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
  gboolean pv = xf_resource_guest (resource)->config->c_info.type == LIBXL_DOMAIN_TYPE_PV, can;
  libxl_physinfo info;

  libxl_physinfo_init (&info);
  /* A Xen that does not answer will say what is wrong when the guest is restored. */
  can = libxl_get_physinfo (xf_ctx_libxl (xf_resources_driver (resource->set)->ctx), &info) != 0
        || (pv ? info.cap_pv : info.cap_hvm && (info.cap_hap || info.cap_shadow));
  libxl_physinfo_dispose (&info);
  if (can)
    xf_resource_done (resource, NULL);
  else
    xf_resource_fail (resource, XF_ERROR_CONFIG_UNSUPPORTED,
                      "Xen on host '%s' does not run %s guests; choose a host whose Xen does (virsh capabilities)",
                      xf_resource_host (resource), pv ? "PV" : "PVH or HVM");
}

const XfResourceKind xf_resource_type = {
  .name = "type",
  .want = XF_WANT_MANDATORY,
  .vital = TRUE,
  .list = list,
  .verbs = { [XF_VERB_CHECK] = check },
};
