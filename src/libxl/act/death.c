/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/act/death.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "libxl/guest/driver_private.h"
#include "libxl/guest/hook.h"
#include "libxl/act/lifecycle.h"
#include "libxl/guest/look.h"
#include "libxl/guest/job.h"
#include "libxl/xen/dominfo.h"

/* The time that another toolstack has to act on the end of its own guest. */
#define KEEPER_MS 2000

/* For each of Xen's reasons: the guest's action that applies, and the reported reason. */
typedef struct {
  int reason; /* virDomainShutoffReason */
  int detail; /* of the STOPPED event */
  XfAction (*action) (const XfDomainDef *def);
} Ending;

static XfAction
on_poweroff (const XfDomainDef *def)
{
  return def->on_poweroff;
}

static XfAction
on_reboot (const XfDomainDef *def)
{
  return def->on_reboot;
}

static XfAction
on_crash (const XfDomainDef *def)
{
  return def->on_crash;
}

static const Ending endings[] = {
  [LIBXL_SHUTDOWN_REASON_POWEROFF] = { VIR_DOMAIN_SHUTOFF_SHUTDOWN, VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN, on_poweroff },
  [LIBXL_SHUTDOWN_REASON_REBOOT] = { VIR_DOMAIN_SHUTOFF_SHUTDOWN, VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN, on_reboot },
  [LIBXL_SHUTDOWN_REASON_SUSPEND] = { 0 }, /* caused by a job */
  [LIBXL_SHUTDOWN_REASON_CRASH] = { VIR_DOMAIN_SHUTOFF_CRASHED, VIR_DOMAIN_EVENT_STOPPED_CRASHED, on_crash },
  [LIBXL_SHUTDOWN_REASON_WATCHDOG] = { VIR_DOMAIN_SHUTOFF_CRASHED, VIR_DOMAIN_EVENT_STOPPED_CRASHED, on_crash },
  [LIBXL_SHUTDOWN_REASON_SOFT_RESET] = { VIR_DOMAIN_SHUTOFF_SHUTDOWN, VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN, on_reboot },
};

static void
end_by_action (XfGuest *guest, const Ending *ending)
{
  XfAction action = ending->action (guest->def);

  switch (action) {
  case XF_ACTION_RESTART:
  case XF_ACTION_RENAME_RESTART:
  case XF_ACTION_COREDUMP_RESTART:
    xf_lifecycle_restart (guest, action);
    return;
  case XF_ACTION_PRESERVE:
    xf_guest_set_state (guest, ending->reason == VIR_DOMAIN_SHUTOFF_CRASHED ? VIR_DOMAIN_CRASHED : VIR_DOMAIN_SHUTDOWN,
                        0);
    return;
  case XF_ACTION_DESTROY:
  case XF_ACTION_COREDUMP_DESTROY:
    xf_lifecycle_clean_up (guest, action == XF_ACTION_COREDUMP_DESTROY, ending->reason, ending->detail);
    return;
  }
}

static void
shut_down (XfGuest *guest, int xen_reason)
{
  const Ending *ending;

  if (xen_reason < 0 || xen_reason >= (int)G_N_ELEMENTS (endings)) {
    g_warning ("domain '%s' ended for the unknown reason %d", guest->name, xen_reason);
    return;
  }
  ending = &endings[xen_reason];
  g_info ("domain '%s' has ended by itself (%s)", guest->name, libxl_shutdown_reason_to_string (xen_reason));
  if (xen_reason == LIBXL_SHUTDOWN_REASON_POWEROFF)
    xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_SHUTDOWN, VIR_DOMAIN_EVENT_SHUTDOWN_FINISHED);
  end_by_action (guest, ending);
}

static gboolean look_again (gpointer data);

/* xl leaves a process beside each guest it starts, which removes or restarts the guest when it ends; or none (xl
 * create -e). This daemon acts only if that process has done nothing. */
static void
leave_to_keeper (XfGuest *guest)
{
  if (!guest->keeper_id)
    guest->keeper_id = g_timeout_add (KEEPER_MS, look_again, guest);
}

/* Destroyed by another toolstack (xl destroy). */
static void
vanished (XfGuest *guest)
{
  g_info ("domain '%s' has been destroyed by another toolstack", guest->name);
  xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_DESTROYED);
  xf_hook_guest_vanished (guest);
  xf_guest_gone (guest, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED);
}

/* The guest's toolstack has kept the domain under another name and starts the guest again. The new domain is found
 * like every other one. */
static void
replaced (XfGuest *guest)
{
  g_info ("domain '%s' has ended, and is kept under another name by the toolstack that started it", guest->name);
  xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN);
  xf_hook_guest_vanished (guest);
  xf_guest_gone (guest, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_SHUTDOWN);
}

/* ---- while a job has the guest ---------------------------------------------------------------------------------
 *
 * libxl reports an end once. If a job has the guest then (a shutdown that still waits for the guest's
 * acknowledgement, a migration), nothing is done yet: Xen's state is read again when the job has ended. */

typedef struct {
  XfDriver *driver;
  guint8 uuid[XF_UUID_LENGTH];
  int domid;
} Later;

static gboolean look (gpointer data);

static Later *
later_new (XfGuest *guest)
{
  Later *later = g_new (Later, 1);

  *later = (Later){ .driver = guest->driver, .domid = guest->domid };
  memcpy (later->uuid, guest->uuid, XF_UUID_LENGTH);
  return later;
}

static gboolean
look (gpointer data)
{
  g_autofree Later *later = data;
  XfGuest *guest = xf_guest_find_uuid (later->driver, later->uuid);
  g_auto (XfDominfo) info = { 0 };
  int rc;

  if (!guest || guest->domid != later->domid)
    return G_SOURCE_REMOVE; /* the job has ended the domain itself */
  if (guest->job) {
    xf_job_when_ended (guest, look, g_steal_pointer (&later));
    return G_SOURCE_REMOVE;
  }
  guest->end_seen = FALSE;
  rc = xf_dominfo_get (later->driver->ctx, (guint32)later->domid, &info);
  if (rc == ERROR_DOMAIN_NOTFOUND)
    vanished (guest);
  else if (rc == 0 && xf_look_is_preserved (guest->driver, &info))
    replaced (guest);
  else if (rc == 0 && xf_look_shown (&info) == XF_SHOWN_ENDED && !xf_look_is_kept (guest))
    shut_down (guest, info.shutdown_reason);
  return G_SOURCE_REMOVE;
}

static const char *
how_it_ended (XfShown shown, int xen_reason)
{
  if (shown == XF_SHOWN_GONE)
    return "another toolstack has destroyed the guest meanwhile";
  switch (xen_reason) {
  case LIBXL_SHUTDOWN_REASON_POWEROFF:
    return "the guest has shut itself down meanwhile";
  case LIBXL_SHUTDOWN_REASON_REBOOT:
  case LIBXL_SHUTDOWN_REASON_SOFT_RESET:
    return "the guest has rebooted itself meanwhile";
  default:
    return "the guest has crashed meanwhile";
  }
}

const char *
xf_death_how (const XfGuest *guest)
{
  g_auto (XfDominfo) info = { 0 };
  int rc = xf_dominfo_get (guest->driver->ctx, (guint32)guest->domid, &info);

  if (rc == ERROR_DOMAIN_NOTFOUND)
    return how_it_ended (XF_SHOWN_GONE, 0);
  if (rc == 0 && (xf_look_shown (&info) == XF_SHOWN_GONE || xf_look_shown (&info) == XF_SHOWN_ENDED))
    return how_it_ended (xf_look_shown (&info), info.shutdown_reason);
  return NULL;
}

/* A migration must not wait for the guest any longer. */
static void
ended_in_job (XfGuest *guest, XfShown shown, int xen_reason)
{
  Later *later;

  if (guest->end_seen)
    return;
  guest->end_seen = TRUE;
  later = later_new (guest);
  xf_job_guest_ended (guest, how_it_ended (shown, xen_reason));
  if (guest->job)
    xf_job_when_ended (guest, look, later);
  else
    g_idle_add_full (G_PRIORITY_DEFAULT, look, later, NULL);
}

static void
resumed_late (const GError *error, gpointer data)
{
  if (error)
    g_warning ("cannot resume a guest that suspended after its migration had ended: %s", error->message);
}

/* The migration that asked the guest to suspend is over, and the guest stayed here: nothing waits for the suspend. */
static void
resume_late (XfGuest *guest)
{
  g_info ("domain '%s' suspended after its migration had ended: resuming it", guest->name);
  guest->may_suspend = FALSE;
  xf_guest_set_state (guest, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION);
  xf_driver_domain_resume (guest->driver, guest->uuid, resumed_late, NULL);
}

static gboolean
look_again (gpointer data)
{
  XfGuest *guest = data;

  guest->keeper_id = 0;
  return look (later_new (guest));
}

static void
ended (XfGuest *guest, int xen_reason)
{
  if (xf_look_is_kept (guest))
    return;
  if (guest->foreign)
    leave_to_keeper (guest);
  else
    shut_down (guest, xen_reason);
}

void
xf_death_compare (XfGuest *guest, const libxl_dominfo *info)
{
  XfShown shown = info ? xf_look_shown (info) : XF_SHOWN_GONE;
  int reason = info ? (int)info->shutdown_reason : 0;

  if (guest->domid <= 0 || guest->incoming || (info && info->dying))
    return;
  if (guest->job && (shown == XF_SHOWN_GONE || shown == XF_SHOWN_ENDED))
    ended_in_job (guest, shown, reason);
  else if (guest->job)
    return;
  else if (shown == XF_SHOWN_GONE)
    vanished (guest);
  else if (shown == XF_SHOWN_ENDED)
    ended (guest, reason);
  else if (shown == XF_SHOWN_SUSPENDED && guest->may_suspend)
    resume_late (guest);
  else
    xf_look_take (guest, shown);
}

static void
take_event (XfGuest *guest, const libxl_event *event)
{
  gboolean shutdown = event->type == LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN;

  int reason = shutdown ? event->u.domain_shutdown.shutdown_reason : 0;
  gboolean suspend = shutdown && reason == LIBXL_SHUTDOWN_REASON_SUSPEND;

  guest->watch_spent = guest->watch_spent || shutdown;
  if (suspend && guest->may_suspend && !guest->job)
    resume_late (guest);
  else if (suspend)
    xf_job_guest_suspended (guest);
  else if (guest->job)
    ended_in_job (guest, shutdown ? XF_SHOWN_ENDED : XF_SHOWN_GONE, reason);
  else if (shutdown)
    ended (guest, reason);
  else
    vanished (guest);
}

/* Runs from the loop, not from within libxl: it calls libxl again. */
static gboolean
dispatch (gpointer data)
{
  XfDriver *driver = data;
  libxl_event *event = g_queue_pop_head (&driver->libxl_events);
  XfGuest *guest = xf_guest_find_domid (driver, event->domid);

  if (guest && (event->type == LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN || event->type == LIBXL_EVENT_TYPE_DOMAIN_DEATH))
    take_event (guest, event);
  libxl_event_free (xf_ctx_libxl (driver->ctx), event);
  if (!g_queue_is_empty (&driver->libxl_events))
    return G_SOURCE_CONTINUE;
  driver->libxl_events_id = 0;
  return G_SOURCE_REMOVE;
}

static void
event_occurred (libxl_event *event, gpointer data)
{
  XfDriver *driver = data;

  g_queue_push_tail (&driver->libxl_events, event);
  if (!driver->libxl_events_id)
    driver->libxl_events_id = g_idle_add_full (G_PRIORITY_DEFAULT, dispatch, driver, NULL);
}

void
xf_death_start (XfDriver *driver)
{
  g_queue_init (&driver->libxl_events);
  xf_ctx_set_events (driver->ctx, event_occurred, driver);
}

void
xf_death_stop (XfDriver *driver)
{
  libxl_event *event;

  xf_ctx_set_events (driver->ctx, NULL, NULL);
  g_clear_handle_id (&driver->libxl_events_id, g_source_remove);
  while ((event = g_queue_pop_head (&driver->libxl_events)))
    libxl_event_free (xf_ctx_libxl (driver->ctx), event);
}
