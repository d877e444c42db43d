/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Network interfaces, one resource for each MAC address. libxl runs Xen's script for them when the whole image has
 * arrived and the guest is suspended: a bridge that is missing then costs the guest its pause. The destination
 * therefore looks for script and bridge before. What the script does beyond that (Open vSwitch's settings, routes,
 * firewall) is known to the script alone.
 */
#include <libxl_utils.h>
#include <string.h>

#include "libxl/resource/kinds.h"
#include "libxl/resource/look.h"

/* libxl's own defaults. */
#define DEFAULT_SCRIPT "vif-bridge"
#define DEFAULT_BRIDGE "xenbr0"
#define OVS_SCRIPT "vif-openvswitch"

typedef struct {
  char *sys_dir, *host;
  char *script;
  char *bridge; /* NULL: the script needs none */
  char *ifname; /* NULL: libxl chooses */
  gboolean ovs;
} Interface;

static void
interface_free (gpointer data)
{
  Interface *interface = data;

  g_free (interface->sys_dir);
  g_free (interface->host);
  g_free (interface->script);
  g_free (interface->bridge);
  g_free (interface->ifname);
  g_free (interface);
}

static void
list (XfResources *set, const XfResourceKind *kind)
{
  const XfResourceGuest *guest = xf_resources_guest (set);

  for (int i = 0; guest->config && guest->side == XF_SIDE_DESTINATION && i < guest->config->num_nics; i++) {
    g_autofree char *mac = g_strdup_printf (LIBXL_MAC_FMT, LIBXL_MAC_BYTES (guest->config->nics[i].mac));

    (void)xf_resource_add (set, kind, mac, i);
  }
}

/* Xen's script takes ethN for an xenbrN that does not exist. */
static gboolean
has_old_bridge (const Interface *interface)
{
  return g_str_has_prefix (interface->bridge, "xenbr")
         && xf_look_sys_has (interface->sys_dir, "class/net/eth%s/bridge", interface->bridge + strlen ("xenbr"));
}

static gboolean
is_bridge (const Interface *interface, GError **error)
{
  gboolean exists = xf_look_sys_has (interface->sys_dir, "class/net/%s", interface->bridge);
  gboolean is = xf_look_sys_has (interface->sys_dir, "class/net/%s/bridge", interface->bridge);
  const char *what = interface->ovs ? "Open vSwitch bridge" : "bridge";

  if (exists ? is != interface->ovs : !interface->ovs && has_old_bridge (interface))
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_FAILED,
               "%s '%s' %s host '%s'; create it there, or name another one with --xml", what, interface->bridge,
               exists ? "is a device of another kind on" : "does not exist on", interface->host);
  return FALSE;
}

static gboolean
is_ifname_free (const Interface *interface, GError **error)
{
  if (!xf_look_sys_has (interface->sys_dir, "class/net/%s", interface->ifname)
      && !xf_look_sys_has (interface->sys_dir, "class/net/%s-emu", interface->ifname))
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_RESOURCE_BUSY,
               "host '%s' already has a network device '%s'; remove it there, or name another one with --xml",
               interface->host, interface->ifname);
  return FALSE;
}

static GError *
look (gpointer input)
{
  const Interface *interface = input;
  GError *error = NULL;

  if (xf_look_file ("script", interface->script, TRUE, interface->host, &error)
      && (!interface->bridge || is_bridge (interface, &error)) && interface->ifname)
    (void)is_ifname_free (interface, &error);
  return error;
}

static gboolean
is_script (const char *path, const char *name)
{
  g_autofree char *base = g_path_get_basename (path);

  return g_str_equal (base, name);
}

/* For Open vSwitch the name may be followed by ".TAG" or ":TAG:TAG…". */
static char *
bridge_of (const libxl_device_nic *nic, gboolean ovs)
{
  const char *name = nic->bridge && *nic->bridge ? nic->bridge : DEFAULT_BRIDGE;

  return ovs ? g_strndup (name, strcspn (name, ".:")) : g_strdup (name);
}

static void
check (XfResource *resource)
{
  const libxl_device_nic *nic = &xf_resource_guest (resource)->config->nics[resource->index];
  Interface *interface;

  if (!xf_look_is_dom0 (nic->backend_domid, nic->backend_domname)) {
    xf_look_warn_backend (resource, nic->backend_domid, nic->backend_domname);
    xf_resource_done (resource, NULL);
    return;
  }
  interface = g_new0 (Interface, 1);
  interface->sys_dir = g_strdup (xf_look_sys_dir (xf_resources_driver (resource->set)));
  interface->host = g_strdup (xf_resource_host (resource));
  interface->script = xf_look_script (xf_resources_driver (resource->set), nic->script, DEFAULT_SCRIPT);
  interface->ovs = is_script (interface->script, OVS_SCRIPT);
  if (interface->ovs || is_script (interface->script, DEFAULT_SCRIPT))
    interface->bridge = bridge_of (nic, interface->ovs);
  interface->ifname = nic->ifname && *nic->ifname ? g_strdup (nic->ifname) : NULL;
  xf_resource_in_thread (resource, look, NULL, interface, interface_free);
}

const XfResourceKind xf_resource_interface = {
  .name = "interface",
  .want = XF_WANT_MANDATORY,
  .list = list,
  .verbs = { [XF_VERB_CHECK] = check },
  .stop = xf_resource_stop_thread,
};
