/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The destination's phases as clients and other daemons call them (driver.h): each reads its arguments, finds the
 * migration, and passes the call to dest/dest.c. Prepare is answered when the guest's memory is available.
 */
#include "libxl/migrate/migrations.h"

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/fd.h"
#include "conf/cookie.h"
#include "libxl/guest/driver_private.h"
#include "libxl/dest/dest.h"

/* A prepare that waits for the guest's memory. */
typedef struct {
  XfMigrateDest *dest;
  XfMigrateDone done;
  XfTunnelDone tunnel_done;
  gpointer data;
  char *uri;
  int fd;
} Preparing;

static void
prepared (const GError *error, gpointer data)
{
  g_autofree Preparing *preparing = data;
  g_autoptr (GBytes) answer = error ? NULL : xf_migrate_dest_cookie (preparing->dest);
  XfMigrateResult result = { .cookie = answer, .uri = preparing->uri };

  xf_migrate_answer_later (preparing->done, preparing->data, error ? NULL : &result,
                           error ? g_error_copy (error) : NULL);
  g_free (preparing->uri);
}

void
xf_driver_migrate_prepare (XfDriver *driver, gconstpointer client, const XfTypedParams *typed, GBytes *cookie,
                           guint flags, XfMigrateDone done, gpointer data)
{
  g_auto (XfMigrateParams) params = { 0 };
  Preparing preparing = { .done = done, .data = data };
  GError *error = NULL;

  if (xf_migrate_params_parse (&params, typed, flags, &error))
    preparing.dest = xf_migrate_dest_prepare (driver, client, &params, cookie, &preparing.uri, &error);
  if (preparing.dest)
    xf_migrate_dest_when_ready (preparing.dest, prepared, g_memdup2 (&preparing, sizeof (preparing)));
  else
    xf_migrate_answer_later (done, data, NULL, error);
}

/* Not through the loop: the tunnel's stream must exist before the driver can act on it. */
static void
tunnel_prepared (const GError *error, gpointer data)
{
  g_autofree Preparing *preparing = data;
  g_autoptr (GBytes) answer = NULL;
  XfMigrateResult result = { 0 };

  if (error) {
    xf_clear_fd (&preparing->fd);
    preparing->tunnel_done (-1, NULL, error, preparing->data);
    return;
  }
  answer = xf_migrate_dest_cookie (preparing->dest);
  result.cookie = answer;
  preparing->tunnel_done (preparing->fd, &result, NULL, preparing->data);
}

void
xf_driver_migrate_prepare_tunnel (XfDriver *driver, gconstpointer client, const XfTypedParams *typed, GBytes *cookie,
                                  guint flags, const XfTunnelOps *ops, gpointer tunnel, XfTunnelDone done,
                                  gpointer data)
{
  g_auto (XfMigrateParams) params = { 0 };
  Preparing preparing = { .tunnel_done = done, .data = data, .fd = -1 };
  g_autoptr (GError) error = NULL;

  if (xf_migrate_params_parse (&params, typed, flags, &error))
    preparing.dest = xf_migrate_dest_prepare_tunnel (driver, client, &params, cookie, ops, tunnel, &preparing.fd,
                                                     &error);
  if (preparing.dest)
    xf_migrate_dest_when_ready (preparing.dest, tunnel_prepared, g_memdup2 (&preparing, sizeof (preparing)));
  else
    done (-1, NULL, error, data);
}

/* ---- finish ----------------------------------------------------------------------------------------------- */

/* Gives the same answer again to a client that has lost the first: the journal has it. */
static void
answer_from_journal (XfDriver *driver, const XfJournalEntry *entry, gboolean cancelled, XfMigrateDone done,
                     gpointer data)
{
  XfGuest *guest = xf_guest_find_uuid (driver, entry->uuid);
  g_autoptr (XfDomainRef) ref = guest ? xf_guest_ref (guest) : xf_domain_ref_new (entry->name, entry->uuid, -1);
  gboolean runs = g_str_equal (entry->state, "running");
  GError *error = NULL;

  if (!runs)
    g_set_error (&error, XF_ERROR, cancelled ? XF_ERROR_FINISH_OK : XF_ERROR_OPERATION_FAILED, "%s",
                 entry->reason ? entry->reason : "cancelled");
  else if (cancelled)
    g_set_error (&error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
                 "too late to cancel the migration of domain '%s': it runs on host '%s'", entry->name,
                 driver->hostname);
  xf_migrate_answer_later (done, data, error ? NULL : &(XfMigrateResult){ .ref = ref }, error);
}

/* The cookie of a xenferry's perform says when everything is sent and the source's journal has it. Before that the
 * source may take the guest back, and nothing may start it here. */
static gboolean
check_sent (XfMigrateDest *dest, const XfCookie *cookie, GError **error)
{
  if (!xf_migrate_dest_can_be_asked (dest) || xf_migrate_dest_has_failed (dest) || (cookie && cookie->sent))
    return TRUE;
  g_propagate_error (
    error, xf_migrate_dest_error (dest, "finish", XF_ERROR_OPERATION_INVALID,
                                  "the call has no cookie of perform, which would show that everything is sent"));
  return FALSE;
}

/* A xenferry's cookie identifies the migration of a finish. A libvirtd has no cookie, and no source has one when it
 * cancels: then it is the migration of that guest that the same client prepared. */
static XfMigrateDest *
find_dest (XfDriver *driver, gconstpointer client, const XfCookie *cookie, const char *name, GError **error)
{
  XfMigrateDest *dest;

  if (cookie && cookie->is_xenferry)
    return xf_migrate_dest_find_id (driver, cookie->id);
  dest = name ? xf_migrate_dest_find (driver, name) : NULL;
  if (!dest || xf_migrate_dest_is_of (dest, client))
    return dest;
  g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
               "finish of domain '%s' on host '%s' is refused: another client has prepared its migration, and the call "
               "has no cookie that names it",
               name, driver->hostname);
  return NULL;
}

void
xf_driver_migrate_finish (XfDriver *driver, gconstpointer client, const XfTypedParams *typed, GBytes *bytes,
                          guint flags, gboolean cancelled, XfMigrateDone done, gpointer data)
{
  g_auto (XfMigrateParams) params = { 0 };
  GError *error = NULL;
  g_autoptr (XfCookie) cookie = xf_cookie_parse (bytes, &error);
  XfMigrateDest *dest = NULL;
  const XfJournalEntry *entry = NULL;

  if (!error && xf_migrate_params_parse (&params, typed, flags, &error))
    dest = find_dest (driver, client, cookie, params.destination_name, &error);
  if (dest && !cancelled && !(params.flags & VIR_MIGRATE_OFFLINE))
    (void)check_sent (dest, cookie, &error);
  if (error) {
    xf_migrate_answer_later (done, data, NULL, error);
    return;
  }
  if (!dest && cookie && cookie->is_xenferry)
    entry = xf_journal_find (driver->journal, XF_SIDE_DESTINATION, cookie->id);
  if (dest) {
    xf_migrate_dest_take_progress (dest, cookie);
    xf_migrate_dest_take_state (dest, cookie, &params);
    if (cancelled)
      xf_migrate_dest_take_cancel (dest, cookie);
    xf_migrate_dest_finish (dest, &params, cancelled, done, data);
  } else if (entry && entry->final) {
    answer_from_journal (driver, entry, cancelled, done, data);
  } else {
    g_set_error (&error, XF_ERROR, cancelled ? XF_ERROR_FINISH_OK : XF_ERROR_OPERATION_INVALID,
                 "no migration of domain '%s' is under way on host '%s'",
                 params.destination_name ? params.destination_name : "(no name)", driver->hostname);
    xf_migrate_answer_later (done, data, NULL, error);
  }
}
