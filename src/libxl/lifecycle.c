/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One object an operation: it holds the guest's job from the call to its answer.
 */
#include "libxl/lifecycle.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "libxl/ao.h"
#include "libxl/config.h"
#include "libxl/death.h"
#include "libxl/driver_private.h"

typedef struct {
  XfGuest *guest;
  XfJob job;
  XfDone done;
  XfRefDone ref_done;
  gpointer data;
  const char *what; /* "start", for errors */
  XfAo *ao;         /* libxl's present step */

  /* start */
  libxl_domain_config config;
  gboolean has_config;
  XfDomainDef *def;
  uint32_t domid;
  gboolean paused;

  /* an end: what is told */
  int reason, detail;
  gboolean again;
} Operation;

/* ---- beginning and end ------------------------------------------------------------------------------------ */

typedef struct {
  XfDone done;
  XfRefDone ref_done;
  gpointer data;
  GError *error;
  XfDomainRef *ref;
} Answer;

static gboolean
deliver_answer (gpointer data)
{
  Answer *answer = data;

  if (answer->done)
    answer->done (answer->error, answer->data);
  if (answer->ref_done)
    answer->ref_done (answer->ref, answer->error, answer->data);
  g_clear_error (&answer->error);
  g_clear_pointer (&answer->ref, xf_domain_ref_free);
  g_free (answer);
  return G_SOURCE_REMOVE;
}

/* Answers through the loop; takes @error and @ref. */
static void
answer_later (XfDone done, XfRefDone ref_done, gpointer data, GError *error, XfDomainRef *ref)
{
  Answer *answer = g_new (Answer, 1);

  *answer = (Answer){ done, ref_done, data, error, ref };
  g_idle_add_full (G_PRIORITY_DEFAULT, deliver_answer, answer, NULL);
}

/* What may take long without libxl's doing: a bootloader, a guest that does not acknowledge. A destroy or a person ends
 * such a step early. */
static gboolean
stop_step (XfJob *job, GError **error)
{
  Operation *operation = job->owner;

  if (operation->ao)
    xf_ao_abort (operation->ao);
  return TRUE;
}

static const XfJobOps stoppable = { .abort = stop_step };

static Operation *
begin (XfGuest *guest, XfJobKind kind, const char *what, XfDone done, XfRefDone ref_done, gpointer data, GError **error)
{
  Operation *operation = g_new0 (Operation, 1);

  xf_job_init (&operation->job, kind, kind == XF_JOB_START || kind == XF_JOB_SHUTDOWN ? &stoppable : NULL, operation);
  if (!xf_job_begin (guest, &operation->job, error)) {
    g_free (operation);
    return NULL;
  }
  operation->guest = guest;
  operation->what = what;
  operation->done = done;
  operation->ref_done = ref_done;
  operation->data = data;
  return operation;
}

/* Ends the job and answers; takes @error. The guest may be gone after it. */
static void
finish (Operation *operation, GError *error)
{
  XfDomainRef *ref = xf_guest_ref (operation->guest);

  /* A restart that failed half way: the old domain is gone, and there is no new one. */
  if (error && operation->guest->def && operation->guest->domid < 0)
    xf_guest_gone (operation->guest, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_FAILED);
  if (operation->has_config)
    libxl_domain_config_dispose (&operation->config);
  xf_domain_def_free (operation->def);
  xf_job_end (operation->guest, NULL);
  answer_later (operation->done, operation->ref_done, operation->data, error, error ? (xf_domain_ref_free (ref), NULL) : ref);
  g_free (operation);
}

static void
finish_rc (Operation *operation, int rc)
{
  g_autofree char *text = g_strdup_printf ("cannot %s domain '%s'", operation->what, operation->guest->name);
  GError *error = NULL;

  xf_rc_to_error (rc, &error, operation->guest->driver->ctx, text);
  finish (operation, error);
}

static libxl_ctx *
libxl_of (Operation *operation)
{
  return xf_ctx_libxl (operation->guest->driver->ctx);
}

static XfAo *
ao_for (Operation *operation, XfAoDone done)
{
  return operation->ao = xf_ao_new (operation->guest->driver->ctx, done, operation);
}

/* ---- start ------------------------------------------------------------------------------------------------ */

static void
started (Operation *operation)
{
  XfGuest *guest = operation->guest;
  XfDomainDef *def = g_steal_pointer (&operation->def);
  gboolean paused = operation->paused;

  xf_guest_now_running (guest, operation->domid, def, paused ? VIR_DOMAIN_PAUSED : VIR_DOMAIN_RUNNING,
                        paused ? VIR_DOMAIN_PAUSED_USER : VIR_DOMAIN_RUNNING_BOOTED);
  xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_BOOTED);
  if (paused)
    xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
  g_info ("domain '%s' is started, domid %u", guest->name, operation->domid);
  finish (operation, NULL);
}

static void
failed_start_destroyed (int rc, gpointer data)
{
  Operation *operation = data;

  if (rc != 0)
    g_warning ("domain %u, half of '%s', is left behind: remove it with xl destroy", operation->domid,
               operation->guest->name);
  finish_rc (operation, operation->reason);
}

static void
start_unpaused (int rc, gpointer data)
{
  Operation *operation = data;
  XfAo *ao;

  if (rc == 0) {
    started (operation);
    return;
  }
  operation->reason = rc;
  operation->job.ops = NULL; /* removing it is not to be stopped */
  ao = ao_for (operation, failed_start_destroyed);
  xf_ao_started (ao, libxl_domain_destroy (libxl_of (operation), operation->domid, xf_ao_how (ao)));
}

static void
created (int rc, gpointer data)
{
  Operation *operation = data;
  XfAo *ao;

  if (rc != 0) {
    finish_rc (operation, rc); /* libxl has removed what it had made */
    return;
  }
  if (operation->paused) {
    started (operation);
    return;
  }
  ao = ao_for (operation, start_unpaused);
  xf_ao_started (ao, libxl_domain_unpause (libxl_of (operation), operation->domid, xf_ao_how (ao)));
}

/* Takes @def. The guest's job is operation's. */
static void
start (Operation *operation, XfDomainDef *def, guint flags)
{
  GError *error = NULL;
  XfAo *ao;

  operation->def = def;
  operation->paused = flags & VIR_DOMAIN_START_PAUSED;
  libxl_domain_config_init (&operation->config);
  operation->has_config = TRUE;
  if (!xf_config_from_def (def, &operation->config, &error)
      || !xf_config_check_memory (operation->guest->driver, &operation->config, 0, &error)) {
    finish (operation, error);
    return;
  }
  ao = ao_for (operation, created);
  xf_ao_started (ao, libxl_domain_create_new (libxl_of (operation), &operation->config, &operation->domid,
                                              xf_ao_how (ao), NULL));
}

static gboolean
check_start_flags (guint flags, GError **error)
{
  guint unknown = flags & ~(guint)(VIR_DOMAIN_START_PAUSED | VIR_DOMAIN_START_VALIDATE | VIR_DOMAIN_START_BYPASS_CACHE
                                   | VIR_DOMAIN_START_FORCE_BOOT);

  if (!unknown)
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "unsupported flags (0x%x) for starting a domain%s", unknown,
               unknown & VIR_DOMAIN_START_AUTODESTROY ? " (autodestroy is not served)" : "");
  return FALSE;
}

void
xf_driver_domain_start (XfDriver *driver, const guint8 *uuid, guint flags, XfRefDone done, gpointer data)
{
  GError *error = NULL;
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, &error);
  Operation *operation = NULL;

  if (guest && check_start_flags (flags, &error)) {
    if (guest->domid >= 0)
      g_set_error (&error, XF_ERROR, XF_ERROR_OPERATION_INVALID, "domain is already running");
    else
      operation = begin (guest, XF_JOB_START, "start", NULL, done, data, &error);
  }
  if (operation)
    start (operation, xf_domain_def_copy (guest->persistent), flags);
  else
    answer_later (NULL, done, data, error, NULL);
}

void
xf_driver_domain_create_xml (XfDriver *driver, const char *xml, guint flags, XfRefDone done, gpointer data)
{
  GError *error = NULL;
  g_autoptr (XfDomainDef) def = NULL;
  XfGuest *guest = NULL;
  Operation *operation = NULL;

  if (check_start_flags (flags, &error))
    def = xf_domain_def_parse (xml, XF_DOMAIN_PARSE_INACTIVE, &error);
  if (def)
    guest = xf_guest_claim (driver, def->name, def->uuid, &error);
  if (guest && guest->domid >= 0)
    g_set_error (&error, XF_ERROR, XF_ERROR_OPERATION_INVALID, "domain is already active as '%s'", guest->name);
  else if (guest)
    operation = begin (guest, XF_JOB_START, "start", NULL, done, data, &error);
  if (operation)
    start (operation, g_steal_pointer (&def), flags);
  else
    answer_later (NULL, done, data, error, NULL);
}

/* ---- the end of a guest ----------------------------------------------------------------------------------- */

static void
destroyed (int rc, gpointer data)
{
  Operation *operation = data;
  XfGuest *guest = operation->guest;

  if (rc != 0 && rc != ERROR_DOMAIN_NOTFOUND) {
    finish_rc (operation, rc);
    return;
  }
  if (operation->again) {
    XfDomainDef *def = xf_domain_def_copy (guest->def);

    operation->again = FALSE;
    operation->what = "restart";
    xf_death_unwatch (guest);
    guest->domid = -1;
    xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN);
    start (operation, def, 0);
    return;
  }
  xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_STOPPED, operation->detail);
  xf_guest_gone (guest, VIR_DOMAIN_SHUTOFF, operation->reason);
  finish (operation, NULL);
}

static void
destroy (Operation *operation)
{
  XfAo *ao = ao_for (operation, destroyed);

  xf_ao_started (ao, libxl_domain_destroy (libxl_of (operation), operation->guest->domid, xf_ao_how (ao)));
}

static void
end_guest (XfGuest *guest, int reason, int detail, gboolean again)
{
  g_autoptr (GError) error = NULL;
  Operation *operation = begin (guest, XF_JOB_DESTROY, "remove", NULL, NULL, NULL, &error);

  if (!operation) {
    g_info ("%s", error->message);
    return;
  }
  operation->reason = reason;
  operation->detail = detail;
  operation->again = again;
  destroy (operation);
}

void
xf_lifecycle_clean_up (XfGuest *guest, int shutoff_reason, int stopped_detail)
{
  end_guest (guest, shutoff_reason, stopped_detail, FALSE);
}

void
xf_lifecycle_restart (XfGuest *guest)
{
  end_guest (guest, VIR_DOMAIN_SHUTOFF_SHUTDOWN, VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN, TRUE);
}

static gboolean
check_active (XfGuest *guest, GError **error)
{
  if (guest->domid == 0)
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID, "Domain-0 does not support the requested operation");
  else if (guest->domid < 0)
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID, "domain is not running");
  else
    return TRUE;
  return FALSE;
}

/* A destroy that waits for the end of the job it has aborted. */
typedef struct {
  XfDriver *driver;
  guint8 uuid[XF_UUID_LENGTH];
  XfDone done;
  gpointer data;
} Waiting;

static gboolean
destroy_after_job (gpointer data)
{
  g_autofree Waiting *waiting = data;

  xf_driver_domain_destroy (waiting->driver, waiting->uuid, 0, waiting->done, waiting->data);
  return G_SOURCE_REMOVE;
}

/* A person who pulls the plug is not kept waiting by a long job: it is told to stop, and the guest is destroyed as
 * soon as it has. FALSE: there is no such job. */
static gboolean
abort_then_destroy (XfGuest *guest, XfDone done, gpointer data)
{
  XfDriver *driver = guest->driver;
  Waiting *waiting;

  if (!guest->job || !guest->job->ops || !guest->job->ops->abort)
    return FALSE;
  waiting = g_new (Waiting, 1);
  *waiting = (Waiting){ .driver = driver, .done = done, .data = data };
  memcpy (waiting->uuid, guest->uuid, XF_UUID_LENGTH);
  xf_job_when_ended (guest, destroy_after_job, waiting);
  /* When it cannot be stopped any more it is about to end by itself, and destroy finds what it left. */
  (void)guest->job->ops->abort (guest->job, NULL);
  return TRUE;
}

void
xf_driver_domain_destroy (XfDriver *driver, const guint8 *uuid, guint flags, XfDone done, gpointer data)
{
  GError *error = NULL;
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, &error);
  Operation *operation = NULL;

  if (guest && flags & ~(guint)VIR_DOMAIN_DESTROY_GRACEFUL)
    g_set_error (&error, XF_ERROR, XF_ERROR_INVALID_ARG, "unsupported flags (0x%x) for destroying a domain", flags);
  else if (guest && check_active (guest, &error)) {
    if (abort_then_destroy (guest, done, data))
      return;
    operation = begin (guest, XF_JOB_DESTROY, "destroy", done, NULL, data, &error);
  }
  if (!operation) {
    answer_later (done, NULL, data, error, NULL);
    return;
  }
  operation->reason = VIR_DOMAIN_SHUTOFF_DESTROYED;
  operation->detail = VIR_DOMAIN_EVENT_STOPPED_DESTROYED;
  destroy (operation);
}

/* ---- pause and resume ------------------------------------------------------------------------------------- */

static void
paused (int rc, gpointer data)
{
  Operation *operation = data;
  XfGuest *guest = operation->guest;

  if (rc != 0) {
    finish_rc (operation, rc);
    return;
  }
  xf_guest_set_state (guest, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
  xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
  finish (operation, NULL);
}

void
xf_driver_domain_suspend (XfDriver *driver, const guint8 *uuid, XfDone done, gpointer data)
{
  GError *error = NULL;
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, &error);
  Operation *operation = NULL;
  XfAo *ao;

  if (guest && check_active (guest, &error)) {
    if (guest->state == VIR_DOMAIN_PAUSED) {
      answer_later (done, NULL, data, NULL, NULL);
      return;
    }
    operation = begin (guest, XF_JOB_SUSPEND, "pause", done, NULL, data, &error);
  }
  if (!operation) {
    answer_later (done, NULL, data, error, NULL);
    return;
  }
  ao = ao_for (operation, paused);
  xf_ao_started (ao, libxl_domain_pause (libxl_of (operation), guest->domid, xf_ao_how (ao)));
}

static void
unpaused (int rc, gpointer data)
{
  Operation *operation = data;
  XfGuest *guest = operation->guest;

  if (rc != 0) {
    finish_rc (operation, rc);
    return;
  }
  /* libxl tells one end of a domain to each watch, and a suspend is one. */
  if (guest->reason == VIR_DOMAIN_PAUSED_MIGRATION)
    xf_death_watch (guest);
  xf_guest_set_message (guest, NULL);
  xf_guest_set_state (guest, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED);
  xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_UNPAUSED);
  finish (operation, NULL);
}

void
xf_driver_domain_resume (XfDriver *driver, const guint8 *uuid, XfDone done, gpointer data)
{
  GError *error = NULL;
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, &error);
  Operation *operation = NULL;
  libxl_ctx *libxl;
  XfAo *ao;

  if (guest && check_active (guest, &error)) {
    if (guest->state == VIR_DOMAIN_RUNNING) {
      answer_later (done, NULL, data, NULL, NULL);
      return;
    }
    if (guest->state == VIR_DOMAIN_PAUSED)
      operation = begin (guest, XF_JOB_RESUME, "resume", done, NULL, data, &error);
    else
      g_set_error (&error, XF_ERROR, XF_ERROR_OPERATION_INVALID, "domain '%s' has ended and is only kept: destroy it",
                   guest->name);
  }
  if (!operation) {
    answer_later (done, NULL, data, error, NULL);
    return;
  }
  libxl = libxl_of (operation);
  ao = ao_for (operation, unpaused);
  /* A guest left suspended by a migration is resumed, one that is paused is unpaused. */
  if (guest->reason == VIR_DOMAIN_PAUSED_MIGRATION)
    xf_ao_started (ao, libxl_domain_resume (libxl, guest->domid, 1, xf_ao_how (ao)));
  else
    xf_ao_started (ao, libxl_domain_unpause (libxl, guest->domid, xf_ao_how (ao)));
}

/* ---- asking the guest ------------------------------------------------------------------------------------- */

static void
asked (int rc, gpointer data)
{
  Operation *operation = data;

  if (rc != 0)
    finish_rc (operation, rc);
  else
    finish (operation, NULL);
}

static void
asked_by_pv (int rc, gpointer data)
{
  Operation *operation = data;
  gboolean reboot = g_str_equal (operation->what, "reboot");
  XfAo *ao;

  if (rc != ERROR_NOPARAVIRT) {
    asked (rc, operation);
    return;
  }
  /* A guest without Xen's drivers has an ACPI button, if any. */
  ao = ao_for (operation, asked);
  xf_ao_started (ao, libxl_send_trigger (libxl_of (operation), operation->guest->domid,
                                         reboot ? LIBXL_TRIGGER_RESET : LIBXL_TRIGGER_POWER, 0, xf_ao_how (ao)));
}

static void
ask (XfDriver *driver, const guint8 *uuid, gboolean reboot, guint flags, guint served, XfDone done, gpointer data)
{
  GError *error = NULL;
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, &error);
  const char *what = reboot ? "reboot" : "shut down";
  Operation *operation = NULL;
  libxl_ctx *libxl;
  XfAo *ao;

  if (guest && flags & ~served)
    g_set_error (&error, XF_ERROR, XF_ERROR_INVALID_ARG, "unsupported flags (0x%x) to %s a domain", flags, what);
  else if (guest && check_active (guest, &error))
    operation = begin (guest, XF_JOB_SHUTDOWN, what, done, NULL, data, &error);
  if (!operation) {
    answer_later (done, NULL, data, error, NULL);
    return;
  }
  libxl = libxl_of (operation);
  if (flags == VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN && !reboot) {
    ao = ao_for (operation, asked);
    xf_ao_started (ao, libxl_send_trigger (libxl, guest->domid, LIBXL_TRIGGER_POWER, 0, xf_ao_how (ao)));
    return;
  }
  ao = ao_for (operation, asked_by_pv);
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
