/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The client's half: calls on a connection, each with a callback; several can be pending.
 */
#pragma once

#include "rpc/conn.h"
#include "rpc/stream.h"

typedef struct XfClient XfClient;

/* The reply: @ret, the decoded result (valid until the callback returns); or @wire, the peer's error; or @lost: the
 * connection has ended, or the reply could not be decoded. @header names the stream of a call that opened one. */
typedef void (*XfClientReply) (gconstpointer ret, const XfWireError *wire, const GError *lost,
                               const XfFrameHeader *header, gpointer data);
typedef void (*XfClientClosed) (const GError *error, gpointer data);

/* Takes @fd, a connected socket. @closed is called once, after the callbacks of all pending calls. */
XfClient *xf_client_new (int fd, XfClientClosed closed, gpointer data);

/* Closes; no callback is called afterwards. */
void xf_client_free (XfClient *client);

XfConn *xf_client_conn (XfClient *client);

void xf_client_call (XfClient *client, guint32 program, gint32 procedure, xdrproc_t args_xdr, gconstpointer args,
                     xdrproc_t ret_xdr, gsize ret_size, XfClientReply reply, gpointer data);
