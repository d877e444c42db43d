/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * virConnectGetAllDomainStats: one function for each group.
 */
#include <libvirt/libvirt.h>

#include "base/error.h"
#include "libxl/guest/driver_private.h"
#include "libxl/guest/guest.h"

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

  xf_typed_params_add_uint (params, "vcpu.current", xf_guest_current_def (guest)->vcpus_current);
  xf_typed_params_add_uint (params, "vcpu.maximum", xf_guest_current_def (guest)->vcpus);
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
  guint filter = flags & 0xff; /* the bits of VIR_CONNECT_LIST_DOMAINS that this call accepts */
  g_autoptr (GPtrArray) records = g_ptr_array_new_with_free_func ((GDestroyNotify)xf_domain_stats_free);

  if (flags & VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS && stats & ~known) {
    g_set_error (error, XF_ERROR, XF_ERROR_ARGUMENT_UNSUPPORTED,
                 "Stats types bits 0x%x are not supported by this daemon", stats & ~known);
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

    if (xf_guest_is_visible (guest) && xf_guest_matches (guest, filter))
      g_ptr_array_add (records, collect (driver, guest, stats));
  }
  return g_steal_pointer (&records);
}
