/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The server's half of a call: an XfCall is made for each incoming CALL, given to its handler, and answered exactly
 * once, at once or later, in any order; several of one connection are under way at the same time. Each call that may
 * change something, which are those that a read-only connection may not make, leaves a line in the log with who called,
 * what for and how it ended. Policy (read-only,
 * authentication, open) is the list's (protocol/procs.h) and is checked before a handler runs.
 */
#pragma once

#include "rpc/conn.h"
#include "rpc/stream.h"

typedef struct XfCall XfCall;

typedef void (*XfHandler) (XfCall *call, gconstpointer args, gpointer client);

/* A procedure as the list says, with its handler. */
typedef struct {
  gint32 number;
  const char *name, *args_name;
  xdrproc_t args_xdr, ret_xdr;
  gsize args_size;
  guint policy;
  XfHandler handler;
} XfProcedure;

typedef struct {
  guint32 program, version;
  const XfProcedure *procedures;
  guint n_procedures;
} XfProgram;

/* What policy needs to know of the client. */
typedef struct {
  gboolean read_only, authenticated, open;
} XfCallRights;

/* Answers or dispatches one CALL of one of the @n programs; @client goes to the handler. */
void xf_call_dispatch (const XfProgram *programs, guint n, XfConn *conn, const XfFrameHeader *header, GBytes *payload,
                       const XfCallRights *rights, gpointer client);

/* One of these, once. The call is gone afterwards. On a connection that has closed meanwhile nothing is sent. */
void xf_call_reply (XfCall *call, gconstpointer ret);
void xf_call_fail (XfCall *call, const XfWireError *error);

/* Instead of xf_call_reply() for a call that opens a stream: replies, and then the stream is there. NULL when the
 * connection has closed. */
XfStream *xf_call_reply_stream (XfCall *call, gconstpointer ret, int into, int from, const XfStreamEvents *events,
                                gpointer data);

XfConn *xf_call_conn (const XfCall *call);
gpointer xf_call_client (const XfCall *call);
const char *xf_call_name (const XfCall *call);

/* An event or other MESSAGE of the remote program (serial 1, as libvirt's daemon does). */
void xf_call_send_message (XfConn *conn, gint32 procedure, xdrproc_t xdr, gconstpointer body);
