/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An incoming guest in the management connection: the stream of a PREPARE_TUNNEL call is moved into the driver's pipe.
 * The driver is informed how the stream ended. A libvirtd as source never finishes the stream, it closes its
 * connection; the driver decides what that means.
 *
 * Two parties hold a Tunnel: the driver until release(), the stream until it has ended. The last one frees it.
 */
#include <unistd.h>

#include "remote/convert.h"
#include "remote/reply.h"

typedef struct {
  XfCall *call; /* until it is answered */
  XfStream *stream;
  XfTunnelSink sink;
  gboolean sink_told;
  gboolean released; /* by the driver */
  gboolean busy;     /* in a callback, or one is due: must not be freed */
} Tunnel;

static void
tell_sink (Tunnel *tunnel, const GError *error)
{
  if (tunnel->sink_told)
    return;
  tunnel->sink_told = TRUE;
  tunnel->sink.ended (tunnel->sink.sink, error);
}

static void
free_if_unheld (Tunnel *tunnel)
{
  if (!tunnel->released || tunnel->stream || tunnel->busy)
    return;
  g_free (tunnel);
}

/* ---- the stream ------------------------------------------------------------------------------------------- */

static void
stream_ended (XfStream *stream, XfStreamEnd how, const GError *error, gpointer data)
{
  Tunnel *tunnel = data;
  g_autoptr (GError) aborted = NULL;

  if (how == XF_STREAM_ABORTED)
    aborted = g_error_new_literal (XF_ERROR, XF_ERROR_INVALID_STREAM, "the source has aborted the migration stream");
  xf_stream_free (stream);
  tunnel->stream = NULL;
  /* The driver may release the tunnel in this call, which must not free it yet. */
  if (!tunnel->released) {
    tunnel->busy = TRUE;
    tell_sink (tunnel, aborted ? aborted : error);
    tunnel->busy = FALSE;
  }
  free_if_unheld (tunnel);
}

/* The reader of the pipe has ended: it calls fail() or discard() for the rest. */
static void
stream_broken (XfStream *stream, gpointer data)
{
}

/* ---- the driver's side ------------------------------------------------------------------------------------ */

static void
tunnel_discard (gpointer data)
{
  Tunnel *tunnel = data;

  if (tunnel->stream)
    xf_stream_discard (tunnel->stream);
}

static void
tunnel_fail (gpointer data, const GError *error)
{
  Tunnel *tunnel = data;
  g_auto (XfWireError) wire = { 0 };

  if (!tunnel->stream)
    return;
  xf_reply_wire_error (error, &wire);
  xf_stream_fail (tunnel->stream, &wire);
  /* The stream ends without a callback: the driver knows. */
  xf_stream_free (g_steal_pointer (&tunnel->stream));
  tunnel->sink_told = TRUE;
}

static guint64
tunnel_received (gpointer data)
{
  Tunnel *tunnel = data;

  return tunnel->stream ? xf_stream_bytes (tunnel->stream) : 0;
}

static void
tunnel_release (gpointer data)
{
  Tunnel *tunnel = data;

  tunnel->released = TRUE;
  if (tunnel->stream)
    xf_stream_discard (tunnel->stream);
  free_if_unheld (tunnel);
}

/* ---- the call --------------------------------------------------------------------------------------------- */

/* The connection had ended before the driver was ready. */
static gboolean
tell_lost (gpointer data)
{
  Tunnel *tunnel = data;
  g_autoptr (GError) error = g_error_new_literal (XF_ERROR, XF_ERROR_NO_CONNECT,
                                                  "the source closed its connection before the stream began");

  if (!tunnel->released)
    tell_sink (tunnel, error);
  tunnel->busy = FALSE;
  free_if_unheld (tunnel);
  return G_SOURCE_REMOVE;
}

static void
prepared (const XfTunnelSink *sink, const XfMigrateResult *result, const GError *error, gpointer data)
{
  static const XfStreamEvents events = { .ended = stream_ended, .broken = stream_broken };
  Tunnel *tunnel = data;
  XfCall *call = g_steal_pointer (&tunnel->call);
  xf_cookie_ret ret = { 0 };

  if (error) {
    g_free (tunnel);
    xf_reply_error (call, error);
    return;
  }
  tunnel->sink = *sink;
  ret.cookie.cookie_val = xf_convert_cookie_to_wire (result->cookie, &ret.cookie.cookie_len);
  tunnel->stream = xf_call_reply_stream (call, &ret, sink->fd, -1, &events, tunnel);
  if (tunnel->stream)
    return;
  close (sink->fd);
  tunnel->busy = TRUE;
  g_idle_add (tell_lost, tunnel);
}

void
xf_handle_DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS (XfCall *call, const xf_prepare_args *arguments, XfRemoteClient *client)
{
  static const XfTunnelOps ops = { tunnel_discard, tunnel_fail, tunnel_received, tunnel_release };
  g_autoptr (GArray) params = xf_convert_params_from_wire (arguments->params.params_val, arguments->params.params_len);
  g_autoptr (GBytes) cookie = xf_convert_cookie_from_wire (arguments->cookie.cookie_val, arguments->cookie.cookie_len);
  Tunnel *tunnel = g_new0 (Tunnel, 1);

  tunnel->call = call;
  xf_driver_migrate_prepare_tunnel (xf_driver_of (client), client, params, cookie, arguments->flags, &ops, tunnel,
                                    prepared, tunnel);
}
