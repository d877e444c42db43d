/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The server's half of a call. Each incoming CALL becomes an XfCall, which a handler gets and answers exactly once, at
 * once or later. Several calls of one connection can be pending, and may be answered in any order. Each call that may
 * change something (a read-only connection may not make it) writes a line to the log: the caller, the procedure, the
 * domain and the result. The list (protocol/procs.h) has the policy (read-only, authentication, open), which is checked
 * before a handler runs.
 */
#pragma once

#include "rpc/conn.h"
#include "rpc/stream.h"

typedef struct XfCall XfCall;

typedef void (*XfHandler) (XfCall *call, gconstpointer args, gpointer client);

/* A procedure of the list, with its handler. */
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

/* The client's rights, for the policy. */
typedef struct {
  gboolean read_only, authenticated, open;
} XfCallRights;

/* Refuses one CALL, or passes it to the handler of one of the @n programs, with @client. */
void xf_call_dispatch (const XfProgram *programs, guint n, XfConn *conn, const XfFrameHeader *header, GBytes *payload,
                       const XfCallRights *rights, gpointer client);

/* Call one of these exactly once; it frees the call. On a connection that has closed meanwhile nothing is sent. */
void xf_call_reply (XfCall *call, gconstpointer ret);
void xf_call_fail (XfCall *call, const XfWireError *error);

/* Replaces xf_call_reply() for a call that opens a stream: sends the reply and creates the stream. NULL when the
 * connection has closed. */
XfStream *xf_call_reply_stream (XfCall *call, gconstpointer ret, int into, int from, const XfStreamEvents *events,
                                gpointer data);

XfConn *xf_call_conn (const XfCall *call);
const char *xf_call_name (const XfCall *call);

/* Sends an event or another MESSAGE of the remote program (serial 1, as libvirtd does). */
void xf_call_send_message (XfConn *conn, gint32 procedure, xdrproc_t xdr, gconstpointer body);
