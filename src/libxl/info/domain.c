/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Read-only calls for guests: every one is instant and takes no job.
 */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "base/error.h"
#include "conf/xml.h"
#include "libxl/guest/driver_private.h"
#include "libxl/guest/guest.h"
#include "libxl/xen/dominfo.h"

/* ---- list and lookup -------------------------------------------------------------------------------------- */

GPtrArray *
xf_driver_list (XfDriver *driver, guint flags, GError **error)
{
  GPtrArray *list = g_ptr_array_new_with_free_func ((GDestroyNotify)xf_domain_ref_free);

  for (guint i = 0; i < driver->guests->len; i++) {
    XfGuest *guest = driver->guests->pdata[i];

    if (xf_guest_is_visible (guest) && xf_guest_matches (guest, flags))
      g_ptr_array_add (list, xf_guest_ref (guest));
  }
  return list;
}

XfDomainRef *
xf_driver_lookup_id (XfDriver *driver, int id, GError **error)
{
  XfGuest *guest = xf_guest_find_domid (driver, id);

  if (guest && xf_guest_is_visible (guest))
    return xf_guest_ref (guest);
  g_set_error (error, XF_ERROR, XF_ERROR_NO_DOMAIN, "no domain with matching id '%d'", id);
  return NULL;
}

XfDomainRef *
xf_driver_lookup_uuid (XfDriver *driver, const guint8 *uuid, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);

  return guest ? xf_guest_ref (guest) : NULL;
}

XfDomainRef *
xf_driver_lookup_name (XfDriver *driver, const char *name, GError **error)
{
  XfGuest *guest = xf_guest_find_name (driver, name);

  if (guest && xf_guest_is_visible (guest))
    return xf_guest_ref (guest);
  g_set_error (error, XF_ERROR, XF_ERROR_NO_DOMAIN, "no domain with matching name '%s'", name);
  return NULL;
}

/* ---- one guest -------------------------------------------------------------------------------------------- */

gboolean
xf_driver_domain_info (XfDriver *driver, const guint8 *uuid, XfDomainInfo *info_out, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);
  g_auto (XfDominfo) info = { 0 };

  if (!guest)
    return FALSE;
  *info_out = (XfDomainInfo){
    .state = guest->state,
    .max_memory_kib = xf_guest_current_def (guest)->memory_kib,
    .memory_kib = xf_guest_current_def (guest)->current_kib,
    .vcpus = xf_guest_current_def (guest)->vcpus_current,
  };
  if (guest->domid < 0)
    return TRUE;
  if (xf_dominfo_get (driver->ctx, (guint32)guest->domid, &info) == 0) {
    info_out->memory_kib = info.current_memkb;
    info_out->cpu_time_ns = info.cpu_time;
    if (guest->domid == 0)
      info_out->max_memory_kib = MIN (info.max_memkb, (uint64_t)G_MAXINT64 / 1024);
    if (info.vcpu_online)
      info_out->vcpus = info.vcpu_online;
  }
  return TRUE;
}

gboolean
xf_driver_domain_state (XfDriver *driver, const guint8 *uuid, int *state_out, int *reason_out, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);

  if (!guest)
    return FALSE;
  *state_out = guest->state;
  *reason_out = guest->reason;
  return TRUE;
}

const char *
xf_driver_domain_os_type (XfDriver *driver, const guint8 *uuid, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);

  return guest ? xf_guest_type_api (xf_guest_current_def (guest)->type) : NULL;
}

/* The guest's configuration has libxl's VNC port only as "display"; an automatic one is not known. */
static int
vnc_port (const XfGuest *guest)
{
  return guest->def && guest->def->vnc.present ? guest->def->vnc.port : -1;
}

char *
xf_driver_domain_xml (XfDriver *driver, const guint8 *uuid, guint flags, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);
  gboolean inactive;
  XfDomainLive live;
  guint format = 0;

  if (!guest)
    return NULL;
  inactive = !guest->def || (flags & VIR_DOMAIN_XML_INACTIVE && guest->persistent);
  if (flags & VIR_DOMAIN_XML_SECURE)
    format |= XF_DOMAIN_FORMAT_SECURE;
  if (flags & VIR_DOMAIN_XML_MIGRATABLE)
    format |= XF_DOMAIN_FORMAT_MIGRATABLE;
  if (inactive || guest->domid < 0)
    return xf_domain_def_format (inactive ? guest->persistent : guest->def, format | XF_DOMAIN_FORMAT_INACTIVE, NULL);
  live = (XfDomainLive){ guest->domid, guest->tty, vnc_port (guest) };
  return xf_domain_def_format (guest->def, format, &live);
}

gboolean
xf_driver_domain_is_active (XfDriver *driver, const guint8 *uuid, gboolean *yes_out, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);

  if (guest)
    *yes_out = guest->domid >= 0;
  return guest != NULL;
}

gboolean
xf_driver_domain_is_persistent (XfDriver *driver, const guint8 *uuid, gboolean *yes_out, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);

  if (guest)
    *yes_out = guest->persistent != NULL;
  return guest != NULL;
}

gboolean
xf_driver_domain_is_updated (XfDriver *driver, const guint8 *uuid, gboolean *yes_out, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);

  /* Live changes are not served yet, so a running guest never differs from the configuration it was started with. */
  if (guest)
    *yes_out = FALSE;
  return guest != NULL;
}

gboolean
xf_driver_domain_get_autostart (XfDriver *driver, const guint8 *uuid, gboolean *yes_out, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);

  if (guest)
    *yes_out = guest->autostart;
  return guest != NULL;
}

static void
clear_vcpu (gpointer data)
{
  g_clear_pointer (&((XfVcpuInfo *)data)->cpumap, g_bytes_unref);
}

GArray *
xf_driver_domain_vcpus (XfDriver *driver, const guint8 *uuid, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);
  GArray *vcpus;
  libxl_vcpuinfo *list;
  int n = 0, host_cpus = 0;

  if (!guest)
    return NULL;
  if (guest->domid < 0) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID, "domain is not running");
    return NULL;
  }
  list = libxl_list_vcpu (xf_ctx_libxl (driver->ctx), guest->domid, &n, &host_cpus);
  vcpus = g_array_new (FALSE, TRUE, sizeof (XfVcpuInfo));
  g_array_set_clear_func (vcpus, clear_vcpu);
  for (int i = 0; list && i < n; i++) {
    XfVcpuInfo vcpu = {
      .number = list[i].vcpuid,
      .state = list[i].running   ? VIR_VCPU_RUNNING
               : list[i].blocked ? VIR_VCPU_BLOCKED
                                 : VIR_VCPU_OFFLINE,
      .cpu_time_ns = list[i].vcpu_time,
      .cpu = list[i].online ? (int)list[i].cpu : -1,
      .cpumap = g_bytes_new (list[i].cpumap.map, list[i].cpumap.size),
    };

    g_array_append_val (vcpus, vcpu);
  }
  if (list)
    libxl_vcpuinfo_list_free (list, n);
  return vcpus;
}

int
xf_driver_domain_vcpu_count (XfDriver *driver, const guint8 *uuid, guint flags, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);
  const XfDomainDef *def;

  if (!guest)
    return -1;
  if (flags & (VIR_DOMAIN_VCPU_GUEST | VIR_DOMAIN_VCPU_HOTPLUGGABLE)) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "unsupported flags (0x%x) for counting vCPUs", flags);
    return -1;
  }
  if (flags & VIR_DOMAIN_VCPU_LIVE && guest->domid < 0) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID, "domain is not running");
    return -1;
  }
  if (flags & VIR_DOMAIN_VCPU_CONFIG && !guest->persistent) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID, "domain is transient");
    return -1;
  }
  def = flags & VIR_DOMAIN_VCPU_CONFIG ? guest->persistent : xf_guest_current_def (guest);
  return flags & VIR_DOMAIN_VCPU_MAXIMUM ? def->vcpus : def->vcpus_current;
}

char **
xf_driver_domain_messages (XfDriver *driver, const guint8 *uuid, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);
  char **messages;

  if (!guest)
    return NULL;
  messages = g_new0 (char *, 3);
  messages[0] = g_strdup (guest->message ? guest->message : guest->refused);
  messages[1] = g_strdup (guest->message ? guest->refused : NULL);
  return messages;
}

static char *
metadata_text (const XfDomainDef *def, int type, const char *uri)
{
  xmlNode *root = xmlDocGetRootElement (def->doc);
  xmlNode *metadata = xf_xml_child (root, "metadata");
  xmlBuffer *buffer;
  char *text = NULL;

  if (type == VIR_DOMAIN_METADATA_DESCRIPTION)
    return xf_xml_text (xf_xml_child (root, "description"));
  if (type == VIR_DOMAIN_METADATA_TITLE)
    return xf_xml_text (xf_xml_child (root, "title"));
  for (xmlNode *node = metadata ? metadata->children : NULL; node && uri; node = node->next) {
    if (node->type != XML_ELEMENT_NODE || !node->ns || !xmlStrEqual (node->ns->href, BAD_CAST uri))
      continue;
    buffer = xmlBufferCreate ();
    xmlNodeDump (buffer, def->doc, node, 0, 1);
    text = g_strdup ((const char *)xmlBufferContent (buffer));
    xmlBufferFree (buffer);
    break;
  }
  return text;
}

char *
xf_driver_domain_get_metadata (XfDriver *driver, const guint8 *uuid, int type, const char *uri, guint flags,
                               GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);
  char *text;

  if (!guest)
    return NULL;
  text = metadata_text (flags & VIR_DOMAIN_AFFECT_CONFIG && guest->persistent ? guest->persistent
                                                                              : xf_guest_current_def (guest),
                        type, uri);
  if (!text)
    g_set_error (error, XF_ERROR, XF_ERROR_NO_METADATA, "Requested metadata element is not present");
  return text;
}
