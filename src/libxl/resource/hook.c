/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The administrator's hooks of a guest that arrives (guest/hook.h), with libvirt's operations of a start: `prepare` and
 * `start` before a byte is sent; and if the guest does not arrive after all, `stopped` and `release`. `started` follows
 * when it runs (dest/finish.c).
 */
#include "libxl/guest/hook.h"

#include "libxl/resource/kinds.h"

/* The call under way. */
typedef struct {
  XfResource *resource; /* NULL: the step was stopped */
  XfHook *hook;
  const char *next; /* the operation that follows, or NULL */
} Call;

static void
list (XfResources *set, const XfResourceKind *kind)
{
  const XfResourceGuest *guest = xf_resources_guest (set);

  if (guest->side == XF_SIDE_DESTINATION && guest->config && xf_hook_exists (xf_resources_driver (set)))
    (void)xf_resource_add (set, kind, NULL, 0);
}

static void run (XfResource *resource, const char *operation, const char *suboperation, const char *next);

/* `release` follows `stopped` also if that has failed. */
static void
called (const char *xml, const GError *error, gpointer data)
{
  g_autofree Call *call = data;
  XfResource *resource = call->resource;
  gboolean back = g_strcmp0 (call->next, "release") == 0;

  if (!resource)
    return;
  resource->work = NULL;
  if (call->next && (!error || back))
    run (resource, call->next, back ? "end" : "begin", NULL);
  else
    xf_resource_done (resource, error);
}

static void
run (XfResource *resource, const char *operation, const char *suboperation, const char *next)
{
  const XfDomainDef *def = xf_resource_guest (resource)->def;
  g_autofree char *xml = xf_domain_def_format (def, XF_DOMAIN_FORMAT_NONE, NULL);
  Call *call = g_new0 (Call, 1);

  *call = (Call){ .resource = resource, .next = next };
  resource->work = call;
  call->hook = xf_hook_run (xf_resources_driver (resource->set), def->name, xml, operation, suboperation, called, call);
}

static void
stop (XfResource *resource)
{
  Call *call = resource->work;

  if (!call)
    return;
  call->resource = NULL;
  xf_hook_stop (call->hook); /* calls back later */
}

static void
prepare (XfResource *resource)
{
  run (resource, "prepare", "begin", "start");
}

static void
rollback (XfResource *resource)
{
  run (resource, "stopped", "end", "release");
}

const XfResourceKind xf_resource_hook = {
  .name = "hook",
  .want = XF_WANT_MANDATORY,
  .list = list,
  .verbs = { [XF_VERB_PREPARE] = prepare, [XF_VERB_ROLLBACK] = rollback },
  .stop = stop,
};
