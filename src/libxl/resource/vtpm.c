/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Virtual TPMs, whose state stays in a domain of the source: the guest would find its keys gone. It does not move,
 * unless it can do without; then the destination removes the device, because its backend domain is not there.
 */
#include "libxl/resource/kinds.h"

static void
list (XfResources *set, const XfResourceKind *kind)
{
  const libxl_domain_config *config = xf_resources_guest (set)->config;

  if (config && config->num_vtpms)
    (void)xf_resource_add (set, kind, NULL, 0);
}

static void
check (XfResource *resource)
{
  xf_resource_fail (resource, XF_ERROR_OPERATION_UNSUPPORTED,
                    "the guest has a virtual TPM, whose state and keys libxl does not move: it would be without them; "
                    "remove it from the guest before the migration from host '%s'",
                    xf_resource_guest (resource)->side == XF_SIDE_SOURCE ? xf_resource_host (resource)
                                                                         : xf_resource_peer (resource));
}

static void
prepare (XfResource *resource)
{
  libxl_domain_config *config = xf_resource_guest (resource)->config;

  for (int i = 0; i < config->num_vtpms; i++)
    libxl_device_vtpm_dispose (&config->vtpms[i]);
  config->num_vtpms = 0;
  xf_resource_done (resource, NULL);
}

const XfResourceKind xf_resource_vtpm = {
  .name = "vtpm",
  .want = XF_WANT_MANDATORY,
  .list = list,
  .verbs = { [XF_VERB_CHECK] = check, [XF_VERB_PREPARE] = prepare },
};
