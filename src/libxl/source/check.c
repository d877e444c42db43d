/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The checks of begin before anything is sent: whether this guest can migrate with these parameters, and in which
 * form.
 */
#include "libxl/source/private.h"

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "libxl/guest/definitions.h"

static gboolean
check_guest (const XfGuest *guest, const XfMigrateParams *params, GError **error)
{
  gboolean offline = params->flags & VIR_MIGRATE_OFFLINE;

  if (guest->domid == 0) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID, "Domain-0 is this host itself and cannot be migrated");
    return FALSE;
  }
  if (!offline && guest->domid < 0) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
                 "domain is not running: domain '%s' can move only offline (virsh migrate --offline --persistent)",
                 guest->name);
    return FALSE;
  }
  if (offline && guest->domid >= 0) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
                 "domain '%s' is running: an offline migration moves only the definition of an inactive one",
                 guest->name);
    return FALSE;
  }
  if (!offline && guest->state != VIR_DOMAIN_RUNNING && guest->state != VIR_DOMAIN_PAUSED
      && guest->state != VIR_DOMAIN_BLOCKED) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
                 "domain '%s' can be migrated only while it is running or paused", guest->name);
    return FALSE;
  }
  return TRUE;
}

/* To track a running guest's writes, Xen needs paging that it can watch. */
static gboolean
check_live (XfDriver *driver, const XfGuest *guest, const XfMigrateParams *params, GError **error)
{
  gboolean pv = guest->def && guest->def->type == XF_GUEST_PV, can;
  libxl_physinfo info;

  if (!(params->flags & VIR_MIGRATE_LIVE) || params->flags & VIR_MIGRATE_OFFLINE)
    return TRUE;
  libxl_physinfo_init (&info);
  can = libxl_get_physinfo (xf_ctx_libxl (driver->ctx), &info) != 0 || info.cap_shadow || (!pv && info.cap_hap);
  libxl_physinfo_dispose (&info);
  if (!can)
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_UNSUPPORTED,
                 "domain '%s' is a %s guest, and to move it live Xen needs %s, which host '%s' does not have: move it "
                 "without --live, which suspends it meanwhile",
                 guest->name, pv ? "PV" : "PVH or HVM",
                 pv ? "shadow paging" : "shadow paging or hardware-assisted paging", driver->hostname);
  return can;
}

char *
xf_migrate_source_make_xml (XfGuest *guest, const XfMigrateParams *params, GError **error)
{
  const XfDomainDef *def = xf_guest_current_def (guest);
  g_autoptr (XfDomainDef) wanted = NULL;

  if (!params->destination_xml)
    return xf_domain_def_format (def, XF_DOMAIN_FORMAT_SECURE | XF_DOMAIN_FORMAT_MIGRATABLE, NULL);
  wanted = xf_domain_def_parse (params->destination_xml, XF_DOMAIN_PARSE_INACTIVE, error);
  if (!wanted || !xf_domain_def_check_abi (def, wanted, error)) {
    g_prefix_error (error, "--xml of the migration of domain '%s': ", guest->name);
    return NULL;
  }
  return xf_domain_def_format (wanted, XF_DOMAIN_FORMAT_SECURE | XF_DOMAIN_FORMAT_MIGRATABLE, NULL);
}

gboolean
xf_migrate_source_check (XfDriver *driver, const XfGuest *guest, const XfMigrateParams *params, GError **error)
{
  gboolean needs_definition = params->flags & (VIR_MIGRATE_OFFLINE | VIR_MIGRATE_UNDEFINE_SOURCE);

  /* The definition would move or be removed: only an undefine of this very guest may remove one that another program
   * wrote. */
  return (!needs_definition || xf_definitions_accepted (guest, error)) && check_guest (guest, params, error)
         && check_live (driver, guest, params, error);
}
