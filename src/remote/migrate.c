/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The phases of a migration as calls; prepare through a tunnel is in tunnel.c. Arguments and results are passed
 * on unchanged; nothing is decided here. Each call is answered when the driver is done. A peer-to-peer PERFORM is
 * answered after the whole migration.
 */
#include "remote/convert.h"
#include "remote/reply.h"

/* ---- begin ------------------------------------------------------------------------------------------------ */

static void
begun (const XfMigrateResult *result, const GError *error, gpointer data)
{
  XfCall *call = data;
  xf_begin_ret ret = { 0 };

  if (error) {
    xf_reply_error (call, error);
    return;
  }
  ret.cookie.cookie_val = xf_convert_cookie_to_wire (result->cookie, &ret.cookie.cookie_len);
  ret.xml = (char *)result->xml;
  xf_call_reply (call, &ret);
}

void
xf_handle_DOMAIN_MIGRATE_BEGIN3_PARAMS (XfCall *call, const xf_begin_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GArray) params = xf_convert_params_from_wire (arguments->params.params_val, arguments->params.params_len);

  xf_driver_migrate_begin (xf_driver_of (client), xf_uuid_of (&arguments->dom), client, params, arguments->flags, begun,
                           call);
}

/* ---- prepare ---------------------------------------------------------------------------------------------- */

static void
prepared (const XfMigrateResult *result, const GError *error, gpointer data)
{
  XfCall *call = data;
  xf_prepare_ret ret = { 0 };
  xf_string uri;

  if (error) {
    xf_reply_error (call, error);
    return;
  }
  ret.cookie.cookie_val = xf_convert_cookie_to_wire (result->cookie, &ret.cookie.cookie_len);
  if (result->uri) {
    uri = (char *)result->uri;
    ret.uri = &uri;
  }
  xf_call_reply (call, &ret);
}

void
xf_handle_DOMAIN_MIGRATE_PREPARE3_PARAMS (XfCall *call, const xf_prepare_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GArray) params = xf_convert_params_from_wire (arguments->params.params_val, arguments->params.params_len);
  g_autoptr (GBytes) cookie = xf_convert_cookie_from_wire (arguments->cookie.cookie_val, arguments->cookie.cookie_len);

  xf_driver_migrate_prepare (xf_driver_of (client), client, params, cookie, arguments->flags, prepared, call);
}

/* ---- perform ---------------------------------------------------------------------------------------------- */

static void
performed (const XfMigrateResult *result, const GError *error, gpointer data)
{
  XfCall *call = data;
  xf_cookie_ret ret = { 0 };

  if (error) {
    xf_reply_error (call, error);
    return;
  }
  ret.cookie.cookie_val = xf_convert_cookie_to_wire (result->cookie, &ret.cookie.cookie_len);
  xf_call_reply (call, &ret);
}

void
xf_handle_DOMAIN_MIGRATE_PERFORM3_PARAMS (XfCall *call, const xf_perform_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GArray) params = xf_convert_params_from_wire (arguments->params.params_val, arguments->params.params_len);
  g_autoptr (GBytes) cookie = xf_convert_cookie_from_wire (arguments->cookie.cookie_val, arguments->cookie.cookie_len);

  xf_driver_migrate_perform (xf_driver_of (client), xf_uuid_of (&arguments->dom), client,
                             arguments->dconnuri ? *arguments->dconnuri : NULL, params, cookie, arguments->flags,
                             performed, call);
}

/* ---- finish ----------------------------------------------------------------------------------------------- */

static void
finished (const XfMigrateResult *result, const GError *error, gpointer data)
{
  XfCall *call = data;
  xf_finish_ret ret = { 0 };

  if (error) {
    xf_reply_error (call, error);
    return;
  }
  ret.dom = xf_convert_dom (result->ref);
  ret.cookie.cookie_val = xf_convert_cookie_to_wire (result->cookie, &ret.cookie.cookie_len);
  xf_call_reply (call, &ret);
}

void
xf_handle_DOMAIN_MIGRATE_FINISH3_PARAMS (XfCall *call, const xf_finish_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GArray) params = xf_convert_params_from_wire (arguments->params.params_val, arguments->params.params_len);
  g_autoptr (GBytes) cookie = xf_convert_cookie_from_wire (arguments->cookie.cookie_val, arguments->cookie.cookie_len);

  xf_driver_migrate_finish (xf_driver_of (client), client, params, cookie, arguments->flags, arguments->cancelled != 0,
                            finished, call);
}

/* ---- confirm ---------------------------------------------------------------------------------------------- */

static void
confirmed (const XfMigrateResult *result, const GError *error, gpointer data)
{
  xf_reply_void_or (data, error);
}

void
xf_handle_DOMAIN_MIGRATE_CONFIRM3_PARAMS (XfCall *call, const xf_confirm_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GArray) params = xf_convert_params_from_wire (arguments->params.params_val, arguments->params.params_len);
  g_autoptr (GBytes) cookie = xf_convert_cookie_from_wire (arguments->cookie.cookie_val, arguments->cookie.cookie_len);

  xf_driver_migrate_confirm (xf_driver_of (client), xf_uuid_of (&arguments->dom), client, params, cookie,
                             arguments->flags, arguments->cancelled != 0, confirmed, call);
}
