/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/resource/attach.h"

typedef struct {
  XfResource *resource; /* NULL: the step is over */
  XfCtx *ctx;
  XfAo *ao;
  gpointer device;
  GDestroyNotify free_device;
  char *what;
} Attachment;

static void
attachment_free (Attachment *attachment)
{
  attachment->free_device (attachment->device);
  g_free (attachment->what);
  g_free (attachment);
}

static void
attached (int rc, gpointer data)
{
  Attachment *attachment = data;
  XfResource *resource = attachment->resource;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;

  if (resource) {
    text = g_strdup_printf ("%s could not be attached on host '%s'", attachment->what, xf_resource_host (resource));
    if (rc != 0)
      (void)xf_rc_to_error (rc, &error, attachment->ctx, text);
    xf_resource_done (resource, error);
  }
  attachment_free (attachment);
}

void
xf_attach (XfResource *resource, XfAttach attach, gpointer device, GDestroyNotify free_device, const char *what)
{
  Attachment *attachment = g_new0 (Attachment, 1);
  const uint32_t *domid = xf_resource_guest (resource)->domid;

  *attachment = (Attachment){ .resource = resource,
                              .ctx = xf_resources_driver (resource->set)->ctx,
                              .device = device,
                              .free_device = free_device,
                              .what = g_strdup (what) };
  if (!domid) {
    attachment_free (attachment);
    xf_resource_fail (resource, XF_ERROR_INTERNAL, "there is no domain to attach %s to", what);
    return;
  }
  resource->work = attachment;
  attachment->ao = xf_ao_new (attachment->ctx, attached, attachment);
  xf_ao_started (attachment->ao, attach (xf_ctx_libxl (attachment->ctx), *domid, device, xf_ao_how (attachment->ao)));
}

void
xf_attach_stop (XfResource *resource)
{
  Attachment *attachment = g_steal_pointer (&resource->work);

  if (!attachment)
    return;
  attachment->resource = NULL;
  xf_ao_abort (attachment->ao);
}
