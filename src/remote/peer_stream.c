/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The source's end of a tunnel. The stream belongs to the PREPARE_TUNNEL call; its bytes are spliced from the driver's
 * pipe to the peer. A libvirtd as destination needs an abort before finish(cancelled), and waits for ever otherwise:
 * the driver calls send_abort() first.
 */
#include <unistd.h>

#include "base/error.h"
#include "remote/peer_private.h"

static void
tell_sending (XfPeer *peer, const GError *error)
{
  XfDone done = peer->sending;

  peer->sending = NULL;
  if (done && !peer->closed)
    done (error, peer->sending_data);
}

static void
tell_finishing (XfPeer *peer, const GError *error)
{
  XfDone done = peer->finishing;

  peer->finishing = NULL;
  if (done && !peer->closed)
    done (error, peer->finishing_data);
}

static GError *
why_ended (const XfPeer *peer, const GError *error)
{
  if (error)
    return g_error_new (error->domain, error->code, "%s: the migration stream broke: %s", peer->where, error->message);
  return g_error_new (XF_ERROR, XF_ERROR_INVALID_STREAM, "%s ended the migration stream too early", peer->where);
}

static void
stream_ended (XfStream *stream, XfStreamEnd how, const GError *error, gpointer data)
{
  XfPeer *peer = data;
  g_autoptr (GError) told = NULL;

  xf_peer_enter (peer);
  peer->sent = xf_stream_bytes (stream);
  xf_stream_free (stream);
  peer->stream = NULL;
  if (how == XF_STREAM_FINISHED && peer->finish_asked) {
    tell_finishing (peer, NULL);
  } else {
    told = why_ended (peer, error);
    tell_sending (peer, told);
    tell_finishing (peer, told);
  }
  xf_peer_leave (peer);
}

static void
stream_sent (XfStream *stream, gpointer data)
{
  xf_peer_enter (data);
  tell_sending (data, NULL);
  xf_peer_leave (data);
}

static void
stream_broken (XfStream *stream, gpointer data)
{
}

void
xf_peer_stream_open (XfPeer *peer, const XfFrameHeader *header)
{
  static const XfStreamEvents events = { stream_ended, stream_sent, stream_broken };

  peer->sent = 0;
  peer->finish_asked = FALSE;
  peer->stream = xf_stream_new (xf_client_conn (peer->client), header, FALSE, -1, -1, &events, peer);
  xf_stream_discard (peer->stream);
  xf_stream_set_rate (peer->stream, peer->rate);
}

void
xf_peer_stream_close (XfPeer *peer)
{
  if (peer->stream)
    peer->sent = xf_stream_bytes (peer->stream);
  g_clear_pointer (&peer->stream, xf_stream_free);
  peer->sending = peer->finishing = NULL;
}

static gboolean
tell_no_stream (gpointer data)
{
  XfPeer *peer = data;
  g_autoptr (GError)
    error = g_error_new (XF_ERROR, XF_ERROR_INVALID_STREAM, "%s has ended the migration stream", peer->where);

  peer->fail_id = 0;
  xf_peer_enter (peer);
  tell_sending (peer, error);
  tell_finishing (peer, error);
  xf_peer_leave (peer);
  return G_SOURCE_REMOVE;
}

/* The stream has ended between two calls of the driver. */
static void
no_stream (XfPeer *peer)
{
  if (!peer->fail_id)
    peer->fail_id = g_idle_add (tell_no_stream, peer);
}

void
xf_peer_send (XfPeer *peer, int fd, XfDone done, gpointer data)
{
  peer->sending = done;
  peer->sending_data = data;
  if (peer->stream) {
    xf_stream_send_from (peer->stream, fd);
    return;
  }
  close (fd);
  no_stream (peer);
}

void
xf_peer_set_rate (XfPeer *peer, guint64 bytes_per_s)
{
  peer->rate = bytes_per_s;
  if (peer->stream)
    xf_stream_set_rate (peer->stream, bytes_per_s);
}

guint64
xf_peer_sent (XfPeer *peer)
{
  return peer->stream ? xf_stream_bytes (peer->stream) : peer->sent;
}

void
xf_peer_send_finish (XfPeer *peer, XfDone done, gpointer data)
{
  peer->finishing = done;
  peer->finishing_data = data;
  peer->finish_asked = TRUE;
  if (peer->stream)
    xf_stream_finish (peer->stream);
  else
    no_stream (peer);
}

void
xf_peer_send_abort (XfPeer *peer)
{
  if (peer->stream)
    xf_stream_abort (peer->stream);
  xf_peer_stream_close (peer);
}
