/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The source's phases as clients call them (driver.h): each reads its arguments, finds the migration, and passes the
 * call to the source's state machine or to the peer-to-peer one. The destination's are in dest_calls.c.
 */
#include "libxl/migrate/migrations.h"

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "conf/cookie.h"
#include "conf/migrate_uri.h"
#include "libxl/guest/driver_private.h"
#include "libxl/phases/p2p.h"
#include "libxl/source/source.h"

/* Adapts the source's callback to the answer of a phase. */
typedef struct {
  XfMigrateDone done;
  gpointer data;
  XfMigrateSource *source; /* its measurements are for the destination, or NULL */
} Waiting;

static Waiting *
waiting_new (XfMigrateDone done, gpointer data)
{
  Waiting *waiting = g_new (Waiting, 1);

  *waiting = (Waiting){ done, data, NULL };
  return waiting;
}

/* Answers through the loop, because the source may have ended within the call. */
static void
phase_ended (const GError *error, gpointer data)
{
  g_autofree Waiting *waiting = data;
  XfMigrateResult nothing = { 0 };

  xf_migrate_answer_later (waiting->done, waiting->data, error ? NULL : &nothing, error ? g_error_copy (error) : NULL);
}

/* ---- phases ---------------------------------------------------------------------------------------- */

static XfMigrateSource *
begin (XfDriver *driver, const guint8 *uuid, gconstpointer client, gboolean p2p, XfMigrateParams *params,
       const char *host, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);

  if (!guest)
    return NULL;
  if (!params->bandwidth_mib)
    params->bandwidth_mib = guest->max_speed_mib;
  return xf_migrate_source_begin (driver, guest, client, p2p, params, host, error);
}

/* The source still exists unless it has ended meanwhile. */
static void
begun (const GError *error, gpointer data)
{
  g_autofree Waiting *waiting = data;
  g_autoptr (GBytes) cookie = NULL;
  XfMigrateResult result = { 0 };

  if (error) {
    xf_migrate_answer_later (waiting->done, waiting->data, NULL, g_error_copy (error));
    return;
  }
  cookie = xf_migrate_source_cookie (waiting->source);
  result = (XfMigrateResult){ .cookie = cookie, .xml = xf_migrate_source_xml (waiting->source) };
  xf_migrate_answer_later (waiting->done, waiting->data, &result, NULL);
}

void
xf_driver_migrate_begin (XfDriver *driver, const guint8 *uuid, gconstpointer client, const XfTypedParams *typed,
                         guint flags, XfMigrateDone done, gpointer data)
{
  g_auto (XfMigrateParams) params = { 0 };
  GError *error = NULL;
  XfMigrateSource *source = NULL;
  Waiting *waiting;

  if (xf_migrate_params_parse (&params, typed, flags, &error))
    source = begin (driver, uuid, client, FALSE, &params, "the destination", &error);
  if (!source) {
    xf_migrate_answer_later (done, data, NULL, error);
    return;
  }
  waiting = waiting_new (done, data);
  waiting->source = source;
  xf_migrate_source_describe (source, begun, waiting);
}

/* Finds the migration of that guest, with that id, that this client drives. @cookie_out gets the content of @bytes, a
 * phase's cookie (NULL: empty). Any other caller is refused before anything happens. */
static XfMigrateSource *
find_source (XfDriver *driver, const guint8 *uuid, gconstpointer client, GBytes *bytes, const char *phase,
             XfCookie **cookie_out, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);
  XfMigrateSource *source = guest ? xf_migrate_source_find (guest) : NULL;
  GError *malformed = NULL;

  if (guest && !source)
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
                 "%s of domain '%s': no migration of it is under way here; it has ended, or never begun", phase,
                 guest->name);
  if (!source)
    return NULL;
  *cookie_out = xf_cookie_parse (bytes, &malformed);
  if (malformed) {
    g_propagate_prefixed_error (error, malformed, "%s of domain '%s': ", phase, guest->name);
    return NULL;
  }
  return xf_migrate_source_check_caller (source, client, *cookie_out, phase, error) ? source : NULL;
}

/* The source still exists unless it failed. */
static void
performed (const GError *error, gpointer data)
{
  Waiting *waiting = data;
  g_autoptr (GBytes) cookie = !error && waiting->source ? xf_migrate_source_sent_cookie (waiting->source) : NULL;

  xf_migrate_answer_later (waiting->done, waiting->data, error ? NULL : &(XfMigrateResult){ .cookie = cookie },
                           error ? g_error_copy (error) : NULL);
  g_free (waiting);
}

typedef struct {
  XfDriver *driver;
  XfMigrateSource *source;
  char *dconnuri;
  Waiting *waiting;
} P2pStart;

static void
p2p_begun (const GError *error, gpointer data)
{
  P2pStart *start = data;

  if (error)
    phase_ended (error, start->waiting);
  else
    xf_migrate_p2p_run (start->driver, start->source, start->dconnuri, phase_ended, start->waiting);
  g_free (start->dconnuri);
  g_free (start);
}

static void
perform_p2p (XfDriver *driver, const guint8 *uuid, gconstpointer client, const char *dconnuri, XfMigrateParams *params,
             XfMigrateDone done, gpointer data)
{
  GError *error = NULL;
  g_auto (XfConnectUri) uri = { 0 };
  g_autofree char *host = NULL;
  XfMigrateSource *source = NULL;
  P2pStart *start;

  if (xf_connect_uri_parse (dconnuri, &uri, &error)) {
    host = xf_connect_uri_describe (&uri);
    source = begin (driver, uuid, client, TRUE, params, host, &error);
  }
  if (!source) {
    xf_migrate_answer_later (done, data, NULL, error);
    return;
  }
  start = g_new (P2pStart, 1);
  *start = (P2pStart){ driver, source, g_strdup (dconnuri), waiting_new (done, data) };
  xf_migrate_source_describe (source, p2p_begun, start);
}

static XfMigrateTransport *
managed_transport (XfMigrateSource *source, const XfMigrateParams *params, const XfCookie *answer, GError **error)
{
  g_auto (XfMigrateUri) uri = { 0 };

  if (params->flags & VIR_MIGRATE_TUNNELLED) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG,
                 "a tunnelled migration is a peer-to-peer one: use --p2p --tunnelled");
    return NULL;
  }
  if (!params->migrate_uri) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "perform has no destination URI");
    return NULL;
  }
  if (!xf_migrate_uri_parse (params->migrate_uri, &uri, error))
    return NULL;
  if (!uri.port) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "the migration URI '%s' has no port", params->migrate_uri);
    return NULL;
  }
  return xf_migrate_source_way (source, answer, uri.host, uri.port, NULL, error);
}

void
xf_driver_migrate_perform (XfDriver *driver, const guint8 *uuid, gconstpointer client, const char *dconnuri,
                           const XfTypedParams *typed, GBytes *cookie, guint flags, XfMigrateDone done, gpointer data)
{
  g_auto (XfMigrateParams) params = { 0 };
  GError *error = NULL;
  XfMigrateSource *source = NULL;
  XfMigrateTransport *transport = NULL;
  g_autoptr (XfCookie) peer = NULL;
  gboolean understood = xf_migrate_params_parse (&params, typed, flags, &error);
  Waiting *waiting;

  if (understood && flags & VIR_MIGRATE_PEER2PEER && dconnuri) {
    perform_p2p (driver, uuid, client, dconnuri, &params, done, data);
    return;
  }
  source = understood ? find_source (driver, uuid, client, cookie, "perform", &peer, &error) : NULL;
  if (source && !xf_migrate_source_is_begun (source)) {
    g_set_error (&error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
                 "perform of domain '%s' is not possible now: its migration is %s",
                 xf_migrate_source_guest_name (source), xf_migrate_source_state (source));
    source = NULL;
  }
  if (source && ((peer && peer->is_xenferry) || xf_migrate_source_fits_libvirtd (source, &error)))
    transport = managed_transport (source, &params, peer, &error);
  if (transport) {
    xf_migrate_source_set_host (source, params.migrate_uri);
    xf_migrate_source_set_peer (source, peer, NULL);
    waiting = waiting_new (done, data);
    /* A libvirtd gets the empty cookie that it expects. */
    waiting->source = peer && peer->is_xenferry ? source : NULL;
    xf_migrate_source_perform (source, transport, performed, waiting);
    return;
  }
  /* No confirm follows a failed perform: the migration ends here. */
  if (source)
    (void)xf_migrate_source_abort (source, error);
  xf_migrate_answer_later (done, data, NULL, error);
}

void
xf_driver_migrate_confirm (XfDriver *driver, const guint8 *uuid, gconstpointer client, const XfTypedParams *typed,
                           GBytes *bytes, guint flags, gboolean cancelled, XfMigrateDone done, gpointer data)
{
  GError *error = NULL;
  XfGuest *guest = xf_guest_find_uuid (driver, uuid);
  XfMigrateSource *source = NULL;
  g_autoptr (XfCookie) cookie = NULL;

  if (cancelled && !(guest && xf_migrate_source_find (guest))) {
    /* The source has rolled back by itself, as the caller wants. */
    xf_migrate_answer_later (done, data, &(XfMigrateResult){ 0 }, NULL);
    return;
  }
  source = find_source (driver, uuid, client, bytes, "confirm", &cookie, &error);
  if (source && cookie)
    xf_migrate_source_take_warnings (source, cookie->warnings);
  if (source && xf_migrate_source_may_confirm (source, cancelled, &error))
    xf_migrate_source_confirm (source, cancelled, phase_ended, waiting_new (done, data));
  else
    xf_migrate_answer_later (done, data, NULL, error);
}
