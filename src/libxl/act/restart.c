/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/act/restart.h"

#include <libvirt/libvirt.h>
#include <libxl_utils.h>

#include "base/error.h"
#include "libxl/guest/driver_private.h"
#include "libxl/guest/look.h"
#include "libxl/guest/removal.h"
#include "libxl/xen/dominfo.h"

#define PAUSE_MAX_S 30
#define TRIES_MAX 10
#define STARTED_BY_OTHERS "another toolstack has started it"

/* ---- the configuration ------------------------------------------------------------------------------------ */

/* The number may have been reused for another guest. */
static gboolean
is_of_guest (const XfOperation *operation)
{
  return xf_uuid_equal (libxl_uuid_bytearray_const (&operation->config.c_info.uuid), operation->guest->uuid);
}

static void
remembered (int rc, gpointer data)
{
  XfOperation *operation = data;

  operation->ao = NULL;
  if (rc == 0 && is_of_guest (operation)) {
    /* The ended domain's number must not be requested: libxl refuses a number that was in use a moment ago. */
    operation->config.c_info.domid = INVALID_DOMID;
  } else {
    g_warning ("domain '%s': libxl cannot read its configuration (libxl error %d): it is started again from its XML, "
               "without the changes since its start",
               operation->guest->name, rc);
    libxl_domain_config_dispose (&operation->config);
    operation->has_config = FALSE;
  }
  operation->next (operation);
}

void
xf_restart_remember (XfOperation *operation, void (*next) (XfOperation *operation))
{
  XfAo *ao = xf_operation_ao (operation, remembered);

  operation->next = next;
  libxl_domain_config_init (&operation->config);
  operation->has_config = TRUE;
  xf_ao_started (ao, libxl_retrieve_domain_configuration (xf_operation_libxl (operation), operation->guest->domid,
                                                          &operation->config, xf_ao_how (ao)));
}

gboolean
xf_restart_preserve (XfOperation *operation, GError **error)
{
  libxl_ctx *libxl = xf_operation_libxl (operation);
  guint32 domid = operation->guest->domid;
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *suffix = g_date_time_format (now, "-%Y%m%dT%H%MZ"), *text = NULL;
  libxl_domain_create_info info;
  libxl_uuid uuid;
  int rc = ERROR_FAIL;

  libxl_domain_create_info_init (&info);
  libxl_uuid_generate (&uuid);
  info.name = libxl_domid_to_name (libxl, domid);
  if (info.name)
    rc = libxl_domain_preserve (libxl, domid, &info, suffix, uuid);
  if (rc == 0)
    g_message ("domain '%s' has ended and is kept as '%s%s', domid %u", operation->guest->name, info.name, suffix,
               domid);
  libxl_domain_create_info_dispose (&info);
  text = g_strdup_printf ("domain '%s' has ended and cannot be kept under another name, so it is destroyed",
                          operation->guest->name);
  return rc == 0 || xf_rc_to_error (rc, error, operation->guest->driver->ctx, text);
}

/* ---- attempts --------------------------------------------------------------------------------------------- */

static gboolean stop (XfJob *job, GError **error);

static char *
describe (XfJob *job)
{
  return g_strdup ("being started again after its end");
}

static const XfJobOps restarting = { .abort = stop, .describe = describe };

static XfOperation *
find (const XfGuest *guest)
{
  return guest->job && guest->job->ops == &restarting ? guest->job->owner : NULL;
}

/* A transient guest is still shown: its only definition is that of its last run. */
static void
show_as_off (XfOperation *operation, int reason)
{
  XfGuest *guest = operation->guest;

  xf_guest_gone (guest, VIR_DOMAIN_SHUTOFF, reason);
  if (!guest->persistent)
    guest->def = xf_domain_def_copy (operation->def);
}

/* TRUE if @info is a domain of that UUID that runs or could run. */
static gboolean
is_rival (const XfGuest *guest, const libxl_dominfo *info)
{
  XfShown shown = xf_look_shown (info);

  return xf_uuid_equal (libxl_uuid_bytearray_const (&info->uuid), guest->uuid)
         && (shown == XF_SHOWN_RUNNING || shown == XF_SHOWN_PAUSED || shown == XF_SHOWN_SUSPENDED);
}

gboolean
xf_restart_check_alone (XfOperation *operation, GError **error)
{
  XfGuest *guest = operation->guest;
  g_auto (XfDominfoList) list = { 0 };
  gboolean alone = TRUE;

  if (xf_removal_find (guest->driver, guest->uuid)) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
                 "domain %u, which is left of the last attempt, is still being removed",
                 xf_removal_find (guest->driver, guest->uuid));
    return FALSE;
  }
  list = xf_dominfo_list (guest->driver->ctx);
  if (!list.items)
    return xf_rc_to_error (ERROR_FAIL, error, guest->driver->ctx, "libxl cannot list the domains of this host");
  for (int i = 0; i < list.n && alone; i++)
    alone = !is_rival (guest, &list.items[i]);
  operation->stopped = operation->stopped || !alone; /* a client may have stopped it */
  if (!alone)
    g_set_error_literal (error, XF_ERROR, XF_ERROR_ABORTED, STARTED_BY_OTHERS);
  return alone;
}

static void
try_now (XfOperation *operation)
{
  GError *error = NULL;

  operation->job.ops = &restarting; /* a removal may have cleared them */
  operation->tries++;
  if (!xf_restart_check_alone (operation, &error)) {
    xf_operation_finish (operation, error);
    return;
  }
  if (operation->has_kept) {
    libxl_domain_config_init (&operation->config);
    libxl_domain_config_copy (xf_operation_libxl (operation), &operation->config, &operation->kept);
    operation->has_config = TRUE;
  }
  operation->next (operation);
}

static gboolean
again (gpointer data)
{
  XfOperation *operation = data;

  operation->again_id = 0;
  try_now (operation);
  return G_SOURCE_REMOVE;
}

static void
wait_for_next (XfOperation *operation, const GError *error)
{
  g_autofree char *message = NULL;

  operation->pause_s = operation->pause_s ? MIN (operation->pause_s * 2, PAUSE_MAX_S) : 1;
  operation->again_id = g_timeout_add_seconds (operation->pause_s, again, operation);
  operation->job.ops = &restarting;
  message = g_strdup_printf (
    "it has ended and could not be started again: %s; attempt %u of %u is in %u s (virsh destroy "
    "ends this)",
    error->message, operation->tries + 1, TRIES_MAX, operation->pause_s);
  xf_guest_set_message (operation->guest, message);
}

static void
give_up (XfOperation *operation, const GError *error)
{
  XfGuest *guest = operation->guest;
  g_autofree char *message = NULL;

  if (operation->stopped) {
    g_message ("domain '%s' is not started again: %s", guest->name, error->message);
    xf_guest_gone (guest, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED);
    return;
  }
  message = g_strdup_printf ("it has ended and is not started again, after %u attempts: %s", operation->tries,
                             error->message);
  g_warning ("domain '%s': %s", guest->name, message);
  xf_guest_gone (guest, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_FAILED);
  xf_guest_set_message (guest, message);
}

/* TRUE: the restart continues, and @error is taken. */
static gboolean
failed (XfOperation *operation, GError *error)
{
  XfGuest *guest = operation->guest;
  gboolean over = operation->stopped || guest->driver->ends || operation->tries >= TRIES_MAX;

  g_clear_handle_id (&operation->again_id, g_source_remove);
  operation->ao = NULL;
  if (!operation->stopped)
    g_warning ("domain '%s' has ended and could not be started again: %s", guest->name, error->message);
  if (operation->tries == 1 && !operation->stopped) {
    xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_FAILED);
    show_as_off (operation, VIR_DOMAIN_SHUTOFF_FAILED);
  }
  if (over) {
    give_up (operation, error);
    return FALSE;
  }
  g_clear_pointer (&operation->claim, xf_memory_claim_free);
  if (operation->has_config)
    libxl_domain_config_dispose (&operation->config);
  operation->has_config = FALSE;
  wait_for_next (operation, error);
  g_error_free (error);
  return TRUE;
}

void
xf_restart_announce (XfOperation *operation)
{
  operation->job.ops = &restarting;
}

void
xf_restart_begin (XfOperation *operation, XfDomainDef *def, void (*build) (XfOperation *operation))
{
  operation->what = "restart";
  operation->ao = NULL;
  operation->def = def;
  operation->next = build;
  operation->failed = failed;
  operation->kept = operation->config;
  operation->has_kept = operation->has_config;
  operation->has_config = FALSE;
  show_as_off (operation, VIR_DOMAIN_SHUTOFF_SHUTDOWN);
  try_now (operation);
}

/* ---- its end ---------------------------------------------------------------------------------------------- */

static void
finish_stopped (XfOperation *operation, const char *why)
{
  operation->stopped = TRUE;
  xf_operation_finish (operation, g_error_new_literal (XF_ERROR, XF_ERROR_ABORTED, why));
}

/* Ends at once between two attempts or while the restart waits for memory; during an attempt, when libxl or the hook
 * has ended. */
static gboolean
stop (XfJob *job, GError **error)
{
  XfOperation *operation = job->owner;

  operation->stopped = TRUE;
  if (operation->stop)
    operation->stop (operation);
  else if (operation->ao)
    xf_ao_abort (operation->ao);
  else
    finish_stopped (operation, "it was stopped");
  return TRUE;
}

gboolean
xf_restart_give_way (XfGuest *guest)
{
  XfOperation *operation = find (guest);

  if (!operation || !operation->again_id)
    return FALSE;
  finish_stopped (operation, "it was stopped");
  return TRUE;
}

/* The attempt in progress may have succeeded. */
static void
destroy_if_running (XfDriver *driver, const guint8 *uuid, XfDone done, gpointer data)
{
  XfGuest *guest = xf_guest_find_uuid (driver, uuid);

  if (!done)
    return;
  if (guest && guest->domid > 0)
    xf_driver_domain_destroy (driver, uuid, 0, done, data);
  else
    done (NULL, data);
}

gboolean
xf_restart_stop (XfGuest *guest, XfDone done, gpointer data)
{
  if (!find (guest))
    return FALSE;
  xf_job_act_when_ended (guest, destroy_if_running, done, data);
  return stop (guest->job, NULL);
}

void
xf_restart_compare (XfDriver *driver, const libxl_dominfo *info)
{
  XfGuest *guest = xf_guest_find_uuid (driver, libxl_uuid_bytearray_const (&info->uuid));
  XfOperation *operation = guest ? find (guest) : NULL;

  if (operation && operation->again_id && is_rival (guest, info) && !xf_removal_has (driver, info->domid))
    finish_stopped (operation, STARTED_BY_OTHERS);
}

void
xf_restarts_stop (XfDriver *driver)
{
  for (guint i = driver->guests->len; i-- > 0;)
    (void)xf_restart_give_way (driver->guests->pdata[i]);
}
