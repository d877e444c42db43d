/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pause, resume, and requests to the guest to end: short jobs on a running guest.
 */
#include <libvirt/libvirt.h>

#include "base/error.h"
#include "libxl/guest/end_watch.h"
#include "libxl/guest/driver_private.h"
#include "libxl/guest/look.h"
#include "libxl/guest/job.h"
#include "libxl/guest/operation.h"

/* ---- pause and resume ------------------------------------------------------------------------------------- */

static void
paused (int rc, gpointer data)
{
  XfOperation *operation = data;
  XfGuest *guest = operation->guest;

  if (rc != 0) {
    xf_operation_finish_rc (operation, rc);
    return;
  }
  xf_guest_set_state (guest, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
  xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
  xf_operation_finish (operation, NULL);
}

/* The state on which a command acts. During a job the remembered state counts: the job has set it. But a guest that
 * another toolstack has paused counts as paused. */
static XfShown
shown_now (XfGuest *guest)
{
  XfShown shown = xf_look_at (guest);

  if ((guest->job && shown != XF_SHOWN_PAUSED) || shown == XF_SHOWN_UNKNOWN)
    shown = guest->state == VIR_DOMAIN_PAUSED    ? XF_SHOWN_PAUSED
            : guest->state == VIR_DOMAIN_RUNNING ? XF_SHOWN_RUNNING
                                                 : XF_SHOWN_ENDED;
  xf_look_take (guest, shown);
  return shown;
}

void
xf_driver_domain_suspend (XfDriver *driver, const guint8 *uuid, XfDone done, gpointer data)
{
  GError *error = NULL;
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, &error);
  XfOperation *operation = NULL;
  XfShown shown;
  XfAo *ao;

  if (guest && xf_operation_check_active (guest, &error)) {
    shown = shown_now (guest);
    if (shown == XF_SHOWN_PAUSED || shown == XF_SHOWN_SUSPENDED) {
      xf_operation_answer (done, NULL, data, NULL, NULL);
      return;
    }
    if (xf_job_hold_still (guest, done, data))
      return;
    if (xf_look_check_alive (guest, shown, "pause", &error))
      operation = xf_operation_begin (guest, XF_JOB_SUSPEND, "pause", done, NULL, data, &error);
  }
  if (!operation) {
    xf_operation_answer (done, NULL, data, error, NULL);
    return;
  }
  ao = xf_operation_ao (operation, paused);
  xf_ao_started (ao, libxl_domain_pause (xf_operation_libxl (operation), guest->domid, xf_ao_how (ao)));
}

static void
unpaused (int rc, gpointer data)
{
  XfOperation *operation = data;
  XfGuest *guest = operation->guest;

  if (rc != 0) {
    xf_operation_finish_rc (operation, rc);
    return;
  }
  /* libxl reports one end of a domain to each watch, and a suspend counts as an end. */
  if (guest->watch_spent || guest->reason == VIR_DOMAIN_PAUSED_MIGRATION)
    xf_end_watch (guest);
  xf_guest_set_message (guest, NULL);
  xf_guest_set_state (guest, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED);
  xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_UNPAUSED);
  xf_operation_finish (operation, NULL);
}

void
xf_driver_domain_resume (XfDriver *driver, const guint8 *uuid, XfDone done, gpointer data)
{
  GError *error = NULL;
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, &error);
  XfOperation *operation = NULL;
  XfShown shown;
  libxl_ctx *libxl;
  XfAo *ao;

  if (guest && xf_job_decide (guest, TRUE, "virsh resume", done, data))
    return;
  if (guest && xf_operation_check_active (guest, &error)) {
    shown = shown_now (guest);
    if (shown == XF_SHOWN_RUNNING) {
      xf_operation_answer (done, NULL, data, NULL, NULL);
      return;
    }
    if (xf_look_check_alive (guest, shown, "resume", &error))
      operation = xf_operation_begin (guest, XF_JOB_RESUME, "resume", done, NULL, data, &error);
  }
  if (!operation) {
    xf_operation_answer (done, NULL, data, error, NULL);
    return;
  }
  libxl = xf_operation_libxl (operation);
  ao = xf_operation_ao (operation, unpaused);
  /* A guest that a migration left suspended is resumed; a paused guest is unpaused. */
  if (shown == XF_SHOWN_SUSPENDED)
    xf_ao_started (ao, libxl_domain_resume (libxl, guest->domid, 1, xf_ao_how (ao)));
  else
    xf_ao_started (ao, libxl_domain_unpause (libxl, guest->domid, xf_ao_how (ao)));
}

/* ---- requests to the guest -------------------------------------------------------------------------------- */

static void
asked (int rc, gpointer data)
{
  XfOperation *operation = data;

  if (rc != 0)
    xf_operation_finish_rc (operation, rc);
  else
    xf_operation_finish (operation, NULL);
}

static void
asked_by_pv (int rc, gpointer data)
{
  XfOperation *operation = data;
  gboolean reboot = g_str_equal (operation->what, "reboot");
  XfAo *ao;

  if (rc != ERROR_NOPARAVIRT) {
    asked (rc, operation);
    return;
  }
  /* A guest without Xen's drivers has at most an ACPI button. */
  ao = xf_operation_ao (operation, asked);
  xf_ao_started (ao, libxl_send_trigger (xf_operation_libxl (operation), operation->guest->domid,
                                         reboot ? LIBXL_TRIGGER_RESET : LIBXL_TRIGGER_POWER, 0, xf_ao_how (ao)));
}

static void
ask (XfDriver *driver, const guint8 *uuid, gboolean reboot, guint flags, guint served, XfDone done, gpointer data)
{
  GError *error = NULL;
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, &error);
  const char *what = reboot ? "reboot" : "shut down";
  XfOperation *operation = NULL;
  libxl_ctx *libxl;
  XfAo *ao;

  if (guest && flags & ~served)
    g_set_error (&error, XF_ERROR, XF_ERROR_INVALID_ARG, "unsupported flags (0x%x) to %s a domain", flags, what);
  else if (guest && xf_operation_check_active (guest, &error)
           && xf_look_check_alive (guest, shown_now (guest), what, &error))
    operation = xf_operation_begin (guest, XF_JOB_SHUTDOWN, what, done, NULL, data, &error);
  if (!operation) {
    xf_operation_answer (done, NULL, data, error, NULL);
    return;
  }
  libxl = xf_operation_libxl (operation);
  if (flags == VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN && !reboot) {
    ao = xf_operation_ao (operation, asked);
    xf_ao_started (ao, libxl_send_trigger (libxl, guest->domid, LIBXL_TRIGGER_POWER, 0, xf_ao_how (ao)));
    return;
  }
  ao = xf_operation_ao (operation, asked_by_pv);
  xf_ao_started (ao, reboot ? libxl_domain_reboot (libxl, guest->domid, xf_ao_how (ao))
                            : libxl_domain_shutdown (libxl, guest->domid, xf_ao_how (ao)));
}

void
xf_driver_domain_shutdown (XfDriver *driver, const guint8 *uuid, guint flags, XfDone done, gpointer data)
{
  ask (driver, uuid, FALSE, flags, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN | VIR_DOMAIN_SHUTDOWN_PARAVIRT, done, data);
}

void
xf_driver_domain_reboot (XfDriver *driver, const guint8 *uuid, guint flags, XfDone done, gpointer data)
{
  ask (driver, uuid, TRUE, flags, VIR_DOMAIN_REBOOT_PARAVIRT, done, data);
}
