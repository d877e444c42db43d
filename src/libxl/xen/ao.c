/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/xen/ao.h"

#include <string.h>

#include "base/error.h"

struct XfAo {
  libxl_asyncop_how how;
  XfCtx *ctx;
  XfAoDone done;
  gpointer data;
  int rc;
  gboolean completed;
  gboolean helper_runs;
  guint abort_id; /* the abort is scheduled */
};

static gboolean
deliver (gpointer data)
{
  XfAo *ao = data;

  ao->done (ao->rc, ao->data);
  g_free (ao);
  return G_SOURCE_REMOVE;
}

static void
complete (XfAo *ao, int rc)
{
  g_assert (!ao->completed);
  g_clear_handle_id (&ao->abort_id, g_source_remove);
  ao->completed = TRUE;
  ao->rc = rc;
  g_idle_add_full (G_PRIORITY_DEFAULT, deliver, ao, NULL);
}

static void
libxl_calls_back (libxl_ctx *ctx, int rc, void *for_callback)
{
  complete (for_callback, rc);
}

XfAo *
xf_ao_new (XfCtx *ctx, XfAoDone done, gpointer data)
{
  XfAo *ao = g_new0 (XfAo, 1);

  ao->how.callback = libxl_calls_back;
  ao->how.u.for_callback = ao;
  ao->ctx = ctx;
  ao->done = done;
  ao->data = data;
  xf_ctx_forget_cause (ctx);
  return ao;
}

const libxl_asyncop_how *
xf_ao_how (XfAo *ao)
{
  return &ao->how;
}

void
xf_ao_started (XfAo *ao, int rc)
{
  if (rc != 0)
    complete (ao, rc);
}

void
xf_ao_abort (XfAo *ao)
{
  int rc;

  if (ao->completed)
    return;
  rc = libxl_ao_abort (xf_ctx_libxl (ao->ctx), &ao->how);
  /* Not found: the operation has just ended by itself. Not implemented: the operation runs to its end. */
  if (rc != 0)
    g_debug ("libxl_ao_abort answered %d", rc);
}

static gboolean
abort_late (gpointer data)
{
  XfAo *ao = data;

  ao->abort_id = 0;
  xf_ao_abort (ao);
  return G_SOURCE_REMOVE;
}

void
xf_ao_abort_late (XfAo *ao, guint seconds)
{
  if (ao->completed || ao->abort_id)
    return;
  if (ao->helper_runs)
    xf_ao_abort (ao);
  else
    ao->abort_id = g_timeout_add_seconds (seconds, abort_late, ao);
}

void
xf_ao_helper_runs (XfAo *ao)
{
  ao->helper_runs = TRUE;
  if (!ao->abort_id)
    return;
  g_source_remove (ao->abort_id);
  ao->abort_id = g_idle_add (abort_late, ao);
}

static XfErrorCode
code_of (int rc)
{
  switch (rc) {
  case ERROR_GUEST_TIMEDOUT:
    return XF_ERROR_GUEST_TIMEDOUT;
  case ERROR_ABORTED:
    return XF_ERROR_ABORTED;
  case ERROR_TIMEDOUT:
    return XF_ERROR_TIMEOUT;
  case ERROR_DOMAIN_NOTFOUND:
    return XF_ERROR_OPERATION_INVALID;
  case ERROR_NI:
    return XF_ERROR_OPERATION_UNSUPPORTED;
  default:
    return XF_ERROR_OPERATION_FAILED;
  }
}

/* libxl names the resource for which it waited in vain. The advice names the service that provides it. */
static const char *
advice (const char *said)
{
  static const struct {
    const char *said, *advice;
  } table[] = {
    { "console tty", "; is xenconsoled running on this host?" },
    { "device model", "; is the device model (QEMU for Xen) installed? See its log in /var/log/xen" },
    { "/etc/xen/scripts/", "; see the log of that hotplug script" },
  };

  for (gsize i = 0; said && i < G_N_ELEMENTS (table); i++) {
    if (strstr (said, table[i].said))
      return table[i].advice;
  }
  return "";
}

gboolean
xf_rc_to_error (int rc, GError **error, XfCtx *ctx, const char *text)
{
  const char *said = ctx ? xf_ctx_cause (ctx) : NULL;

  /* libxl also returns ERROR_GUEST_TIMEDOUT for every other failure before the guest answered, for example if this
   * Xen lacks log-dirty mode. The first error that libxl logged tells these apart. */
  if (rc == ERROR_GUEST_TIMEDOUT && !said)
    said = "the guest did not answer the request to suspend";
  else if (rc == ERROR_ABORTED)
    said = "it was aborted";
  g_set_error (error, XF_ERROR, code_of (rc), "%s: %s (libxl error %d)%s", text, said ? said : "libxl gave no reason",
               rc, advice (said));
  return FALSE;
}
