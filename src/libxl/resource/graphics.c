/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Screens: whether the VNC or SPICE port that the configuration names is free at the destination, and its address one
 * of that host. The device model, which libxl starts when the whole image has arrived, opens the port; nothing can hold
 * it for the device model until then.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "libxl/resource/kinds.h"

#define VNC_PORT_0 5900

typedef struct {
  const char *what, *address;
  guint port; /* 0: none, or any */
} Screen;

static gboolean
is_set (const libxl_defbool *value)
{
  return !libxl_defbool_is_default (*value) && libxl_defbool_val (*value);
}

/* libxl's defaults are a server, on any free port. */
static gboolean
is_off (const libxl_defbool *value)
{
  return !libxl_defbool_is_default (*value) && !libxl_defbool_val (*value);
}

static Screen
vnc_of (const libxl_vnc_info *vnc)
{
  if (is_off (&vnc->enable) || !is_off (&vnc->findunused) || vnc->display < 0
      || vnc->display > G_MAXUINT16 - VNC_PORT_0)
    return (Screen){ 0 };
  return (Screen){ "VNC", vnc->listen, VNC_PORT_0 + vnc->display };
}

/* An HVM guest's device model takes the screen from the build info. @screens_out has room for 3. */
static guint
screens_of (const libxl_domain_config *config, Screen *screens_out)
{
  const libxl_domain_build_info *info = &config->b_info;
  guint n = 0;

  if (config->c_info.type != LIBXL_DOMAIN_TYPE_HVM) {
    if (config->num_vfbs)
      screens_out[n++] = vnc_of (&config->vfbs[0].vnc);
    return n;
  }
  screens_out[n++] = vnc_of (&info->u.hvm.vnc);
  if (is_set (&info->u.hvm.spice.enable)) {
    screens_out[n++] = (Screen){ "SPICE", info->u.hvm.spice.host, (guint)CLAMP (info->u.hvm.spice.port, 0, 65535) };
    screens_out[n++] = (Screen){ "SPICE over TLS", info->u.hvm.spice.host,
                                 (guint)CLAMP (info->u.hvm.spice.tls_port, 0, 65535) };
  }
  return n;
}

static void
list (XfResources *set, const XfResourceKind *kind)
{
  const XfResourceGuest *guest = xf_resources_guest (set);
  guint n = 0, ports = 0;
  Screen screens[3];

  if (guest->config && guest->side == XF_SIDE_DESTINATION)
    n = screens_of (guest->config, screens);
  for (guint i = 0; i < n; i++)
    ports += screens[i].port != 0;
  if (ports)
    (void)xf_resource_add (set, kind, NULL, 0);
}

/* Names are not looked up: that may block. */
static socklen_t
parse_address (const Screen *screen, struct sockaddr_storage *address)
{
  struct sockaddr_in *v4 = (struct sockaddr_in *)address;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
  const char *text = screen->address && *screen->address ? screen->address : "127.0.0.1";

  memset (address, 0, sizeof (*address));
  if (inet_pton (AF_INET, text, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons ((uint16_t)screen->port);
    return sizeof (*v4);
  }
  if (inet_pton (AF_INET6, text, &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons ((uint16_t)screen->port);
    return sizeof (*v6);
  }
  return 0;
}

/* Tries to bind the port as the device model will, and gives it up at once. */
static gboolean
is_free (const XfResource *resource, const Screen *screen, GError **error)
{
  struct sockaddr_storage address;
  socklen_t length = parse_address (screen, &address);
  xf_autofd fd = length ? socket (address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
  int on = 1;

  if (fd < 0)
    return TRUE;
  (void)setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof (on));
  if (bind (fd, (const struct sockaddr *)&address, length) == 0 || (errno != EADDRINUSE && errno != EADDRNOTAVAIL))
    return TRUE;
  if (errno == EADDRINUSE)
    g_set_error (error, XF_ERROR, XF_ERROR_RESOURCE_BUSY,
                 "port %u for %s is in use on host '%s'; free it, or choose another one with --xml (autoport='yes')",
                 screen->port, screen->what, xf_resource_host (resource));
  else
    g_set_error (
      error, XF_ERROR, XF_ERROR_OPERATION_FAILED,
      "%s is to listen on %s, which is no address of host '%s'; choose another one with --xml (0.0.0.0: all)",
      screen->what, screen->address, xf_resource_host (resource));
  return FALSE;
}

static void
check (XfResource *resource)
{
  g_autoptr (GError) error = NULL;
  Screen screens[3];
  guint n = screens_of (xf_resource_guest (resource)->config, screens);

  for (guint i = 0; i < n && !error; i++) {
    if (screens[i].port)
      (void)is_free (resource, &screens[i], &error);
  }
  xf_resource_done (resource, error);
}

const XfResourceKind xf_resource_graphics = {
  .name = "graphics",
  .want = XF_WANT_MANDATORY,
  .list = list,
  .verbs = { [XF_VERB_CHECK] = check },
};
