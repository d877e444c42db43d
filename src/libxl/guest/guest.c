/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/guest/guest.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "libxl/guest/end_watch.h"
#include "libxl/guest/definitions.h"
#include "libxl/guest/driver_private.h"
#include "libxl/guest/removal.h"
#include "libxl/guest/store.h"

/* ---- registry --------------------------------------------------------------------------------------------- */

XfGuest *
xf_guest_find_uuid (XfDriver *driver, const guint8 *uuid)
{
  for (guint i = 0; i < driver->guests->len; i++) {
    XfGuest *guest = driver->guests->pdata[i];

    if (xf_uuid_equal (guest->uuid, uuid))
      return guest;
  }
  return NULL;
}

XfGuest *
xf_guest_find_name (XfDriver *driver, const char *name)
{
  for (guint i = 0; i < driver->guests->len; i++) {
    XfGuest *guest = driver->guests->pdata[i];

    if (g_str_equal (guest->name, name))
      return guest;
  }
  return NULL;
}

XfGuest *
xf_guest_find_domid (XfDriver *driver, int domid)
{
  for (guint i = 0; i < driver->guests->len; i++) {
    XfGuest *guest = driver->guests->pdata[i];

    if (guest->domid == domid && domid >= 0)
      return guest;
  }
  return NULL;
}

gboolean
xf_guest_is_visible (const XfGuest *guest)
{
  return guest->def || guest->persistent;
}

const XfDomainDef *
xf_guest_current_def (const XfGuest *guest)
{
  return guest->def ? guest->def : guest->persistent;
}

gboolean
xf_guest_matches (const XfGuest *guest, guint flags)
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

XfGuest *
xf_guest_find_or_error (XfDriver *driver, const guint8 *uuid, GError **error)
{
  XfGuest *guest = xf_guest_find_uuid (driver, uuid);
  g_autofree char *text = NULL;

  if (guest && xf_guest_is_visible (guest))
    return guest;
  text = xf_uuid_to_string (uuid);
  g_set_error (error, XF_ERROR, XF_ERROR_NO_DOMAIN, "no domain with matching uuid '%s'", text);
  return NULL;
}

static XfGuest *
guest_new (XfDriver *driver, const char *name, const guint8 *uuid)
{
  XfGuest *guest = g_new0 (XfGuest, 1);

  guest->driver = driver;
  guest->name = g_strdup (name);
  memcpy (guest->uuid, uuid, XF_UUID_LENGTH);
  guest->domid = -1;
  guest->state = VIR_DOMAIN_SHUTOFF;
  g_ptr_array_add (driver->guests, guest);
  return guest;
}

void
xf_guest_free (XfGuest *guest)
{
  xf_end_unwatch (guest);
  g_clear_handle_id (&guest->keeper_id, g_source_remove);
  xf_domain_def_free (guest->def);
  xf_domain_def_free (guest->persistent);
  g_clear_pointer (&guest->completed, g_array_unref);
  g_free (guest->file);
  g_free (guest->refused);
  g_free (guest->tty);
  g_free (guest->refused_name);
  g_free (guest->message);
  g_free (guest->name);
  g_free (guest);
}

static gboolean
taken (const XfGuest *guest, GError **error)
{
  g_autofree char *uuid = xf_uuid_to_string (guest->uuid);

  g_set_error (error, XF_ERROR, XF_ERROR_DOMAIN_EXISTS, "domain '%s' already exists with uuid %s%s%s%s", guest->name,
               uuid, guest->incoming ? " (it is being received by a migration)" : "", guest->refused ? "; " : "",
               guest->refused ? guest->refused : "");
  return FALSE;
}

static XfGuest *
claim (XfDriver *driver, const char *name, const guint8 *uuid, GError **error)
{
  XfGuest *by_uuid = xf_guest_find_uuid (driver, uuid), *by_name = xf_guest_find_name (driver, name);

  if (by_name != by_uuid) {
    taken (by_name ? by_name : by_uuid, error);
    return NULL;
  }
  return by_uuid ? by_uuid : guest_new (driver, name, uuid);
}

XfGuest *
xf_guest_claim (XfDriver *driver, const char *name, const guint8 *uuid, GError **error)
{
  XfGuest *guest = claim (driver, name, uuid, error);

  if (!guest || !guest->incoming)
    return guest;
  taken (guest, error);
  return NULL;
}

XfGuest *
xf_guest_reserve_incoming (XfDriver *driver, const char *name, const guint8 *uuid, GError **error)
{
  XfGuest *guest = xf_guest_claim (driver, name, uuid, error);

  if (!guest)
    return NULL;
  if (guest->domid >= 0 || guest->job) {
    taken (guest, error);
    return NULL;
  }
  if (xf_removal_find (driver, uuid)) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
                 "domain %u, which is left of '%s' here, is still being removed: try again later",
                 xf_removal_find (driver, uuid), name);
    xf_guest_release_if_unneeded (guest);
    return NULL;
  }
  xf_guest_set_incoming (guest, TRUE);
  return guest;
}

void
xf_guest_set_incoming (XfGuest *guest, gboolean incoming)
{
  guest->incoming = incoming;
}

void
xf_guest_release_incoming (XfGuest *guest)
{
  xf_guest_set_incoming (guest, FALSE);
  xf_guest_release_if_unneeded (guest);
}

void
xf_guest_release_if_unneeded (XfGuest *guest)
{
  if (guest->def || guest->persistent || guest->incoming || guest->job)
    return;
  g_ptr_array_remove (guest->driver->guests, guest);
}

XfDomainRef *
xf_guest_ref (const XfGuest *guest)
{
  return xf_domain_ref_new (guest->name, guest->uuid, guest->domid);
}

/* ---- changes of its state --------------------------------------------------------------------------------- */

void
xf_guest_now_running (XfGuest *guest, int domid, XfDomainDef *def, int state, int reason)
{
  char *tty = NULL;

  guest->domid = domid;
  xf_domain_def_free (guest->def);
  guest->def = def;
  xf_guest_set_message (guest, NULL);
  g_clear_pointer (&guest->tty, g_free);
  if (domid > 0 && libxl_primary_console_get_tty (xf_ctx_libxl (guest->driver->ctx), domid, &tty) == 0 && tty)
    guest->tty = g_strdup (tty);
  free (tty); /* libxl allocates with malloc */
  xf_end_watch (guest);
  xf_store_write_userdata (guest);
  xf_guest_set_state (guest, state, reason);
  xf_guest_set_incoming (guest, FALSE);
}

void
xf_guest_gone (XfGuest *guest, int state, int reason)
{
  xf_end_unwatch (guest);
  g_clear_handle_id (&guest->keeper_id, g_source_remove);
  guest->foreign = FALSE;
  guest->may_suspend = FALSE;
  guest->end_seen = FALSE;
  g_clear_pointer (&guest->refused_name, g_free);
  guest->domid = -1;
  g_clear_pointer (&guest->def, xf_domain_def_free);
  g_clear_pointer (&guest->tty, g_free);
  xf_guest_set_message (guest, NULL);
  guest->state = state;
  guest->reason = reason;
  xf_store_remove_status (guest);
  xf_guest_release_if_unneeded (guest);
}

void
xf_guest_set_state (XfGuest *guest, int state, int reason)
{
  guest->state = state;
  guest->reason = reason;
  xf_store_write_status (guest);
}

void
xf_guest_set_message (XfGuest *guest, const char *message)
{
  g_free (guest->message);
  guest->message = g_strdup (message);
}

gboolean
xf_guest_make_persistent (XfGuest *guest, XfDomainDef *def, GError **error)
{
  if (!xf_definitions_allow (guest->driver, def->name, guest->uuid, error)
      || !xf_store_write_definition (guest, def, error))
    return FALSE;
  xf_domain_def_free (guest->persistent);
  guest->persistent = def;
  return TRUE;
}

void
xf_guest_remove_persistent (XfGuest *guest)
{
  xf_store_remove_definition (guest);
  xf_journal_guest_is_here (guest->driver->journal, guest->uuid);
  g_clear_pointer (&guest->persistent, xf_domain_def_free);
  g_clear_pointer (&guest->file, g_free);
  g_clear_pointer (&guest->refused, g_free);
  guest->autostart = FALSE;
  xf_guest_release_if_unneeded (guest);
}

static void
emit (XfGuest *guest, XfEvent *event)
{
  g_autoptr (XfDomainRef) ref = xf_guest_ref (guest);

  event->ref = ref;
  if (guest->driver->listener)
    guest->driver->listener (event, guest->driver->listener_data);
}

void
xf_guest_emit_lifecycle (XfGuest *guest, int event, int detail)
{
  emit (guest, &(XfEvent){ .id = VIR_DOMAIN_EVENT_ID_LIFECYCLE, .event = event, .detail = detail });
}

void
xf_guest_emit_iteration (XfGuest *guest, int iteration)
{
  emit (guest, &(XfEvent){ .id = VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, .iteration = iteration });
}

void
xf_guest_emit_job_completed (XfGuest *guest, const XfTypedParams *params)
{
  emit (guest, &(XfEvent){ .id = VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, .params = params });
}
