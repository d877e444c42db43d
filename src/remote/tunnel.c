/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An incoming guest in the management connection: the stream of a PREPARE_TUNNEL call is moved into the driver's pipe.
 * However the stream ends, the pipe is closed: a libvirtd as source never finishes the stream, it closes its
 * connection, and only the image itself says whether it is whole.
 *
 * Two parties hold a Tunnel: the driver until release(), the stream until it has ended. The last one frees it.
 */
#include <unistd.h>

#include "remote/convert.h"
#include "remote/reply.h"

typedef struct {
  XfCall *call; /* until it is answered */
  XfStream *stream;
  gboolean released; /* by the driver */
} Tunnel;

static void
free_if_unheld (Tunnel *tunnel)
{
  if (tunnel->released && !tunnel->stream)
    g_free (tunnel);
}

/* ---- the stream ------------------------------------------------------------------------------------------- */

static void
stream_ended (XfStream *stream, XfStreamEnd how, const GError *error, gpointer data)
{
  Tunnel *tunnel = data;

  xf_stream_free (stream);
  tunnel->stream = NULL;
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
  xf_stream_free (g_steal_pointer (&tunnel->stream));
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

static void
prepared (int fd, const XfMigrateResult *result, const GError *error, gpointer data)
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
  ret.cookie.cookie_val = xf_convert_cookie_to_wire (result->cookie, &ret.cookie.cookie_len);
  tunnel->stream = xf_call_reply_stream (call, &ret, fd, -1, &events, tunnel);
  if (!tunnel->stream) /* the connection had ended before the driver was ready */
    close (fd);
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
