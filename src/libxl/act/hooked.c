/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/act/hooked.h"

#include "base/error.h"
#include "libxl/guest/hook.h"
#include "libxl/act/restart.h"
#include "libxl/guest/driver_private.h"

static void
stop_hook (XfOperation *operation)
{
  xf_hook_stop (operation->hook);
}

static void
ended (const char *xml, const GError *error, gpointer data)
{
  XfOperation *operation = data;

  operation->hook = NULL;
  operation->stop = NULL;
  operation->hooked (operation, error);
}

/* libxl's last step has ended. */
static void
run (XfOperation *operation, const char *xml, const char *name, const char *suboperation, XfHooked next)
{
  XfGuest *guest = operation->guest;

  operation->ao = NULL;
  operation->stop = stop_hook;
  operation->hooked = next;
  operation->hook = xf_hook_run (guest->driver, guest->name, xml, name, suboperation, ended, operation);
}

static char *
describe (const XfDomainDef *def, guint32 domid)
{
  const XfDomainLive live = { .id = (int)domid, .vnc_port = -1 };

  return xf_domain_def_format (def, XF_DOMAIN_FORMAT_NONE, domid ? &live : NULL);
}

/* ---- start ------------------------------------------------------------------------------------------------ */

static void
prepared (XfOperation *operation, const GError *error)
{
  operation->prepared = !error;
  operation->then (operation, error);
}

void
xf_hooked_prepare (XfOperation *operation, XfHooked next)
{
  g_autofree char *xml = NULL;

  operation->prepared = FALSE;
  if (!xf_hook_exists (operation->guest->driver)) {
    next (operation, NULL);
    return;
  }
  xml = describe (operation->def, 0);
  operation->then = next;
  run (operation, xml, "prepare", "begin", prepared);
}

static void
may_start (XfOperation *operation, const GError *error)
{
  g_autoptr (GError) rival = NULL;

  if (!error && !xf_restart_check_alone (operation, &rival))
    g_prefix_error (&rival, "domain '%s' is not started: ", operation->guest->name);
  operation->then (operation, rival ? rival : error);
}

void
xf_hooked_start (XfOperation *operation, XfHooked next)
{
  g_autofree char *xml = NULL;

  if (!operation->prepared) {
    next (operation, NULL);
    return;
  }
  xml = describe (operation->def, 0);
  operation->then = next;
  run (operation, xml, "start", "begin", may_start);
}

static void
warned (XfOperation *operation, const GError *error)
{
  if (error)
    g_warning ("%s", error->message);
  operation->then (operation, NULL);
}

void
xf_hooked_started (XfOperation *operation, XfHooked next)
{
  g_autofree char *xml = NULL;

  if (!operation->prepared) {
    next (operation, NULL);
    return;
  }
  xml = describe (operation->guest->def, (guint32)operation->guest->domid);
  operation->then = next;
  run (operation, xml, "started", "begin", warned);
}

/* ---- end -------------------------------------------------------------------------------------------------- */

static void
not_stopped (XfOperation *operation)
{
}

static void
stopped (XfOperation *operation, const GError *error)
{
  g_autofree char *xml = g_steal_pointer (&operation->release_xml);

  if (error)
    g_warning ("%s", error->message);
  run (operation, xml, "release", "end", warned);
  operation->stop = not_stopped;
}

void
xf_hooked_release (XfOperation *operation, const XfDomainDef *def, guint32 domid, XfHooked next)
{
  g_autofree char *xml = NULL;

  if (!xf_hook_exists (operation->guest->driver)) {
    next (operation, NULL);
    return;
  }
  xml = describe (def, domid);
  operation->release_xml = describe (def, 0);
  operation->then = next;
  run (operation, xml, "stopped", "end", stopped);
  operation->stop = not_stopped;
}

static void
released (XfOperation *operation, const GError *error)
{
  xf_operation_finish (operation, g_steal_pointer (&operation->failure));
}

void
xf_hooked_fail (XfOperation *operation, GError *error)
{
  if (!operation->prepared) {
    xf_operation_finish (operation, error);
    return;
  }
  operation->prepared = FALSE;
  operation->failure = error;
  xf_hooked_release (operation, operation->def, 0, released);
}
