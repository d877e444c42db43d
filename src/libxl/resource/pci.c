/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * PCI devices that the guest has from its host, one resource for each address. Neither Xen nor the device model can
 * move the state of a device: with one the guest does not move, unless it can do without.
 *
 * Such a guest gets the device with the same address at the destination, if that host offers one (xl
 * pci-assignable-add). libxl attaches it when the guest is restored and still paused, so that it is no reason to fail.
 * A PV guest would have to answer, which it cannot while it is paused: its device is attached by the restore itself.
 */
#include <stdlib.h>

#include "libxl/resource/attach.h"
#include "libxl/resource/kinds.h"

static char *
address_of (const libxl_device_pci *pci)
{
  return g_strdup_printf ("%04x:%02x:%02x.%x", pci->domain, pci->bus, pci->dev, pci->func);
}

static gboolean
is_same (const libxl_device_pci *one, const libxl_device_pci *other)
{
  return one->domain == other->domain && one->bus == other->bus && one->dev == other->dev && one->func == other->func;
}

/* The device is kept as libxl's JSON, because prepare takes it out of the configuration. */
static void
list (XfResources *set, const XfResourceKind *kind)
{
  const libxl_domain_config *config = xf_resources_guest (set)->config;
  libxl_ctx *ctx = xf_ctx_libxl (xf_resources_driver (set)->ctx);

  for (int i = 0; config && i < config->num_pcidevs; i++) {
    g_autofree char *address = address_of (&config->pcidevs[i]);
    XfResource *resource = xf_resource_add (set, kind, address, i);
    char *json = libxl_device_pci_to_json (ctx, &config->pcidevs[i]);

    resource->detail = g_strdup (json);
    free (json);
  }
}

static libxl_ctx *
ctx_of (const XfResource *resource)
{
  return xf_ctx_libxl (xf_resources_driver (resource->set)->ctx);
}

static gboolean
read_device (const XfResource *resource, libxl_device_pci *pci)
{
  libxl_device_pci_init (pci);
  return resource->detail && libxl_device_pci_from_json (ctx_of (resource), pci, resource->detail) == 0;
}

static gboolean
is_assignable (const XfResource *resource, const libxl_device_pci *pci)
{
  int n = 0;
  libxl_device_pci *list = libxl_device_pci_assignable_list (ctx_of (resource), &n);
  gboolean found = FALSE;

  for (int i = 0; list && i < n; i++)
    found |= is_same (&list[i], pci);
  if (list)
    libxl_device_pci_assignable_list_free (list, n);
  return found;
}

static gboolean
is_at_destination (const XfResource *resource)
{
  return xf_resource_guest (resource)->side == XF_SIDE_DESTINATION;
}

static void
check (XfResource *resource)
{
  libxl_device_pci pci;
  gboolean known = read_device (resource, &pci);
  g_autofree char *address = address_of (&pci);

  if (!is_at_destination (resource))
    xf_resource_fail (resource, XF_ERROR_OPERATION_UNSUPPORTED,
                      "the guest has PCI device %s of host '%s', and the state of a device cannot be moved; detach it "
                      "before the migration (xl pci-detach)",
                      address, xf_resource_host (resource));
  else if (!known || !is_assignable (resource, &pci))
    xf_resource_fail (resource, XF_ERROR_OPERATION_FAILED,
                      "host '%s' has no PCI device %s that can be given to a guest; make it assignable there (xl "
                      "pci-assignable-add)",
                      xf_resource_host (resource), address);
  else
    xf_resource_done (resource, NULL);
  libxl_device_pci_dispose (&pci);
}

static void
take_out (libxl_domain_config *config, const libxl_device_pci *pci)
{
  int left = 0;

  for (int i = 0; i < config->num_pcidevs; i++) {
    if (is_same (&config->pcidevs[i], pci))
      libxl_device_pci_dispose (&config->pcidevs[i]);
    else
      config->pcidevs[left++] = config->pcidevs[i];
  }
  config->num_pcidevs = left;
}

static gboolean
is_pv (const XfResource *resource)
{
  return xf_resource_guest (resource)->config->c_info.type == LIBXL_DOMAIN_TYPE_PV;
}

static void
prepare (XfResource *resource)
{
  libxl_device_pci pci;

  if (read_device (resource, &pci) && (!is_pv (resource) || !is_assignable (resource, &pci)))
    take_out (xf_resource_guest (resource)->config, &pci);
  libxl_device_pci_dispose (&pci);
  xf_resource_done (resource, NULL);
}

static int
add (libxl_ctx *ctx, uint32_t domid, gpointer device, const libxl_asyncop_how *how)
{
  return libxl_device_pci_add (ctx, domid, device, how);
}

static void
device_free (gpointer device)
{
  libxl_device_pci_dispose (device);
  g_free (device);
}

static void
commit (XfResource *resource)
{
  libxl_device_pci *pci = g_new0 (libxl_device_pci, 1);
  g_autofree char *what = NULL, *address = NULL;

  if (!read_device (resource, pci) || is_pv (resource) || !is_assignable (resource, pci)) {
    device_free (pci); /* the check has said so */
    xf_resource_done (resource, NULL);
    return;
  }
  address = address_of (pci);
  what = g_strconcat ("PCI device ", address, NULL);
  xf_attach (resource, add, pci, device_free, what);
}

const XfResourceKind xf_resource_pci = {
  .name = "pci",
  .want = XF_WANT_MANDATORY,
  .list = list,
  .verbs = { [XF_VERB_CHECK] = check, [XF_VERB_PREPARE] = prepare, [XF_VERB_COMMIT] = commit },
  .stop = xf_attach_stop,
};
