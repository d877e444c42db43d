/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The members of a peer, for peer.c (connection), peer_calls.c (phases), peer_stream.c (tunnel) and peer_ask.c (single
 * questions).
 */
#pragma once

#include "conf/migrate_uri.h"
#include "procs.h"
#include "remote/peer.h"
#include "rpc/client.h"

/* One question on a connection of its own. */
typedef struct {
  guint8 id[XF_UUID_LENGTH]; /* of the migration, or the guest */
  char *secret;
  XfPurpose purpose;
  GCallback done;
  gpointer data;
} XfPeerQuestion;

struct XfPeer {
  const XfPeerConfig *config;
  char *where;     /* the other side, for messages */
  gboolean closed; /* by the driver: no further callback */
  gboolean is_open;
  gboolean is_lost; /* failed or lost, and reported */
  guint depth;      /* number of callbacks on the stack: must not be freed while > 0 */

  GCancellable *cancellable;
  guint deadline_id, start_id, fail_id, free_id;
  guint timeout_s;
  XfConnectUri uri;
  XfPeerOpened opened;
  XfDone lost;
  gpointer data;

  void (*ask) (XfPeer *peer); /* replaces the opening, or NULL */
  XfPeerQuestion *question;   /* peer_ask.c's, or NULL */

  XfClient *client;
  GPtrArray *replies; /* of XfPeerReply, owned: pending calls */

  XfStream *stream;
  gboolean finish_asked;
  guint64 rate, sent;
  XfDone sending, finishing;
  gpointer sending_data, finishing_data;
};

/* A pending call. */
typedef struct XfPeerReply XfPeerReply;
typedef void (*XfPeerAnswer) (XfPeer *peer, XfPeerReply *reply, gconstpointer ret, const XfFrameHeader *header,
                              const GError *error);

struct XfPeerReply {
  XfPeer *peer;
  XfPeerAnswer answer;
  GCallback done; /* the driver's, of the type that @answer knows */
  gpointer data;
};

/* peer.c: makes a call; @answer gets the result, or an error that names the other side. After the driver has closed the
 * peer no callback is called. */
void xf_peer_call (XfPeer *peer, gint32 procedure, xdrproc_t args_xdr, gconstpointer args, xdrproc_t ret_xdr,
                   gsize ret_size, XfPeerAnswer answer, GCallback done, gpointer data);
void xf_peer_call_program (XfPeer *peer, guint32 program, gint32 procedure, xdrproc_t args_xdr, gconstpointer args,
                           xdrproc_t ret_xdr, gsize ret_size, XfPeerAnswer answer, GCallback done, gpointer data);
XfPeer *xf_peer_open (gpointer peers_data, const char *uri, guint timeout_s, XfPeerOpened opened, XfDone closed,
                      gpointer data);

/* Starts the peer's deadline again: lost() is called if the pending question is not answered in time. */
void xf_peer_arm (XfPeer *peer);

/* Enclose every call that may call the driver. */
void xf_peer_enter (XfPeer *peer);
void xf_peer_leave (XfPeer *peer);

/* peer_calls.c */
void xf_peer_supports_feature (XfPeer *peer, int feature, XfPeerFeature done, gpointer data);
void xf_peer_prepare (XfPeer *peer, const XfTypedParams *params, GBytes *cookie, guint flags, XfMigrateDone done,
                      gpointer data);
void xf_peer_prepare_tunnel (XfPeer *peer, const XfTypedParams *params, GBytes *cookie, guint flags, XfMigrateDone done,
                             gpointer data);
void xf_peer_check (XfPeer *peer, const XfTypedParams *params, GBytes *cookie, guint flags, XfCheckDone done,
                    gpointer data);
void xf_peer_finish (XfPeer *peer, const XfTypedParams *params, GBytes *cookie, guint flags, gboolean cancelled,
                     XfMigrateDone done, gpointer data);

/* peer_ask.c */
XfPeer *xf_peer_settle (gpointer peers_data, const char *uri, guint timeout_s, const guint8 *id, const char *secret,
                        XfPurpose purpose, XfVerdictDone done, gpointer data);
XfPeer *xf_peer_look_up (gpointer peers_data, const char *uri, guint timeout_s, const guint8 *uuid, XfPeerState done,
                         gpointer data);

/* peer_stream.c */
void xf_peer_stream_open (XfPeer *peer, const XfFrameHeader *header);
void xf_peer_stream_close (XfPeer *peer);
void xf_peer_send (XfPeer *peer, int fd, XfDone done, gpointer data);
void xf_peer_set_rate (XfPeer *peer, guint64 bytes_per_s);
guint64 xf_peer_sent (XfPeer *peer);
void xf_peer_send_finish (XfPeer *peer, XfDone done, gpointer data);
void xf_peer_send_abort (XfPeer *peer);
