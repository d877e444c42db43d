/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * CPUs: features that the guest may use, and the number of its vCPUs.
 *
 * The source tells the features that the guest may have seen since it started (libxl/convert/features.h). After a
 * migration these are the features that all hosts have on which it has run: the destination keeps them with the domain
 * (commit), where the next migration's tell finds them. They end with the domain. So a guest can always go back to the
 * host that it came from.
 */
#include <stdlib.h>
#include <string.h>

#include "libxl/convert/features.h"
#include "libxl/resource/kinds.h"

/* The largest numbers of vCPUs that Xen 4.17 gives a guest: HVM_MAX_VCPUS of its public headers, and for a PV guest
 * MAX_VIRT_CPUS. */
#define HVM_VCPUS 128
#define PV_VCPUS 8192

#define USERDATA "xenferry-cpu-features"
#define USERDATA_BYTES 1024

static void
list (XfResources *set, const XfResourceKind *kind)
{
  if (xf_resources_guest (set)->config)
    (void)xf_resource_add (set, kind, NULL, 0);
}

static libxl_ctx *
ctx_of (const XfResource *resource)
{
  return xf_ctx_libxl (xf_resources_driver (resource->set)->ctx);
}

/* What the guest brought with it, or NULL. */
static char *
read_level (const XfResource *resource)
{
  const uint32_t *domid = xf_resource_guest (resource)->domid;
  uint8_t *data = NULL;
  int length = 0;
  char *level = NULL;

  if (domid && libxl_userdata_retrieve (ctx_of (resource), *domid, USERDATA, &data, &length) == 0 && length > 0
      && length <= USERDATA_BYTES)
    level = g_strndup ((const char *)data, length);
  free (data);
  return level;
}

static void
tell (XfResource *resource)
{
  g_autofree char *level = NULL;

  if (xf_resource_guest (resource)->side == XF_SIDE_SOURCE) {
    level = read_level (resource);
    if (!level)
      level = xf_features_of_host (ctx_of (resource));
    if (level)
      xf_resource_tell (resource, "features", level);
  }
  xf_resource_done (resource, NULL);
}

static gboolean
check_features (XfResource *resource, GError **error)
{
  const char *told = xf_resource_told (resource, "features");
  g_autofree char *own = told ? xf_features_of_host (ctx_of (resource)) : NULL;
  g_autoptr (GPtrArray) missing = NULL;
  g_autofree char *names = NULL;

  if (!own)
    return TRUE;
  missing = xf_features_missing (told, own, xf_resource_guest (resource)->config, error);
  if (!missing || !missing->len)
    return missing != NULL;
  g_ptr_array_add (missing, NULL);
  names = g_strjoinv (", ", (char **)missing->pdata);
  g_set_error (error, XF_ERROR, XF_ERROR_CONFIG_UNSUPPORTED,
               "the CPUs of host '%s' lack what the guest may use since it started on host '%s' or before: %s; choose "
               "another host, or start the guest with features that all hosts have (docs/cpu-features.md)",
               xf_resource_host (resource), xf_resource_peer (resource), names);
  return FALSE;
}

static gboolean
check_number (XfResource *resource, GError **error)
{
  const libxl_domain_config *config = xf_resource_guest (resource)->config;
  int vcpus = config->b_info.max_vcpus, most = config->c_info.type == LIBXL_DOMAIN_TYPE_PV ? PV_VCPUS : HVM_VCPUS;
  int cpus = libxl_get_online_cpus (ctx_of (resource));

  if (vcpus > most) {
    g_set_error (error, XF_ERROR, XF_ERROR_CONFIG_UNSUPPORTED,
                 "the guest has %d vCPUs, and Xen on host '%s' gives such a guest at most %d; choose another host",
                 vcpus, xf_resource_host (resource), most);
    return FALSE;
  }
  if (cpus > 0 && vcpus > cpus)
    xf_resource_warn (resource, "the guest has %d vCPUs, and host '%s' only %d CPUs", vcpus,
                      xf_resource_host (resource), cpus);
  return TRUE;
}

static void
check (XfResource *resource)
{
  g_autoptr (GError) error = NULL;

  if (xf_resource_guest (resource)->side == XF_SIDE_DESTINATION && check_number (resource, &error))
    (void)check_features (resource, &error);
  xf_resource_done (resource, error);
}

/* Keeps the features that this host and all earlier ones have. */
static void
commit (XfResource *resource)
{
  const XfResourceGuest *guest = xf_resource_guest (resource);
  const char *told = xf_resource_told (resource, "features");
  g_autofree char *own = told ? xf_features_of_host (ctx_of (resource)) : NULL;
  g_autofree char *level = own ? xf_features_baseline ((const char *const[]){ told, own, NULL }, NULL) : NULL;

  if (level && guest->domid && strlen (level) <= USERDATA_BYTES
      && libxl_userdata_store (ctx_of (resource), *guest->domid, USERDATA, (const uint8_t *)level, (int)strlen (level))
           != 0)
    xf_resource_warn (resource,
                      "libxl could not keep its CPU features with the domain: a later migration to a host that lacks "
                      "one of host '%s' may be refused without need",
                      xf_resource_host (resource));
  xf_resource_done (resource, NULL);
}

const XfResourceKind xf_resource_cpu = {
  .name = "cpu",
  .want = XF_WANT_MANDATORY,
  .prudent = TRUE,
  .list = list,
  .verbs = { [XF_VERB_TELL] = tell, [XF_VERB_CHECK] = check, [XF_VERB_COMMIT] = commit },
};
