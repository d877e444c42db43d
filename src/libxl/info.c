/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Looking at guests, and their definitions: everything here is instant and takes no job.
 */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "conf/xml.h"
#include "libxl/driver_private.h"
#include "libxl/guest.h"
#include "libxl/store.h"

/* ---- list and lookup -------------------------------------------------------------------------------------- */

/* Groups of flags: a group filters only when some of its bits are set. */
static gboolean
matches (const XfGuest *guest, guint flags)
{
  gboolean active = guest->domid >= 0;
  guint is = active ? VIR_CONNECT_LIST_DOMAINS_ACTIVE : VIR_CONNECT_LIST_DOMAINS_INACTIVE;
  static const guint groups[] = {
    VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_INACTIVE,
    VIR_CONNECT_LIST_DOMAINS_PERSISTENT | VIR_CONNECT_LIST_DOMAINS_TRANSIENT,
    VIR_CONNECT_LIST_DOMAINS_RUNNING | VIR_CONNECT_LIST_DOMAINS_PAUSED | VIR_CONNECT_LIST_DOMAINS_SHUTOFF
      | VIR_CONNECT_LIST_DOMAINS_OTHER,
    VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE | VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE,
    VIR_CONNECT_LIST_DOMAINS_AUTOSTART | VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART,
    VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT | VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT,
    VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT | VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT,
  };

  is |= guest->persistent ? VIR_CONNECT_LIST_DOMAINS_PERSISTENT : VIR_CONNECT_LIST_DOMAINS_TRANSIENT;
  is |= guest->autostart ? VIR_CONNECT_LIST_DOMAINS_AUTOSTART : VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART;
  is |= VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE | VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT
        | VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT;
  is |= guest->state == VIR_DOMAIN_RUNNING   ? VIR_CONNECT_LIST_DOMAINS_RUNNING
        : guest->state == VIR_DOMAIN_PAUSED  ? VIR_CONNECT_LIST_DOMAINS_PAUSED
        : guest->state == VIR_DOMAIN_SHUTOFF ? VIR_CONNECT_LIST_DOMAINS_SHUTOFF
                                             : VIR_CONNECT_LIST_DOMAINS_OTHER;
  for (gsize i = 0; i < G_N_ELEMENTS (groups); i++) {
    if ((flags & groups[i]) && !(flags & groups[i] & is))
      return FALSE;
  }
  return TRUE;
}

GPtrArray *
xf_driver_list (XfDriver *driver, guint flags, GError **error)
{
  GPtrArray *list = g_ptr_array_new_with_free_func ((GDestroyNotify)xf_domain_ref_free);

  for (guint i = 0; i < driver->guests->len; i++) {
    XfGuest *guest = driver->guests->pdata[i];

    if (xf_guest_is_visible (guest) && matches (guest, flags))
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

static const XfDomainDef *
current_def (const XfGuest *guest)
{
  return guest->def ? guest->def : guest->persistent;
}

gboolean
xf_driver_domain_info (XfDriver *driver, const guint8 *uuid, XfDomainInfo *info_out, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);
  libxl_dominfo info;

  if (!guest)
    return FALSE;
  *info_out = (XfDomainInfo){
    .state = guest->state,
    .max_memory_kib = current_def (guest)->memory_kib,
    .memory_kib = current_def (guest)->current_kib,
    .vcpus = current_def (guest)->vcpus_current,
  };
  if (guest->domid < 0)
    return TRUE;
  libxl_dominfo_init (&info);
  if (libxl_domain_info (xf_ctx_libxl (driver->ctx), &info, guest->domid) == 0) {
    info_out->memory_kib = info.current_memkb;
    info_out->cpu_time_ns = info.cpu_time;
    if (guest->domid == 0)
      info_out->max_memory_kib = MIN (info.max_memkb, (uint64_t)G_MAXINT64 / 1024);
    if (info.vcpu_online)
      info_out->vcpus = info.vcpu_online;
  }
  libxl_dominfo_dispose (&info);
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

  return guest ? xf_guest_type_api (current_def (guest)->type) : NULL;
}

/* The VNC port libxl chose is in the guest's configuration only as "display"; an automatic one is not known. */
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
  if (inactive)
    return xf_domain_def_format (guest->persistent, format | XF_DOMAIN_FORMAT_INACTIVE, NULL);
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

  /* Live changes are not served yet, so a running guest never differs from what it was started as. */
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

gboolean
xf_driver_domain_set_autostart (XfDriver *driver, const guint8 *uuid, gboolean yes, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);

  if (!guest)
    return FALSE;
  if (!guest->persistent) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID, "cannot set autostart for transient domain");
    return FALSE;
  }
  return xf_store_set_autostart (guest, yes, error);
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
      .state = list[i].running ? VIR_VCPU_RUNNING : list[i].blocked ? VIR_VCPU_BLOCKED : VIR_VCPU_OFFLINE,
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
  def = flags & VIR_DOMAIN_VCPU_CONFIG ? guest->persistent : current_def (guest);
  return flags & VIR_DOMAIN_VCPU_MAXIMUM ? def->vcpus : def->vcpus_current;
}

char **
xf_driver_domain_messages (XfDriver *driver, const guint8 *uuid, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);
  char **messages;

  if (!guest)
    return NULL;
  messages = g_new0 (char *, 2);
  messages[0] = g_strdup (guest->message);
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
  text = metadata_text (flags & VIR_DOMAIN_AFFECT_CONFIG && guest->persistent ? guest->persistent : current_def (guest),
                        type, uri);
  if (!text)
    g_set_error (error, XF_ERROR, XF_ERROR_NO_METADATA, "Requested metadata element is not present");
  return text;
}

/* ---- definitions ------------------------------------------------------------------------------------------ */

XfDomainRef *
xf_driver_domain_define (XfDriver *driver, const char *xml, guint flags, GError **error)
{
  g_autoptr (XfDomainDef) def = NULL;
  gboolean existed;
  XfGuest *guest;

  if (flags & ~(guint)VIR_DOMAIN_DEFINE_VALIDATE) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "unsupported flags (0x%x) for defining a domain", flags);
    return NULL;
  }
  def = xf_domain_def_parse (xml, XF_DOMAIN_PARSE_INACTIVE, error);
  guest = def ? xf_guest_claim (driver, def->name, def->uuid, error) : NULL;
  if (!guest)
    return NULL;
  existed = guest->persistent != NULL;
  if (!xf_guest_make_persistent (guest, def, error)) {
    xf_guest_release_if_unneeded (guest);
    return NULL;
  }
  def = NULL; /* the guest's now */
  xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_DEFINED,
                           existed ? VIR_DOMAIN_EVENT_DEFINED_UPDATED : VIR_DOMAIN_EVENT_DEFINED_ADDED);
  return xf_guest_ref (guest);
}

gboolean
xf_driver_domain_undefine (XfDriver *driver, const guint8 *uuid, guint flags, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);
  /* There is nothing of the kind to remove: asking for it is fine. */
  guint served = VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA | VIR_DOMAIN_UNDEFINE_NVRAM
                 | VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA;

  if (!guest)
    return FALSE;
  if (flags & ~served) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "unsupported flags (0x%x) for undefining a domain", flags);
    return FALSE;
  }
  if (!guest->persistent) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID, "cannot undefine transient domain");
    return FALSE;
  }
  if (guest->incoming) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID, "domain '%s' is being received by a migration",
                 guest->name);
    return FALSE;
  }
  xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_UNDEFINED, VIR_DOMAIN_EVENT_UNDEFINED_REMOVED);
  xf_guest_remove_persistent (guest);
  return TRUE;
}

/* ---- statistics ------------------------------------------------------------------------------------------- */

static void
add_state (XfDriver *driver, XfGuest *guest, XfTypedParams *params)
{
  xf_typed_params_add_int (params, "state.state", guest->state);
  xf_typed_params_add_int (params, "state.reason", guest->reason);
}

static void
add_cpu (XfDriver *driver, XfGuest *guest, XfTypedParams *params)
{
  XfDomainInfo info;

  if (guest->domid >= 0 && xf_driver_domain_info (driver, guest->uuid, &info, NULL))
    xf_typed_params_add_ullong (params, "cpu.time", info.cpu_time_ns);
}

static void
add_balloon (XfDriver *driver, XfGuest *guest, XfTypedParams *params)
{
  XfDomainInfo info;

  if (!xf_driver_domain_info (driver, guest->uuid, &info, NULL))
    return;
  xf_typed_params_add_ullong (params, "balloon.current", info.memory_kib);
  xf_typed_params_add_ullong (params, "balloon.maximum", info.max_memory_kib);
}

static void
add_vcpus (XfDriver *driver, XfGuest *guest, XfTypedParams *params)
{
  g_autoptr (GArray) vcpus = guest->domid >= 0 ? xf_driver_domain_vcpus (driver, guest->uuid, NULL) : NULL;

  xf_typed_params_add_uint (params, "vcpu.current", current_def (guest)->vcpus_current);
  xf_typed_params_add_uint (params, "vcpu.maximum", current_def (guest)->vcpus);
  for (guint i = 0; vcpus && i < vcpus->len; i++) {
    const XfVcpuInfo *vcpu = &g_array_index (vcpus, XfVcpuInfo, i);
    g_autofree char *state = g_strdup_printf ("vcpu.%u.state", i), *time = g_strdup_printf ("vcpu.%u.time", i);

    xf_typed_params_add_int (params, state, vcpu->state);
    xf_typed_params_add_ullong (params, time, vcpu->cpu_time_ns);
  }
}

static const struct {
  guint group;
  void (*add) (XfDriver *driver, XfGuest *guest, XfTypedParams *params);
} stats_groups[] = {
  { VIR_DOMAIN_STATS_STATE, add_state },
  { VIR_DOMAIN_STATS_CPU_TOTAL, add_cpu },
  { VIR_DOMAIN_STATS_BALLOON, add_balloon },
  { VIR_DOMAIN_STATS_VCPU, add_vcpus },
};

static XfDomainStats *
collect (XfDriver *driver, XfGuest *guest, guint stats)
{
  XfDomainStats *record = g_new0 (XfDomainStats, 1);

  record->ref = xf_guest_ref (guest);
  record->params = xf_typed_params_new ();
  for (gsize i = 0; i < G_N_ELEMENTS (stats_groups); i++) {
    if (!stats || stats & stats_groups[i].group)
      stats_groups[i].add (driver, guest, record->params);
  }
  return record;
}

GPtrArray *
xf_driver_domain_stats (XfDriver *driver, const guint8 *uuids, guint n, guint stats, guint flags, GError **error)
{
  guint known = VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_BALLOON | VIR_DOMAIN_STATS_VCPU;
  guint filter = flags & 0xff; /* the bits of VIR_CONNECT_LIST_DOMAINS that this call takes */
  g_autoptr (GPtrArray) records = g_ptr_array_new_with_free_func ((GDestroyNotify)xf_domain_stats_free);

  if (flags & VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS && stats & ~known) {
    g_set_error (error, XF_ERROR, XF_ERROR_ARGUMENT_UNSUPPORTED, "Stats types bits 0x%x are not supported by this daemon",
                 stats & ~known);
    return NULL;
  }
  for (guint i = 0; i < n; i++) {
    XfGuest *guest = xf_guest_find_or_error (driver, uuids + i * XF_UUID_LENGTH, error);

    if (!guest)
      return NULL;
    g_ptr_array_add (records, collect (driver, guest, stats));
  }
  for (guint i = 0; n == 0 && i < driver->guests->len; i++) {
    XfGuest *guest = driver->guests->pdata[i];

    if (xf_guest_is_visible (guest) && matches (guest, filter))
      g_ptr_array_add (records, collect (driver, guest, stats));
  }
  return g_steal_pointer (&records);
}
