/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * USB devices that the guest has from its host, one resource for each, named by bus and address at the source. These
 * numbers mean nothing elsewhere: the source tells vendor, product and serial number, and the destination looks for
 * such a device. libxl attaches it when the guest is restored and still paused, so that it is no reason to fail.
 */
#include <stdlib.h>
#include <string.h>

#include "libxl/resource/attach.h"
#include "libxl/resource/kinds.h"
#include "libxl/resource/look.h"

static void
list (XfResources *set, const XfResourceKind *kind)
{
  const libxl_domain_config *config = xf_resources_guest (set)->config;
  libxl_ctx *ctx = xf_ctx_libxl (xf_resources_driver (set)->ctx);

  for (int i = 0; config && i < config->num_usbdevs; i++) {
    libxl_device_usbdev *device = &config->usbdevs[i];
    g_autofree char *name = NULL;
    char *json = libxl_device_usbdev_to_json (ctx, device);

    if (device->type == LIBXL_USBDEV_TYPE_HOSTDEV) {
      name = g_strdup_printf ("%u.%u", device->u.hostdev.hostbus, device->u.hostdev.hostaddr);
      /* Kept as libxl's JSON, because prepare takes it out of the configuration. */
      xf_resource_add (set, kind, name, i)->detail = g_strdup (json);
    }
    free (json);
  }
}

static gboolean
read_device (const XfResource *resource, libxl_device_usbdev *device)
{
  libxl_device_usbdev_init (device);
  return resource->detail
         && libxl_device_usbdev_from_json (xf_ctx_libxl (xf_resources_driver (resource->set)->ctx), device,
                                           resource->detail)
              == 0
         && device->type == LIBXL_USBDEV_TYPE_HOSTDEV;
}

/* ---- devices of this host --------------------------------------------------------------------------------- */

static guint
number_of (const char *sys_dir, const char *name, const char *attribute)
{
  g_autofree char *text = xf_look_sys_line (sys_dir, "bus/usb/devices/%s/%s", name, attribute);

  return text ? (guint)g_ascii_strtoull (text, NULL, 10) : 0;
}

/* "VENDOR:PRODUCT SERIAL", the caller's; NULL: it is no device. */
static char *
id_of (const char *sys_dir, const char *name)
{
  g_autofree char *vendor = xf_look_sys_line (sys_dir, "bus/usb/devices/%s/idVendor", name);
  g_autofree char *product = xf_look_sys_line (sys_dir, "bus/usb/devices/%s/idProduct", name);
  g_autofree char *serial = xf_look_sys_line (sys_dir, "bus/usb/devices/%s/serial", name);

  return vendor && product ? g_strdup_printf ("%s:%s%s%s", vendor, product, serial ? " " : "", serial ? serial : "")
                           : NULL;
}

/* Finds the device with @id, or without one that with the numbers in @device. Its numbers are put into @device. Sysfs
 * is the kernel's memory: this does not block. */
static gboolean
find (const char *sys_dir, const char *id, libxl_device_usbdev *device, char **id_out)
{
  g_autofree char *path = g_build_filename (sys_dir, "bus/usb/devices", NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir))) {
    guint bus = number_of (sys_dir, name, "busnum"), address = number_of (sys_dir, name, "devnum");
    g_autofree char *own = bus ? id_of (sys_dir, name) : NULL;

    if (!own || bus > G_MAXUINT8 || address > G_MAXUINT8)
      continue;
    if (id ? !g_str_equal (id, own) : bus != device->u.hostdev.hostbus || address != device->u.hostdev.hostaddr)
      continue;
    device->u.hostdev.hostbus = (uint8_t)bus;
    device->u.hostdev.hostaddr = (uint8_t)address;
    if (id_out)
      *id_out = g_steal_pointer (&own);
    return TRUE;
  }
  return FALSE;
}

static const char *
sys_dir_of (const XfResource *resource)
{
  return xf_look_sys_dir (xf_resources_driver (resource->set));
}

/* ---- steps ------------------------------------------------------------------------------------------------ */

static void
tell (XfResource *resource)
{
  libxl_device_usbdev device;
  g_autofree char *id = NULL;

  if (xf_resource_guest (resource)->side == XF_SIDE_SOURCE && read_device (resource, &device)
      && find (sys_dir_of (resource), NULL, &device, &id))
    xf_resource_tell (resource, "id", id);
  xf_resource_done (resource, NULL);
}

static void
check (XfResource *resource)
{
  const char *id = xf_resource_told (resource, "id");
  libxl_device_usbdev device;

  if (xf_resource_guest (resource)->side != XF_SIDE_DESTINATION
      || (read_device (resource, &device) && find (sys_dir_of (resource), id, &device, NULL)))
    xf_resource_done (resource, NULL);
  else
    xf_resource_fail (resource, XF_ERROR_OPERATION_FAILED,
                      "the guest's USB device %s%sis not plugged into host '%s'; plug it in there, or detach it before "
                      "the migration (xl usbdev-detach)",
                      id ? id : "", id ? " " : "", xf_resource_host (resource));
}

static void
prepare (XfResource *resource)
{
  libxl_domain_config *config = xf_resource_guest (resource)->config;
  libxl_device_usbdev device;
  int left = 0;

  if (read_device (resource, &device)) {
    for (int i = 0; i < config->num_usbdevs; i++) {
      if (config->usbdevs[i].type == LIBXL_USBDEV_TYPE_HOSTDEV
          && config->usbdevs[i].u.hostdev.hostbus == device.u.hostdev.hostbus
          && config->usbdevs[i].u.hostdev.hostaddr == device.u.hostdev.hostaddr)
        libxl_device_usbdev_dispose (&config->usbdevs[i]);
      else
        config->usbdevs[left++] = config->usbdevs[i];
    }
    config->num_usbdevs = left;
  }
  xf_resource_done (resource, NULL);
}

static int
add (libxl_ctx *ctx, uint32_t domid, gpointer device, const libxl_asyncop_how *how)
{
  return libxl_device_usbdev_add (ctx, domid, device, how);
}

static void
device_free (gpointer device)
{
  libxl_device_usbdev_dispose (device);
  g_free (device);
}

static void
commit (XfResource *resource)
{
  libxl_device_usbdev *device = g_new0 (libxl_device_usbdev, 1);
  g_autofree char *id = NULL, *what = NULL;

  if (!read_device (resource, device)
      || !find (sys_dir_of (resource), xf_resource_told (resource, "id"), device, &id)) {
    device_free (device); /* the check has said so */
    xf_resource_done (resource, NULL);
    return;
  }
  what = g_strconcat ("USB device ", id, NULL);
  xf_attach (resource, add, device, device_free, what);
}

const XfResourceKind xf_resource_usb = {
  .name = "usb",
  .want = XF_WANT_BEST_EFFORT,
  .list = list,
  .verbs = { [XF_VERB_TELL] = tell, [XF_VERB_CHECK] = check, [XF_VERB_PREPARE] = prepare, [XF_VERB_COMMIT] = commit },
  .stop = xf_attach_stop,
};
