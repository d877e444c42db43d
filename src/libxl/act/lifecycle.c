/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The start and the end of guests.
 */
#include "libxl/act/lifecycle.h"

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "libxl/convert/config.h"
#include "libxl/act/death.h"
#include "libxl/guest/definitions.h"
#include "libxl/guest/driver_private.h"
#include "libxl/act/dump.h"
#include "libxl/guest/hook.h"
#include "libxl/act/hooked.h"
#include "libxl/guest/job.h"
#include "libxl/guest/moved.h"
#include "libxl/guest/operation.h"
#include "libxl/act/remains.h"
#include "libxl/guest/removal.h"
#include "libxl/act/restart.h"

/* ---- start ------------------------------------------------------------------------------------------------ */

/* It runs: the hook cannot change that. */
static void
start_done (XfOperation *operation, const GError *error)
{
  xf_operation_finish (operation, NULL);
}

static void
started (XfOperation *operation)
{
  XfGuest *guest = operation->guest;
  XfDomainDef *def = g_steal_pointer (&operation->def);
  gboolean paused = operation->paused;

  xf_journal_guest_is_here (guest->driver->journal, guest->uuid);
  xf_guest_now_running (guest, operation->domid, def, paused ? VIR_DOMAIN_PAUSED : VIR_DOMAIN_RUNNING,
                        paused ? VIR_DOMAIN_PAUSED_USER : VIR_DOMAIN_RUNNING_BOOTED);
  xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_BOOTED);
  if (paused)
    xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
  g_info ("domain '%s' is started, domid %u", guest->name, operation->domid);
  xf_hooked_started (operation, start_done);
}

static void
failed_start_gone (const GError *error, gpointer data)
{
  XfOperation *operation = data;

  operation->stop = NULL;
  xf_hooked_fail (operation, g_steal_pointer (&operation->failure));
}

/* The waiting client is answered now; the remains are destroyed all the same. The hooks that release what the guest
 * used wait for that, with the guest's job. */
static void
failed_start_stays (guint tries, const GError *error, gpointer data)
{
  XfOperation *operation = data;

  if (operation->prepared) {
    xf_operation_answer (operation->done, operation->ref_done, operation->data, g_error_copy (operation->failure),
                         NULL);
    operation->done = NULL;
    operation->ref_done = NULL;
    return;
  }
  operation->stop = NULL;
  xf_removal_forget (operation->guest->driver, operation);
  xf_operation_finish (operation, g_steal_pointer (&operation->failure));
}

/* The removal must not be stopped. */
static void
not_stopped (XfOperation *operation)
{
}

static void
remove_failed_start (XfOperation *operation, int rc)
{
  XfGuest *guest = operation->guest;

  /* Read now: the next operation clears libxl's messages. */
  operation->failure = xf_operation_error (operation, rc);
  operation->stop = not_stopped;
  (void)xf_removal_new (guest->driver, operation->domid, guest->uuid, failed_start_stays, failed_start_gone, operation);
}

static void
start_unpaused (int rc, gpointer data)
{
  XfOperation *operation = data;

  if (rc == 0) {
    started (operation);
    return;
  }
  remove_failed_start (operation, rc);
}

static void
created (int rc, gpointer data)
{
  XfOperation *operation = data;
  XfAo *ao;

  if (rc == ERROR_ABORTED && operation->domid != (uint32_t)INVALID_DOMID) {
    remove_failed_start (operation, rc); /* a half-built domain may exist */
    return;
  }
  if (rc != 0) {
    xf_hooked_fail (operation, xf_operation_error (operation, rc)); /* libxl has removed its half-built domain */
    return;
  }
  if (operation->paused) {
    started (operation);
    return;
  }
  ao = xf_operation_ao (operation, start_unpaused);
  xf_ao_started (ao, libxl_domain_unpause (xf_operation_libxl (operation), operation->domid, xf_ao_how (ao)));
}

static void
build (XfOperation *operation, const GError *error)
{
  XfAo *ao;

  if (error) {
    xf_hooked_fail (operation, g_error_copy (error));
    return;
  }
  operation->domid = INVALID_DOMID;
  ao = xf_operation_ao (operation, created);
  xf_ao_started (ao, libxl_domain_create_new (xf_operation_libxl (operation), &operation->config, &operation->domid,
                                              xf_ao_how (ao), NULL));
}

static void
memory_is_there (const GError *error, gpointer data)
{
  XfOperation *operation = data;

  if (error)
    xf_hooked_fail (operation, g_error_copy (error));
  else
    xf_hooked_start (operation, build);
}

static void start (XfOperation *operation, XfDomainDef *def, guint flags);

static void
may_start (const GError *error, gpointer data)
{
  XfOperation *operation = data;

  operation->moved = NULL;
  if (error)
    xf_operation_finish (operation, g_error_copy (error));
  else
    start (operation, g_steal_pointer (&operation->def), operation->paused ? VIR_DOMAIN_START_PAUSED : 0);
}

/* FALSE with an error if a domain that does not run is left of the guest here, or if the guest may run on the host
 * from which it was migrated. */
static gboolean
check_remains (XfGuest *guest, gboolean force, GError **error)
{
  guint32 domid = xf_removal_find (guest->driver, guest->uuid);

  if (domid) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
                 "domain %u, which a migration of '%s' has left here, is still being removed: try again later", domid,
                 guest->name);
    return FALSE;
  }
  if (!force && xf_journal_is_given_back (guest->driver->journal, guest->uuid)) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
                 "domain '%s' has ended here and was given back to its source host, to be started there (see "
                 "xenferry migrations): started here it could run twice. If it does not run there: virsh start "
                 "--force-boot",
                 guest->name);
    return FALSE;
  }
  if (!xf_journal_has_undecided (guest->driver->journal, guest->uuid))
    return TRUE;
  if (force) {
    xf_remains_resolve_guest (guest->driver, guest->uuid);
    return TRUE;
  }
  g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
               "domain '%s' was being received when host '%s' was booted, and may run on its source host: started here "
               "it could run twice (see xenferry migrations). If it is to run here: virsh start --force-boot",
               guest->name, guest->driver->hostname);
  return FALSE;
}

/* A client's start, of @def (taken). A guest that has moved away may run on the host to which it went. */
static void
start_unless_elsewhere (XfOperation *operation, XfDomainDef *def, guint flags)
{
  XfGuest *guest = operation->guest;
  gboolean force = flags & VIR_DOMAIN_START_FORCE_BOOT;
  GError *error = NULL;

  if (!check_remains (guest, force, &error)) {
    operation->def = def;
    xf_operation_finish (operation, error);
    return;
  }
  if (force || !xf_moved_is_known (guest->driver, guest->uuid)) {
    start (operation, def, flags);
    return;
  }
  operation->def = def;
  operation->paused = flags & VIR_DOMAIN_START_PAUSED;
  operation->moved = xf_moved_ask (guest->driver, guest->name, guest->uuid, may_start, operation);
}

/* A restart may have set its configuration already. */
static gboolean
configure (XfOperation *operation, GError **error)
{
  if (operation->has_config)
    return TRUE;
  libxl_domain_config_init (&operation->config);
  operation->has_config = TRUE;
  return xf_config_from_def (operation->def, &operation->config, error);
}

static void
claim_memory (XfOperation *operation, const GError *refusal)
{
  GError *error = refusal ? g_error_copy (refusal) : NULL;

  if (!error && configure (operation, &error))
    operation->claim = xf_memory_claim_new (operation->guest->driver, &operation->config, &error);
  if (operation->claim)
    xf_memory_claim_wait (operation->claim, memory_is_there, operation);
  else
    xf_hooked_fail (operation, error);
}

/* Takes @def. operation has the guest's job. */
static void
start (XfOperation *operation, XfDomainDef *def, guint flags)
{
  operation->def = def;
  operation->paused = flags & VIR_DOMAIN_START_PAUSED;
  xf_hooked_prepare (operation, claim_memory);
}

static gboolean
check_start_flags (guint flags, GError **error)
{
  guint unknown = flags
                  & ~(guint)(VIR_DOMAIN_START_PAUSED | VIR_DOMAIN_START_VALIDATE | VIR_DOMAIN_START_BYPASS_CACHE
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
  XfOperation *operation = NULL;

  if (guest && guest->persistent)
    (void)xf_restart_give_way (guest); /* the definition is started */
  if (guest && check_start_flags (flags, &error)) {
    if (guest->domid >= 0)
      g_set_error (&error, XF_ERROR, XF_ERROR_OPERATION_INVALID, "domain is already running");
    else if (xf_definitions_accepted (guest, &error))
      operation = xf_operation_begin (guest, XF_JOB_START, "start", NULL, done, data, &error);
  }
  if (operation)
    start_unless_elsewhere (operation, xf_domain_def_copy (guest->persistent), flags);
  else
    xf_operation_answer (NULL, done, data, error, NULL);
}

/* A client's start takes precedence over a waiting restart. */
static XfGuest *
claim_to_start (XfDriver *driver, const XfDomainDef *def, GError **error)
{
  XfGuest *guest = xf_guest_find_uuid (driver, def->uuid);

  if (guest)
    (void)xf_restart_give_way (guest);
  return xf_guest_claim (driver, def->name, def->uuid, error);
}

void
xf_driver_domain_create_xml (XfDriver *driver, const char *xml, guint flags, XfRefDone done, gpointer data)
{
  GError *error = NULL;
  g_autoptr (XfDomainDef) def = NULL;
  XfGuest *guest = NULL;
  XfOperation *operation = NULL;

  if (check_start_flags (flags, &error))
    def = xf_domain_def_parse (xml, XF_DOMAIN_PARSE_INACTIVE, &error);
  if (def && xf_definitions_allow (driver, def->name, def->uuid, &error))
    guest = claim_to_start (driver, def, &error);
  if (guest && guest->domid >= 0)
    g_set_error (&error, XF_ERROR, XF_ERROR_OPERATION_INVALID, "domain is already active as '%s'", guest->name);
  else if (guest)
    operation = xf_operation_begin (guest, XF_JOB_START, "start", NULL, done, data, &error);
  if (operation)
    start_unless_elsewhere (operation, g_steal_pointer (&def), flags);
  else
    xf_operation_answer (NULL, done, data, error, NULL);
}

/* ---- the end of a guest ----------------------------------------------------------------------------------- */

/* A clean-up answers no client: the next check of the guest tries it again. */
static void
tell_of_remains (XfOperation *operation, int rc)
{
  g_autoptr (GError) error = NULL;

  if (operation->done)
    return;
  error = xf_operation_error (operation, rc);
  if (g_strcmp0 (operation->guest->message, error->message) != 0)
    g_warning ("cannot remove domain '%s', which has ended: %s; trying again", operation->guest->name, error->message);
  xf_guest_set_message (operation->guest, error->message);
}

static void
build_again (XfOperation *operation)
{
  start (operation, g_steal_pointer (&operation->def), 0);
}

static void
released (XfOperation *operation, const GError *error)
{
  XfGuest *guest = operation->guest;

  xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_STOPPED, operation->detail);
  if (operation->again && !operation->stopped) {
    xf_restart_begin (operation, xf_domain_def_copy (guest->def), build_again);
    return;
  }
  xf_guest_gone (guest, VIR_DOMAIN_SHUTOFF, operation->reason);
  xf_operation_finish (operation, NULL);
}

/* The ended domain is destroyed, or has another name. As long as hooks run the guest has not ended for its clients:
 * when they see that it has, what it used is released, and it can be started, here or on another host. */
static void
ended_is_gone (XfOperation *operation)
{
  XfGuest *guest = operation->guest;

  if (xf_hook_exists (guest->driver)) {
    xf_guest_set_state (guest, VIR_DOMAIN_SHUTDOWN, 0);
    xf_guest_set_message (guest, "it has ended, and the hooks 'stopped' and 'release' are called for it");
    if (operation->again)
      xf_restart_announce (operation);
  }
  xf_hooked_release (operation, guest->def, (guint32)guest->domid, released);
}

static void
destroyed (int rc, gpointer data)
{
  XfOperation *operation = data;

  if (rc != 0 && rc != ERROR_DOMAIN_NOTFOUND) {
    tell_of_remains (operation, rc);
    xf_operation_finish_rc (operation, rc);
    return;
  }
  ended_is_gone (operation);
}

static void
destroy (XfOperation *operation)
{
  XfAo *ao = xf_operation_ao (operation, destroyed);

  xf_ao_started (ao, libxl_domain_destroy (xf_operation_libxl (operation), operation->guest->domid, xf_ao_how (ao)));
}

/* A domain that cannot be kept is destroyed: the guest is started again in either case. */
static void
keep (XfOperation *operation)
{
  g_autoptr (GError) error = NULL;

  if (xf_restart_preserve (operation, &error)) {
    ended_is_gone (operation);
    return;
  }
  g_warning ("%s", error->message);
  operation->note = g_strdup (error->message);
  destroy (operation);
}

static void
remove_ended (XfOperation *operation)
{
  if (operation->again)
    xf_restart_remember (operation, operation->keeps ? keep : destroy);
  else
    destroy (operation);
}

static void
dumped (const GError *error, gpointer data)
{
  XfOperation *operation = data;

  operation->dumps = FALSE;
  if (operation->guest->driver->ends) { /* the next daemon finds the domain, which has ended */
    xf_operation_finish (operation, g_error_copy (error));
    return;
  }
  operation->guest->dumped = operation->guest->domid;
  xf_guest_set_message (operation->guest, NULL);
  if (error) {
    g_warning ("%s", error->message);
    operation->note = g_strdup (error->message);
  }
  remove_ended (operation);
}

static char *
describe_end (XfJob *job)
{
  const XfOperation *operation = job->owner;

  return g_strdup (operation->dumps   ? "being written to a file after its end"
                   : operation->again ? "being started again after its end"
                                      : "being removed after its end");
}

static const XfJobOps ending = { .describe = describe_end };

/* Dumps a domain only once: a removal that fails is retried, and each dump is as large as the guest. */
static void
end_guest (XfGuest *guest, gboolean dump, int reason, int detail, gboolean again, gboolean keeps)
{
  g_autoptr (GError) error = NULL;
  XfOperation *operation = xf_operation_begin (guest, XF_JOB_DESTROY, "remove", NULL, NULL, NULL, &error);

  if (!operation) {
    g_info ("%s", error->message);
    return;
  }
  operation->job.ops = &ending;
  operation->reason = reason;
  operation->detail = detail;
  operation->again = again;
  operation->keeps = keeps;
  operation->dumps = dump && guest->dumped != guest->domid;
  if (operation->dumps) {
    xf_guest_set_message (guest, "it has ended, and its memory is being written to a file");
    xf_dump_start (guest->driver, guest->domid, guest->name, dumped, operation);
  } else {
    remove_ended (operation);
  }
}

void
xf_lifecycle_clean_up (XfGuest *guest, gboolean dump, int shutoff_reason, int stopped_detail)
{
  end_guest (guest, dump, shutoff_reason, stopped_detail, FALSE, FALSE);
}

void
xf_lifecycle_restart (XfGuest *guest, XfAction how)
{
  end_guest (guest, how == XF_ACTION_COREDUMP_RESTART, VIR_DOMAIN_SHUTOFF_SHUTDOWN, VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN,
             TRUE, how == XF_ACTION_RENAME_RESTART);
}

static void
destroy_after_job (XfDriver *driver, const guint8 *uuid, XfDone done, gpointer data)
{
  xf_driver_domain_destroy (driver, uuid, 0, done, data);
}

/* A destroy does not wait for a long job: the job is aborted, and the guest is destroyed as soon as the job has
 * ended. FALSE: there is no such job. */
static gboolean
abort_then_destroy (XfGuest *guest, XfDone done, gpointer data)
{
  if (!guest->job || !guest->job->ops || !guest->job->ops->abort)
    return FALSE;
  xf_job_act_when_ended (guest, destroy_after_job, done, data);
  /* A job that cannot be stopped any longer ends soon by itself. destroy then handles the guest as the job left it. */
  (void)guest->job->ops->abort (guest->job, NULL);
  return TRUE;
}

void
xf_driver_domain_destroy (XfDriver *driver, const guint8 *uuid, guint flags, XfDone done, gpointer data)
{
  GError *error = NULL;
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, &error);
  XfOperation *operation = NULL;

  if (guest && flags & ~(guint)VIR_DOMAIN_DESTROY_GRACEFUL)
    g_set_error (&error, XF_ERROR, XF_ERROR_INVALID_ARG, "unsupported flags (0x%x) for destroying a domain", flags);
  else if (guest && xf_restart_stop (guest, done, data))
    return;
  else if (guest && xf_operation_check_active (guest, &error)) {
    if (xf_job_decide (guest, FALSE, "virsh destroy", done, data))
      return;
    if (abort_then_destroy (guest, done, data))
      return;
    operation = xf_operation_begin (guest, XF_JOB_DESTROY, "destroy", done, NULL, data, &error);
  }
  if (!operation) {
    xf_operation_answer (done, NULL, data, error, NULL);
    return;
  }
  operation->reason = VIR_DOMAIN_SHUTOFF_DESTROYED;
  operation->detail = VIR_DOMAIN_EVENT_STOPPED_DESTROYED;
  destroy (operation);
}
