/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/guest/operation.h"

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "libxl/guest/driver_private.h"
#include "libxl/guest/moved.h"

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

void
xf_operation_answer (XfDone done, XfRefDone ref_done, gpointer data, GError *error, XfDomainRef *ref)
{
  Answer *answer = g_new (Answer, 1);

  *answer = (Answer){ done, ref_done, data, error, ref };
  g_idle_add_full (G_PRIORITY_DEFAULT, deliver_answer, answer, NULL);
}

/* Steps that may take long although libxl does nothing: a bootloader, a guest that does not acknowledge. A destroy or
 * an abort ends such a step early. */
static gboolean
stop_step (XfJob *job, GError **error)
{
  XfOperation *operation = job->owner;

  if (operation->stop)
    operation->stop (operation);
  else if (operation->moved)
    xf_moved_stop (operation->moved);
  else if (operation->ao)
    xf_ao_abort (operation->ao);
  return TRUE;
}

static const XfJobOps stoppable = { .abort = stop_step };

XfOperation *
xf_operation_begin (XfGuest *guest, XfJobKind kind, const char *what, XfDone done, XfRefDone ref_done, gpointer data,
                    GError **error)
{
  XfOperation *operation = g_new0 (XfOperation, 1);

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

void
xf_operation_finish (XfOperation *operation, GError *error)
{
  XfDomainRef *ref;

  if (error && operation->failed && operation->failed (operation, error))
    return;
  ref = xf_guest_ref (operation->guest);
  if (operation->note && !error)
    xf_guest_set_message (operation->guest, operation->note);
  g_assert (!operation->hook);
  g_free (operation->note);
  xf_memory_claim_free (operation->claim);
  if (operation->has_config)
    libxl_domain_config_dispose (&operation->config);
  if (operation->has_kept)
    libxl_domain_config_dispose (&operation->kept);
  xf_domain_def_free (operation->def);
  xf_job_end (operation->guest, NULL);
  xf_operation_answer (operation->done, operation->ref_done, operation->data, error,
                       error ? (xf_domain_ref_free (ref), NULL) : ref);
  g_free (operation);
}

GError *
xf_operation_error (const XfOperation *operation, int rc)
{
  g_autofree char *text = g_strdup_printf ("cannot %s domain '%s'", operation->what, operation->guest->name);
  GError *error = NULL;

  xf_rc_to_error (rc, &error, operation->guest->driver->ctx, text);
  return error;
}

void
xf_operation_finish_rc (XfOperation *operation, int rc)
{
  xf_operation_finish (operation, xf_operation_error (operation, rc));
}

libxl_ctx *
xf_operation_libxl (XfOperation *operation)
{
  return xf_ctx_libxl (operation->guest->driver->ctx);
}

XfAo *
xf_operation_ao (XfOperation *operation, XfAoDone done)
{
  return operation->ao = xf_ao_new (operation->guest->driver->ctx, done, operation);
}

gboolean
xf_operation_check_active (XfGuest *guest, GError **error)
{
  if (guest->domid == 0)
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID, "Domain-0 does not support the requested operation");
  else if (guest->domid < 0)
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID, "domain is not running");
  else
    return TRUE;
  return FALSE;
}
