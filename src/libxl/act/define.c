/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Definitions and autostart: the settings that outlive a guest's run. Every call is instant except for the disk.
 */
#include <libvirt/libvirt.h>

#include "base/error.h"
#include "libxl/guest/driver_private.h"
#include "libxl/guest/guest.h"
#include "libxl/act/restart.h"
#include "libxl/guest/job.h"
#include "libxl/guest/store.h"

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
  def = NULL; /* the guest has taken it */
  xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_DEFINED,
                           existed ? VIR_DOMAIN_EVENT_DEFINED_UPDATED : VIR_DOMAIN_EVENT_DEFINED_ADDED);
  return xf_guest_ref (guest);
}

gboolean
xf_driver_domain_undefine (XfDriver *driver, const guint8 *uuid, guint flags, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);
  /* These objects do not exist here, so asking for their removal is harmless. */
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
  if (xf_job_needs_definition (guest)) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
                 "domain '%s' has been sent to another host, which has not answered yet whether it runs there: its "
                 "definition stays until that is known (see xenferry migrations)",
                 guest->name);
    return FALSE;
  }
  (void)xf_restart_stop (guest, NULL, NULL); /* the guest has a definition, so it stays */
  xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_UNDEFINED, VIR_DOMAIN_EVENT_UNDEFINED_REMOVED);
  xf_guest_remove_persistent (guest);
  return TRUE;
}
