/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The client's half: calls on a connection, several under way at the same time, each with a callback.
 */
#pragma once

#include "rpc/conn.h"
#include "rpc/stream.h"

typedef struct XfClient XfClient;

/* The reply: @ret decoded (gone when the callback returns), or @wire, what the peer answered, or @lost: the
 * connection is gone, or its answer was nonsense. @header names the stream of a call that opened one. */
typedef void (*XfClientReply) (gconstpointer ret, const XfWireError *wire, const GError *lost,
                               const XfFrameHeader *header, gpointer data);
typedef void (*XfClientClosed) (const GError *error, gpointer data);

/* Takes @fd, a connected socket. @closed: once, after every call under way was told. */
XfClient *xf_client_new (int fd, XfClientClosed closed, gpointer data);

/* Closes; nothing is called any more. */
void xf_client_free (XfClient *client);

XfConn *xf_client_conn (XfClient *client);

void xf_client_call (XfClient *client, guint32 program, gint32 procedure, xdrproc_t args_xdr, gconstpointer args,
                     xdrproc_t ret_xdr, gsize ret_size, XfClientReply reply, gpointer data);
