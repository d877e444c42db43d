/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The phases that a source calls on its destination, and the check that it can ask for before them.
 */
#include "base/error.h"
#include "remote/convert.h"
#include "remote/peer_private.h"

/* ---- feature ---------------------------------------------------------------------------------------------- */

static void
feature_answer (XfPeer *peer, XfPeerReply *reply, gconstpointer ret, const XfFrameHeader *header, const GError *error)
{
  const xf_int_ret *result = ret;
  XfPeerFeature done = (XfPeerFeature)reply->done;

  done (!error && result->value != 0, error, reply->data);
}

void
xf_peer_supports_feature (XfPeer *peer, int feature, XfPeerFeature done, gpointer data)
{
  xf_int_args args = { feature };

  xf_peer_call (peer, XF_PROC_CONNECT_SUPPORTS_FEATURE, (xdrproc_t)xdr_xf_int_args, &args, (xdrproc_t)xdr_xf_int_ret,
                sizeof (xf_int_ret), feature_answer, G_CALLBACK (done), data);
}

/* ---- prepare ---------------------------------------------------------------------------------------------- */

static void
migrate_failed (XfPeerReply *reply, const GError *error)
{
  ((XfMigrateDone)reply->done) (NULL, error, reply->data);
}

static void
prepare_answer (XfPeer *peer, XfPeerReply *reply, gconstpointer ret, const XfFrameHeader *header, const GError *error)
{
  const xf_prepare_ret *result = ret;
  g_autoptr (GBytes) cookie = NULL;
  XfMigrateResult told = { 0 };

  if (error) {
    migrate_failed (reply, error);
    return;
  }
  cookie = xf_convert_cookie_from_wire (result->cookie.cookie_val, result->cookie.cookie_len);
  told.cookie = cookie;
  told.uri = result->uri ? *result->uri : NULL;
  ((XfMigrateDone)reply->done) (&told, NULL, reply->data);
}

static void
tunnel_answer (XfPeer *peer, XfPeerReply *reply, gconstpointer ret, const XfFrameHeader *header, const GError *error)
{
  const xf_cookie_ret *result = ret;
  g_autoptr (GBytes) cookie = NULL;
  XfMigrateResult told = { 0 };

  if (error) {
    migrate_failed (reply, error);
    return;
  }
  /* The stream exists from this reply on. */
  xf_peer_stream_open (peer, header);
  cookie = xf_convert_cookie_from_wire (result->cookie.cookie_val, result->cookie.cookie_len);
  told.cookie = cookie;
  ((XfMigrateDone)reply->done) (&told, NULL, reply->data);
}

static void
call_prepare (XfPeer *peer, gint32 procedure, const XfTypedParams *params, GBytes *cookie, guint flags,
              xdrproc_t ret_xdr, gsize ret_size, XfPeerAnswer answer, XfMigrateDone done, gpointer data)
{
  xf_prepare_args args = { .flags = flags };
  g_autofree xf_param *wire = xf_convert_params_to_wire (params, &args.params.params_len);

  args.params.params_val = wire;
  args.cookie.cookie_val = xf_convert_cookie_to_wire (cookie, &args.cookie.cookie_len);
  xf_peer_call (peer, procedure, (xdrproc_t)xdr_xf_prepare_args, &args, ret_xdr, ret_size, answer, G_CALLBACK (done),
                data);
}

void
xf_peer_prepare (XfPeer *peer, const XfTypedParams *params, GBytes *cookie, guint flags, XfMigrateDone done,
                 gpointer data)
{
  call_prepare (peer, XF_PROC_DOMAIN_MIGRATE_PREPARE3_PARAMS, params, cookie, flags, (xdrproc_t)xdr_xf_prepare_ret,
                sizeof (xf_prepare_ret), prepare_answer, done, data);
}

void
xf_peer_prepare_tunnel (XfPeer *peer, const XfTypedParams *params, GBytes *cookie, guint flags, XfMigrateDone done,
                        gpointer data)
{
  call_prepare (peer, XF_PROC_DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS, params, cookie, flags,
                (xdrproc_t)xdr_xf_cookie_ret, sizeof (xf_cookie_ret), tunnel_answer, done, data);
}

/* ---- check ------------------------------------------------------------------------------------------------ */

/* A daemon that is older than the call, or is no xenferry: it has not looked, which blocks nothing. */
static gboolean
cannot_check (const GError *error)
{
  return error->code == XF_ERROR_RPC
         && (g_str_has_prefix (error->message, "unknown procedure")
             || g_str_has_prefix (error->message, "Cannot find program"));
}

static void
check_answer (XfPeer *peer, XfPeerReply *reply, gconstpointer ret, const XfFrameHeader *header, const GError *error)
{
  const xf_findings_ret *result = ret;
  XfCheckDone done = (XfCheckDone)reply->done;
  g_autoptr (GPtrArray) findings = g_ptr_array_new_with_free_func (xf_check_finding_free);

  if (error && !cannot_check (error)) {
    done (NULL, error, reply->data);
    return;
  }
  if (error)
    g_ptr_array_add (findings, xf_check_finding_new (peer->where, "destination", FALSE,
                                                     "the daemon of this host is older and cannot check a guest before "
                                                     "its migration: what it would refuse is known only when the "
                                                     "migration begins; install the same xenferry on both hosts"));
  for (guint i = 0; !error && i < result->findings.findings_len; i++) {
    const xf_finding *wire = &result->findings.findings_val[i];

    g_ptr_array_add (findings, xf_check_finding_new (wire->host, wire->resource, wire->blocks != 0, wire->text));
  }
  done (findings, NULL, reply->data);
}

void
xf_peer_check (XfPeer *peer, const XfTypedParams *params, GBytes *cookie, guint flags, XfCheckDone done, gpointer data)
{
  xf_prepare_args args = { .flags = flags };
  g_autofree xf_param *wire = xf_convert_params_to_wire (params, &args.params.params_len);

  args.params.params_val = wire;
  args.cookie.cookie_val = xf_convert_cookie_to_wire (cookie, &args.cookie.cookie_len);
  xf_peer_call_program (peer, XF_XENFERRY_PROGRAM, XF_PROC_CHECK_INCOMING, (xdrproc_t)xdr_xf_prepare_args, &args,
                        (xdrproc_t)xdr_xf_findings_ret, sizeof (xf_findings_ret), check_answer, G_CALLBACK (done),
                        data);
}

/* ---- finish ----------------------------------------------------------------------------------------------- */

static void
finish_answer (XfPeer *peer, XfPeerReply *reply, gconstpointer ret, const XfFrameHeader *header, const GError *error)
{
  const xf_finish_ret *result = ret;
  g_autoptr (GBytes) cookie = NULL;
  XfDomainRef ref;
  XfMigrateResult told = { 0 };

  if (error) {
    migrate_failed (reply, error);
    return;
  }
  cookie = xf_convert_cookie_from_wire (result->cookie.cookie_val, result->cookie.cookie_len);
  ref = xf_convert_ref (&result->dom);
  told.cookie = cookie;
  told.ref = &ref;
  ((XfMigrateDone)reply->done) (&told, NULL, reply->data);
}

void
xf_peer_finish (XfPeer *peer, const XfTypedParams *params, GBytes *cookie, guint flags, gboolean cancelled,
                XfMigrateDone done, gpointer data)
{
  xf_finish_args args = { .flags = flags, .cancelled = cancelled ? 1 : 0 };
  g_autofree xf_param *wire = xf_convert_params_to_wire (params, &args.params.params_len);

  args.params.params_val = wire;
  args.cookie.cookie_val = xf_convert_cookie_to_wire (cookie, &args.cookie.cookie_len);
  xf_peer_call (peer, XF_PROC_DOMAIN_MIGRATE_FINISH3_PARAMS, (xdrproc_t)xdr_xf_finish_args, &args,
                (xdrproc_t)xdr_xf_finish_ret, sizeof (xf_finish_ret), finish_answer, G_CALLBACK (done), data);
}
