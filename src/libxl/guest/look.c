/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/guest/look.h"

#include <libvirt/libvirt.h>
#include <libxl_utils.h>
#include <stdlib.h>

#include "base/error.h"
#include "conf/domain_name.h"
#include "libxl/guest/end_watch.h"
#include "libxl/guest/definitions.h"
#include "libxl/guest/driver_private.h"
#include "libxl/guest/removal.h"
#include "libxl/guest/store.h"
#include "libxl/xen/dominfo.h"

/* The name of a guest during xl's own migration. */
#define XL_INCOMING "--incoming"
#define XL_OUTGOING "--migratedaway"

/* The suffix that xl gives to the name of a guest that it keeps after its end; this driver does the same. */
#define PRESERVED "-[0-9]{8}T[0-9]{4}Z$"

/* ---- its state -------------------------------------------------------------------------------------------- */

XfShown
xf_look_shown (const libxl_dominfo *info)
{
  if (info->dying)
    return XF_SHOWN_GONE;
  if (info->shutdown)
    return info->shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND ? XF_SHOWN_SUSPENDED : XF_SHOWN_ENDED;
  return info->paused ? XF_SHOWN_PAUSED : XF_SHOWN_RUNNING;
}

XfShown
xf_look_at (const XfGuest *guest)
{
  g_auto (XfDominfo) info = { 0 };
  int rc = xf_dominfo_get (guest->driver->ctx, (guint32)guest->domid, &info);

  if (rc == ERROR_DOMAIN_NOTFOUND)
    return XF_SHOWN_GONE;
  return rc == 0 ? xf_look_shown (&info) : XF_SHOWN_UNKNOWN;
}

gboolean
xf_look_is_kept (const XfGuest *guest)
{
  return guest->state == VIR_DOMAIN_CRASHED || guest->state == VIR_DOMAIN_SHUTDOWN;
}

void
xf_look_judge (const libxl_dominfo *info, int *state, int *reason)
{
  XfShown shown = xf_look_shown (info);

  if (shown == XF_SHOWN_SUSPENDED) {
    *state = VIR_DOMAIN_PAUSED;
    *reason = VIR_DOMAIN_PAUSED_MIGRATION;
  } else if (shown == XF_SHOWN_ENDED && (*state == VIR_DOMAIN_CRASHED || *state == VIR_DOMAIN_SHUTDOWN)) {
    return; /* kept */
  } else if (info->paused && *state != VIR_DOMAIN_PAUSED) {
    *state = VIR_DOMAIN_PAUSED;
    *reason = VIR_DOMAIN_PAUSED_UNKNOWN;
  } else if (!info->paused && *state != VIR_DOMAIN_RUNNING) {
    *state = VIR_DOMAIN_RUNNING;
    *reason = VIR_DOMAIN_RUNNING_UNKNOWN;
  }
}

static gboolean
is_preserved_name (const char *name)
{
  return g_regex_match_simple (PRESERVED, name, G_REGEX_RAW, 0);
}

gboolean
xf_look_is_preserved (XfDriver *driver, const libxl_dominfo *info)
{
  gboolean preserved;
  char *name; /* of malloc */

  if (xf_look_shown (info) != XF_SHOWN_ENDED)
    return FALSE;
  name = libxl_domid_to_name (xf_ctx_libxl (driver->ctx), info->domid);
  preserved = name && is_preserved_name (name);
  free (name);
  return preserved;
}

static void
now_paused (XfGuest *guest, gboolean suspended)
{
  g_info ("domain '%s' has been %s by another toolstack", guest->name, suspended ? "suspended" : "paused");
  xf_guest_set_state (guest, VIR_DOMAIN_PAUSED, suspended ? VIR_DOMAIN_PAUSED_MIGRATION : VIR_DOMAIN_PAUSED_UNKNOWN);
  if (suspended)
    xf_guest_set_message (guest,
                          "another toolstack has suspended it, to migrate or save it: when that has ended, and it "
                          "does not run elsewhere, use virsh resume");
  xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
}

static void
now_running (XfGuest *guest)
{
  g_info ("domain '%s' has been resumed by another toolstack", guest->name);
  xf_guest_set_message (guest, NULL);
  xf_guest_set_state (guest, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED);
  xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_UNPAUSED);
}

void
xf_look_take (XfGuest *guest, XfShown shown)
{
  gboolean lives = shown == XF_SHOWN_RUNNING || shown == XF_SHOWN_PAUSED;

  if (guest->job || guest->incoming || guest->domid <= 0)
    return;
  if ((shown == XF_SHOWN_PAUSED || shown == XF_SHOWN_SUSPENDED) && guest->state != VIR_DOMAIN_PAUSED)
    now_paused (guest, shown == XF_SHOWN_SUSPENDED);
  else if (shown == XF_SHOWN_RUNNING && guest->state != VIR_DOMAIN_RUNNING)
    now_running (guest);
  if (lives && guest->watch_spent)
    xf_end_watch (guest);
}

void
xf_look_again (XfGuest *guest)
{
  if (guest->domid > 0 && !guest->job)
    xf_look_take (guest, xf_look_at (guest));
}

gboolean
xf_look_check_alive (const XfGuest *guest, XfShown shown, const char *what, GError **error)
{
  if (shown == XF_SHOWN_ENDED)
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
                 "cannot %s domain '%s': it has %s and does not run any more; remove its domain with virsh "
                 "destroy",
                 what, guest->name, guest->state == VIR_DOMAIN_CRASHED ? "crashed" : "ended");
  else if (shown == XF_SHOWN_GONE)
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
                 "cannot %s domain '%s': it is not running any more, another toolstack has destroyed it", what,
                 guest->name);
  else
    return TRUE;
  return FALSE;
}

/* ---- its name --------------------------------------------------------------------------------------------- */

/* Renames the definition first, if there is one: a failure leaves everything as it was. */
static gboolean
rename_definition (XfGuest *guest, const char *name, GError **error)
{
  g_autoptr (XfDomainDef) renamed = NULL;
  gboolean elsewhere = guest->file != NULL;

  if (!guest->persistent)
    return TRUE;
  renamed = xf_domain_def_copy (guest->persistent);
  if (!xf_domain_def_set_name (renamed, name, error) || !xf_store_write_definition (guest, renamed, error))
    return FALSE;
  /* A definition that was read from a file of another name was removed from there already. */
  if (!elsewhere)
    xf_store_remove_definition (guest);
  xf_domain_def_free (guest->persistent);
  guest->persistent = g_steal_pointer (&renamed);
  return TRUE;
}

static void
take_name (XfGuest *guest, const char *name)
{
  g_autofree char *before = g_steal_pointer (&guest->name);

  guest->name = g_strdup (name);
  if (guest->def)
    (void)xf_domain_def_set_name (guest->def, name, NULL); /* the name was checked */
  if (guest->persistent && guest->autostart && !xf_store_set_autostart (guest, TRUE, NULL))
    g_warning ("domain '%s' does not start with the host any more: its link could not be made", name);
  xf_store_write_status (guest);
  xf_store_write_userdata (guest);
  if (guest->persistent)
    xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_DEFINED, VIR_DOMAIN_EVENT_DEFINED_RENAMED);
  g_info ("domain '%s' is called '%s' now: another toolstack has renamed it", before, name);
}

static gboolean
may_be_called (XfGuest *guest, const char *name, GError **error)
{
  if (!xf_domain_name_check (name, error) || !xf_definitions_allow (guest->driver, name, guest->uuid, error))
    return FALSE;
  if (!xf_guest_find_name (guest->driver, name))
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_DOMAIN_EXISTS, "another domain has that name here");
  return FALSE;
}

static void
follow (XfGuest *guest, const char *name)
{
  g_autoptr (GError) error = NULL;

  if (may_be_called (guest, name, &error) && rename_definition (guest, name, &error)) {
    take_name (guest, name);
    g_clear_pointer (&guest->refused_name, g_free);
  } else if (g_strcmp0 (guest->refused_name, name) != 0) {
    g_autofree char *printable = g_strescape (name, NULL);

    g_free (guest->refused_name);
    guest->refused_name = g_strdup (name);
    g_warning ("domain '%s' is called '%s' by another toolstack, and stays '%s' here: %s", guest->name, printable,
               guest->name, error->message);
  }
}

void
xf_look_follow_name (XfGuest *guest)
{
  char *name; /* of malloc */

  if (guest->job || guest->incoming || guest->domid <= 0 || xf_removal_has (guest->driver, guest->domid))
    return;
  name = libxl_domid_to_name (xf_ctx_libxl (guest->driver->ctx), guest->domid);
  if (name && *name && !g_str_equal (name, guest->name) && !g_str_has_suffix (name, XL_INCOMING)
      && !g_str_has_suffix (name, XL_OUTGOING) && !is_preserved_name (name))
    follow (guest, name);
  free (name);
}
