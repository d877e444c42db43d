/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/phases/p2p.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "base/sm.h"
#include "conf/cookie.h"
#include "conf/migrate_uri.h"
#include "libxl/guest/driver_private.h"
#include "libxl/migrate/migrations.h"

/* libvirt's feature numbers for an offline migration and for phases with typed parameters (docs/wire.md, Features). */
enum { FEATURE_OFFLINE = 12, FEATURE_PARAMS = 13 };

/* The time for a destination to report that it has cleaned up: a full tunnel keeps the call itself from being read,
 * and then only the end of the connection reaches the destination. */
#define CANCEL_TIMEOUT_S 10

enum { OPENING, ASKING, RECOGNISING, PREPARING, PERFORMING, FINISHING, CONFIRMING, OVER, N_STATES };

static const XfSmState states[N_STATES] = {
  [OPENING] = { "opening", XF_SM_TO (ASKING) | XF_SM_TO (CONFIRMING) },
  [ASKING] = { "asking", XF_SM_TO (RECOGNISING) | XF_SM_TO (CONFIRMING) },
  [RECOGNISING] = { "recognising", XF_SM_TO (PREPARING) | XF_SM_TO (CONFIRMING) },
  [PREPARING] = { "preparing", XF_SM_TO (PERFORMING) | XF_SM_TO (FINISHING) | XF_SM_TO (CONFIRMING) },
  [PERFORMING] = { "performing", XF_SM_TO (FINISHING) | XF_SM_TO (OVER) },
  [FINISHING] = { "finishing", XF_SM_TO (CONFIRMING) | XF_SM_TO (OVER) },
  [CONFIRMING] = { "confirming", XF_SM_TO (OVER) },
  [OVER] = { "over", .final = TRUE },
};

typedef struct {
  XfDriver *driver;
  XfMigrateSource *source; /* NULL: it has ended by itself */
  char *dconnuri;          /* as given, and the form that the destination gets */
  char *host;
  char *guest_name;
  guint8 id[XF_UUID_LENGTH], uuid[XF_UUID_LENGTH]; /* of the migration, of the guest */
  XfDone done;
  gpointer data;
  XfSm sm;
  XfPeer *peer;
  gboolean tunnelled, libvirtd;
  XfMigrateParams params; /* a copy: the source may end first */
  char *uri;              /* the address for the data, from prepare */
  gboolean aborted;
  gboolean cancelled; /* the argument of finish */
  guint cancel_id;    /* finish(cancelled) waits for its answer */
  GError *error;      /* the first error */
} P2p;

static void finish (P2p *p2p, gboolean cancelled);

/* ---- helpers ---------------------------------------------------------------------------------------------- */

static const XfPeerOps *
peers (P2p *p2p)
{
  return p2p->driver->peers;
}

static void
remember (P2p *p2p, const GError *error)
{
  if (p2p->error)
    return;
  p2p->error = g_error_copy (error);
}

static void
remember_phase (P2p *p2p, const char *phase, const GError *error)
{
  g_autoptr (GError) told = g_error_new (XF_ERROR, error->code, "migration of domain '%s' to '%s' failed in %s: %s",
                                         p2p->guest_name, p2p->host, phase, error->message);

  remember (p2p, told);
}

static void
over (P2p *p2p)
{
  xf_sm_move (&p2p->sm, OVER);
  if (p2p->peer)
    peers (p2p)->close (p2p->peer);
  p2p->done (p2p->error, p2p->data);
  g_clear_error (&p2p->error);
  xf_migrate_params_clear (&p2p->params);
  xf_sm_clear (&p2p->sm);
  g_free (p2p->dconnuri);
  g_free (p2p->host);
  g_free (p2p->guest_name);
  g_free (p2p->uri);
  g_free (p2p);
}

static void
confirmed (const GError *error, gpointer data)
{
  P2p *p2p = data;

  if (error)
    remember (p2p, error);
  over (p2p);
}

static void
confirm (P2p *p2p, gboolean cancelled)
{
  xf_sm_move (&p2p->sm, CONFIRMING);
  xf_migrate_source_conclude (g_steal_pointer (&p2p->source), !cancelled, cancelled ? p2p->error : NULL, confirmed,
                              p2p);
}

/* Nothing was prepared at the destination: the migration ends here alone. */
static void
give_up (P2p *p2p, const char *phase, const GError *error)
{
  remember_phase (p2p, phase, error);
  confirm (p2p, TRUE);
}

static gboolean
stop_when_aborted (P2p *p2p)
{
  g_autoptr (GError) error = g_error_new_literal (XF_ERROR, XF_ERROR_ABORTED, "it was aborted");

  if (!p2p->aborted)
    return FALSE;
  give_up (p2p, xf_sm_name (&p2p->sm), error);
  return TRUE;
}

/* Typed parameters for the destination. @for_finish: those of finish. */
static XfTypedParams *
destination_params (P2p *p2p, gboolean for_finish)
{
  XfTypedParams *params = xf_typed_params_new ();
  const char *uri = for_finish ? p2p->uri : p2p->params.migrate_uri;

  if (p2p->source)
    xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_DEST_XML, xf_migrate_source_xml (p2p->source));
  if (p2p->params.destination_name || for_finish)
    xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_DEST_NAME,
                                p2p->params.destination_name ? p2p->params.destination_name : p2p->guest_name);
  if (uri && !p2p->tunnelled)
    xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_URI, uri);
  if (p2p->params.persistent_xml)
    xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_PERSIST_XML, p2p->params.persistent_xml);
  if (p2p->params.listen_address)
    xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_LISTEN_ADDRESS, p2p->params.listen_address);
  return params;
}

/* A paused guest stays paused at the destination: in managed mode the client adds this flag. */
static guint
destination_flags (P2p *p2p)
{
  return xf_migrate_params_destination_flags (&p2p->params, p2p->libvirtd)
         | (p2p->source && xf_migrate_source_guest_paused (p2p->source) ? VIR_MIGRATE_PAUSED : 0);
}

/* ---- finish and confirm ----------------------------------------------------------------------------------- */

/* The answer to finish was lost, or is an error, which is not a promise: the guest may run there or not, so the
 * destination is asked. */
static void
settle (P2p *p2p, const GError *error)
{
  const XfPeerOps *ops = peers (p2p);
  XfPeer *peer = g_steal_pointer (&p2p->peer);
  gboolean lost = error->code == XF_ERROR_NO_CONNECT;
  g_autoptr (GError)
    why = g_error_new (XF_ERROR, lost ? XF_ERROR_OPERATION_FAILED : error->code,
                       "migration of domain '%s' to '%s' failed in finish: %s%s%s", p2p->guest_name, p2p->host,
                       lost ? "the connection was lost while it decided (" : "", error->message, lost ? ")" : "");

  xf_sm_move (&p2p->sm, CONFIRMING);
  /* In this order: the source still has a tunnel through the connection, and may end within the call. */
  xf_migrate_source_settle (g_steal_pointer (&p2p->source), why, confirmed, p2p);
  ops->close (peer);
}

/* For people: a cookie that cannot be read has none. */
static void
take_warnings (P2p *p2p, GBytes *bytes)
{
  g_autoptr (XfCookie) cookie = bytes ? xf_cookie_parse (bytes, NULL) : NULL;

  if (cookie)
    xf_migrate_source_take_warnings (p2p->source, cookie->warnings);
}

static void
finished (const XfMigrateResult *result, const GError *error, gpointer data)
{
  P2p *p2p = data;

  g_clear_handle_id (&p2p->cancel_id, g_source_remove);
  if (!p2p->source) {
    /* Cancelled, and the source has rolled back by itself: the answer does not matter. */
    over (p2p);
    return;
  }
  /* Nothing was sent yet: prepare failed, and the guest does not run there, whatever the answer to the cancellation. */
  if (xf_migrate_source_is_begun (p2p->source)) {
    if (error)
      remember_phase (p2p, "finish", error);
    confirm (p2p, p2p->cancelled || error != NULL);
    return;
  }
  if (error && (error->code == XF_ERROR_NO_CONNECT || xf_migrate_source_can_be_asked (p2p->source))) {
    settle (p2p, error);
    return;
  }
  if (error)
    remember_phase (p2p, "finish", error);
  else
    take_warnings (p2p, result->cookie);
  confirm (p2p, error != NULL);
}

static gboolean
cancelled_in_vain (gpointer data)
{
  P2p *p2p = data;

  p2p->cancel_id = 0;
  g_info ("%s: '%s' does not confirm that it has cleaned up: closing the connection", p2p->sm.id, p2p->host);
  peers (p2p)->close (g_steal_pointer (&p2p->peer));
  if (p2p->source)
    confirm (p2p, TRUE);
  else
    over (p2p);
  return G_SOURCE_REMOVE;
}

/* The reason, for the destination's journal: there the data only ends. */
static GBytes *
cancel_cookie (const P2p *p2p)
{
  g_autoptr (XfCookie) cookie = xf_migrate_cookie_new (p2p->driver, p2p->guest_name, p2p->uuid, p2p->id);

  cookie->cancelled = g_strdup (p2p->error ? p2p->error->message : NULL);
  return xf_cookie_format (cookie);
}

static void
finish (P2p *p2p, gboolean cancelled)
{
  g_autoptr (XfTypedParams) params = destination_params (p2p, TRUE);
  g_autoptr (GBytes) cookie = p2p->libvirtd ? NULL
                              : cancelled   ? cancel_cookie (p2p)
                                            : xf_migrate_source_sent_cookie (p2p->source);

  xf_sm_move (&p2p->sm, FINISHING);
  p2p->cancelled = cancelled;
  if (!cancelled && p2p->tunnelled && peers (p2p)->send_finish)
    peers (p2p)->send_finish (p2p->peer, NULL, NULL);
  xf_typed_params_remove (params, VIR_MIGRATE_PARAM_DEST_XML);
  if (cancelled)
    p2p->cancel_id = g_timeout_add_seconds (CANCEL_TIMEOUT_S, cancelled_in_vain, p2p);
  peers (p2p)->finish (p2p->peer, params, cookie, destination_flags (p2p), cancelled, finished, p2p);
}

/* ---- perform ---------------------------------------------------------------------------------------------- */

static void
performed (const GError *error, gpointer data)
{
  P2p *p2p = data;

  if (!error) {
    finish (p2p, FALSE);
    return;
  }
  p2p->source = NULL; /* it has rolled back and ended */
  remember (p2p, error);
  if (p2p->peer)
    finish (p2p, TRUE);
  else
    over (p2p);
}

static XfMigrateTransport *
make_transport (P2p *p2p, const XfCookie *answer, GError **error)
{
  g_auto (XfMigrateUri) uri = { 0 };
  g_auto (XfConnectUri) control = { 0 };
  const char *host;

  if (p2p->tunnelled)
    return xf_migrate_source_way (p2p->source, answer, NULL, 0, p2p->peer, error);
  if (!p2p->uri) {
    g_set_error (error, XF_ERROR, XF_ERROR_INTERNAL, "the destination returned no address for the data");
    return NULL;
  }
  if (!xf_migrate_uri_parse (p2p->uri, &uri, error))
    return NULL;
  if (!uri.port) {
    g_set_error (error, XF_ERROR, XF_ERROR_INTERNAL, "the destination's URI '%s' has no port", p2p->uri);
    return NULL;
  }
  (void)xf_connect_uri_parse (p2p->dconnuri, &control, NULL);
  host = p2p->params.migrate_uri ? uri.host : xf_migrate_host_choose (uri.host, control.host);
  if (host != uri.host)
    g_info ("%s: '%s' names itself '%s', which is this host: sending to '%s'", p2p->sm.id, p2p->host, uri.host, host);
  return xf_migrate_source_way (p2p->source, answer, host, uri.port, NULL, error);
}

static void
prepared (const XfMigrateResult *result, const GError *error, gpointer data)
{
  P2p *p2p = data;
  g_autoptr (GError) wrong = NULL;
  g_autoptr (XfCookie) cookie = NULL;
  XfMigrateTransport *transport;

  if (error) {
    give_up (p2p, "prepare", error);
    return;
  }
  p2p->uri = g_strdup (result->uri ? result->uri : p2p->params.migrate_uri);
  if (p2p->params.flags & VIR_MIGRATE_OFFLINE && !p2p->aborted) {
    finish (p2p, FALSE);
    return;
  }
  cookie = xf_cookie_parse (result->cookie, NULL);
  xf_migrate_source_set_peer (p2p->source, cookie, p2p->dconnuri);
  transport = p2p->aborted ? NULL : make_transport (p2p, cookie, &wrong);
  if (transport) {
    xf_sm_move (&p2p->sm, PERFORMING);
    xf_migrate_source_set_abort (p2p->source, NULL, NULL);
    xf_migrate_source_perform (p2p->source, transport, performed, p2p);
    return;
  }
  if (!wrong)
    wrong = g_error_new_literal (XF_ERROR, XF_ERROR_ABORTED, "it was aborted");
  remember_phase (p2p, "prepare", wrong);
  finish (p2p, TRUE);
}

/* ---- opening ---------------------------------------------------------------------------------------------- */

static void
recognised (gboolean supported, const GError *error, gpointer data)
{
  P2p *p2p = data;
  g_autoptr (XfTypedParams) params = NULL;
  g_autoptr (GBytes) cookie = NULL;
  g_autoptr (GError) wrong = NULL;

  if (stop_when_aborted (p2p))
    return;
  if (error && error->code == XF_ERROR_NO_CONNECT) {
    give_up (p2p, "prepare", error);
    return;
  }
  p2p->libvirtd = error || !supported;
  if (p2p->libvirtd
      && (!xf_migrate_params_fit_libvirtd (&p2p->params, p2p->host, &wrong)
          || !xf_migrate_source_fits_libvirtd (p2p->source, &wrong))) {
    give_up (p2p, "prepare", wrong);
    return;
  }
  xf_sm_move (&p2p->sm, PREPARING);
  params = destination_params (p2p, FALSE);
  cookie = xf_migrate_source_cookie (p2p->source);
  if (p2p->tunnelled)
    peers (p2p)->prepare_tunnel (p2p->peer, params, cookie, destination_flags (p2p), prepared, p2p);
  else
    peers (p2p)->prepare (p2p->peer, params, cookie, destination_flags (p2p), prepared, p2p);
}

static void
asked (gboolean supported, const GError *error, gpointer data)
{
  P2p *p2p = data;
  g_autoptr (GError) wrong = NULL;

  if (stop_when_aborted (p2p))
    return;
  if (!error && !supported)
    wrong = g_error_new_literal (XF_ERROR, XF_ERROR_OPERATION_UNSUPPORTED,
                                 "the daemon there does not migrate with typed parameters");
  if (error || wrong) {
    give_up (p2p, "prepare", error ? error : wrong);
    return;
  }
  xf_sm_move (&p2p->sm, RECOGNISING);
  peers (p2p)->supports_feature (p2p->peer, XF_FEATURE_XENFERRY, recognised, p2p);
}

static void
opened (XfPeer *peer, const GError *error, gpointer data)
{
  P2p *p2p = data;

  if (stop_when_aborted (p2p))
    return;
  if (error) {
    give_up (p2p, "connect", error);
    return;
  }
  xf_sm_move (&p2p->sm, ASKING);
  peers (p2p)->supports_feature (p2p->peer, FEATURE_PARAMS, asked, p2p);
}

/* Pending calls have been answered already. Only the sending is left to stop; it makes no call. */
static void
closed (const GError *error, gpointer data)
{
  P2p *p2p = data;

  if (p2p->sm.state != PERFORMING || !p2p->source)
    return;
  {
    g_autoptr (GError) told = g_error_new (XF_ERROR, XF_ERROR_NO_CONNECT,
                                           "migration of domain '%s' to '%s' failed in perform: the connection to the "
                                           "daemon there was lost: %s",
                                           p2p->guest_name, p2p->host, error ? error->message : "closed");

    (void)xf_migrate_source_abort (p2p->source, told);
  }
}

/* Until perform: the next answer from the peer ends the migration. With a @reason it ends at once: the destination
 * drops the prepared migration with its connection. */
static gboolean
abort_early (gpointer data, const GError *reason)
{
  P2p *p2p = data;

  p2p->aborted = TRUE;
  if (reason && p2p->sm.state < PERFORMING) {
    remember (p2p, reason);
    confirm (p2p, TRUE);
  }
  return TRUE;
}

void
xf_migrate_p2p_run (XfDriver *driver, XfMigrateSource *source, const char *dconnuri, XfDone done, gpointer data)
{
  const XfMigrateParams *params = xf_migrate_source_params (source);
  g_auto (XfConnectUri) uri = { 0 };
  P2p *p2p = g_new0 (P2p, 1);

  p2p->driver = driver;
  p2p->source = source;
  p2p->done = done;
  p2p->data = data;
  p2p->tunnelled = params->flags & VIR_MIGRATE_TUNNELLED;
  xf_migrate_params_copy (&p2p->params, params);
  p2p->dconnuri = g_strdup (dconnuri);
  p2p->guest_name = g_strdup (xf_migrate_source_guest_name (source));
  memcpy (p2p->uuid, xf_migrate_source_guest (source)->uuid, XF_UUID_LENGTH);
  (void)xf_uuid_parse (xf_migrate_source_id (source), p2p->id);
  p2p->host = xf_connect_uri_parse (dconnuri, &uri, NULL) ? xf_connect_uri_describe (&uri) : g_strdup (dconnuri);
  {
    g_autofree char *id = g_strdup_printf ("migration %s of '%s', peer-to-peer", xf_migrate_source_id (source),
                                           p2p->guest_name);

    xf_sm_init (&p2p->sm, states, N_STATES, id);
  }
  xf_migrate_source_hold (source);
  xf_migrate_source_set_abort (source, abort_early, p2p);
  p2p->peer = peers (p2p)->open (driver->peers_data, dconnuri, driver->config.connect_timeout_s, opened, closed, p2p);
}
