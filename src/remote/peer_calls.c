/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The phases that a source calls on its destination.
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
