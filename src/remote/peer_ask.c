/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A single question on a connection of its own: the outcome of a migration (xenferry's own call, which needs no
 * opening), or the state of a guest (libvirt's calls). The callback is called once, with an answer or an error.
 */
#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "remote/peer_private.h"

static XfPeer *
peer_new (gpointer peers_data, const char *uri, guint timeout_s, XfPeerOpened opened, XfDone lost, const guint8 *id,
          const char *secret, GCallback done, gpointer data)
{
  XfPeer *peer = xf_peer_open (peers_data, uri, timeout_s, opened, lost, NULL);

  peer->data = peer;
  peer->question = g_new0 (XfPeerQuestion, 1);
  memcpy (peer->question->id, id, XF_UUID_LENGTH);
  peer->question->secret = g_strdup (secret);
  peer->question->done = done;
  peer->question->data = data;
  return peer;
}

/* From now on the end of the connection is not reported. */
static void
answered (XfPeer *peer)
{
  peer->is_lost = TRUE;
  g_clear_handle_id (&peer->deadline_id, g_source_remove);
}

/* ---- a migration ------------------------------------------------------------------------------------------ */

static void
tell_verdict (XfPeer *peer, XfVerdict verdict, const GError *error)
{
  answered (peer);
  ((XfVerdictDone)peer->question->done) (verdict, error, peer->question->data);
}

static void
settle_answer (XfPeer *peer, XfPeerReply *reply, gconstpointer ret, const XfFrameHeader *header, const GError *error)
{
  const xf_int_ret *result = ret;
  g_autoptr (GError) nonsense = NULL;

  if (!error && (result->value < XF_VERDICT_RUNS || result->value > XF_VERDICT_HAS_RUN))
    nonsense = g_error_new (XF_ERROR, XF_ERROR_RPC, "%s answers with a number that means nothing here: %d", peer->where,
                            result->value);
  tell_verdict (peer, error ? 0 : (XfVerdict)result->value, error ? error : nonsense);
}

static void
ask_settle (XfPeer *peer)
{
  xf_settle_args args = { .secret = peer->question->secret, .purpose = (int)peer->question->purpose };

  memcpy (args.id, peer->question->id, XF_UUID_LENGTH);
  xf_peer_call_program (peer, XF_XENFERRY_PROGRAM, XF_PROC_SETTLE, (xdrproc_t)xdr_xf_settle_args, &args,
                        (xdrproc_t)xdr_xf_int_ret, sizeof (xf_int_ret), settle_answer, NULL, NULL);
}

static void
settle_not_asked (XfPeer *peer, const GError *error, gpointer data)
{
  tell_verdict (peer, 0, error);
}

XfPeer *
xf_peer_settle (gpointer peers_data, const char *uri, guint timeout_s, const guint8 *id, const char *secret,
                XfPurpose purpose, XfVerdictDone done, gpointer data)
{
  XfPeer *peer = peer_new (peers_data, uri, timeout_s, settle_not_asked, NULL, id, secret, G_CALLBACK (done), data);

  peer->question->purpose = purpose;
  peer->ask = ask_settle;
  return peer;
}

/* ---- a guest ---------------------------------------------------------------------------------------------- */

static void
tell_state (XfPeer *peer, int state, const GError *error)
{
  answered (peer);
  ((XfPeerState)peer->question->done) (state, error, peer->question->data);
}

static void
state_answer (XfPeer *peer, XfPeerReply *reply, gconstpointer ret, const XfFrameHeader *header, const GError *error)
{
  const xf_state_ret *result = ret;

  tell_state (peer, error ? 0 : result->state, error);
}

static void
look_up_answer (XfPeer *peer, XfPeerReply *reply, gconstpointer ret, const XfFrameHeader *header, const GError *error)
{
  const xf_dom_ret *result = ret;
  xf_dom_flags_args args = { 0 };

  if (error) {
    gboolean absent = error->code == XF_ERROR_NO_DOMAIN;

    tell_state (peer, -1, absent ? NULL : error);
    return;
  }
  args.dom = result->dom;
  xf_peer_call (peer, XF_PROC_DOMAIN_GET_STATE, (xdrproc_t)xdr_xf_dom_flags_args, &args, (xdrproc_t)xdr_xf_state_ret,
                sizeof (xf_state_ret), state_answer, NULL, NULL);
}

static void
look_up_opened (XfPeer *peer, const GError *error, gpointer data)
{
  xf_uuid_args args;

  if (error) {
    tell_state (peer, 0, error);
    return;
  }
  memcpy (args.uuid, peer->question->id, XF_UUID_LENGTH);
  xf_peer_arm (peer);
  xf_peer_call (peer, XF_PROC_DOMAIN_LOOKUP_BY_UUID, (xdrproc_t)xdr_xf_uuid_args, &args, (xdrproc_t)xdr_xf_dom_ret,
                sizeof (xf_dom_ret), look_up_answer, NULL, NULL);
}

static void
look_up_lost (const GError *error, gpointer data)
{
  tell_state (data, 0, error);
}

XfPeer *
xf_peer_look_up (gpointer peers_data, const char *uri, guint timeout_s, const guint8 *uuid, XfPeerState done,
                 gpointer data)
{
  return peer_new (peers_data, uri, timeout_s, look_up_opened, look_up_lost, uuid, NULL, G_CALLBACK (done), data);
}
