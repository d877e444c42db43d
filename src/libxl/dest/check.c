/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The destination's checks without a migration: those of prepare, all of them, whatever fails first.
 */
#include "libxl/dest/private.h"

#include <libvirt/libvirt.h>

#include "libxl/migrate/check.h"

typedef struct {
  XfMigrateDest *dest;
  XfCheck *check;
} Incoming;

static void
incoming_free (gpointer data)
{
  Incoming *incoming = data;

  xf_migrate_dest_free (incoming->dest);
  g_free (incoming);
}

static void
end (Incoming *incoming)
{
  xf_check_end (incoming->check, NULL);
  incoming_free (incoming);
}

static void
resources_checked (const GError *error, gpointer data)
{
  Incoming *incoming = data;
  XfMigrateDest *dest = incoming->dest;

  xf_check_add_resources (incoming->check, dest->driver->hostname, xf_resources_findings (dest->resources));
  end (incoming);
}

static void
add_error (Incoming *incoming, const char *what, const GError *error)
{
  xf_check_add_error (incoming->check, incoming->dest->driver->hostname, what, error);
}

void
xf_driver_migrate_check_incoming (XfDriver *driver, const XfTypedParams *typed, GBytes *cookie, guint flags,
                                  XfCheckDone done, gpointer data)
{
  Incoming *incoming = g_new0 (Incoming, 1);
  XfMigrateDest *dest = incoming->dest = xf_migrate_dest_new (driver, NULL);
  g_autoptr (GError) wrong = NULL, taken = NULL, unfit = NULL, unclear = NULL;

  incoming->check = xf_check_new (driver, incoming_free, incoming, done, data);
  if (!xf_migrate_params_parse (&dest->params, typed, flags, &wrong)
      || !xf_migrate_dest_read_request (dest, &dest->params, cookie, &wrong)) {
    add_error (incoming, "request", wrong);
    end (incoming);
    return;
  }
  if (!xf_migrate_dest_may_reserve (dest, &taken))
    add_error (incoming, "name", taken);
  if (flags & VIR_MIGRATE_OFFLINE) {
    end (incoming);
    return;
  }
  if (!xf_migrate_dest_check_host (dest, &unfit))
    add_error (incoming, "configuration", unfit);
  if (xf_migrate_dest_find_resources (dest, NULL, &unclear)) {
    xf_resources_run (dest->resources, XF_VERB_CHECK, resources_checked, incoming);
    return;
  }
  add_error (incoming, "metadata", unclear);
  end (incoming);
}
