/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A connection of a command to a daemon: to the one of this host, on its socket, or to another one, by its URI. A call
 * either waits for its answer, while the main loop runs, or has a callback. Errors are of XF_ERROR, with the text of
 * the daemon.
 */
#pragma once

#include <glib.h>
#include <rpc/types.h>
#include <rpc/xdr.h>

/* The time for an answer to a question. */
#define XF_CONNECTION_TIMEOUT_S 30

typedef struct XfConnection XfConnection;

/* To the daemon of this host, on @socket, or, if that is NULL, on the socket that the configuration file @config names
 * (NULL: the default file). Nothing is sent yet. */
XfConnection *xf_connection_new_local (const char *config, const char *socket, GError **error);

/* To the daemon at @uri, "xen+tcp://HOST/system" or "xen+unix:///system?socket=PATH". */
XfConnection *xf_connection_new_uri (const char *uri, GError **error);

/* Callbacks of pending calls are not called. */
void xf_connection_free (XfConnection *connection);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfConnection, xf_connection_free)

/* Opens xen:///system there, which every call except those that need no opening requires. */
gboolean xf_connection_open (XfConnection *connection, gboolean read_only, GError **error);

/* From now on the connection counts as lost when the daemon does not answer for half a minute. */
void xf_connection_keep_alive (XfConnection *connection);

gboolean xf_connection_is_lost (const XfConnection *connection);

/* A procedure with its layouts. */
typedef struct {
  guint32 program;
  gint32 procedure;
  xdrproc_t args_xdr, ret_xdr;
  gsize ret_size;
} XfConnectionCall;

#define XF_CONNECTION_CALL(program, name, args, ret)                                                                   \
  (&(const XfConnectionCall){ program, XF_PROC_##name, (xdrproc_t)xdr_##args, (xdrproc_t)xdr_##ret, sizeof (ret) })

/* @ret is NULL if @error is set, and valid until the callback returns. Called once, from the loop. */
typedef void (*XfConnectionDone) (gconstpointer ret, const GError *error, gpointer data);

void xf_connection_start (XfConnection *connection, const XfConnectionCall *call, gconstpointer args,
                          XfConnectionDone done, gpointer data);

typedef void (*XfConnectionTake) (gconstpointer ret, gpointer data);

/* Waits for the answer, at most @timeout_s, and gives it to @take (NULL: it has no content). FALSE with @error:
 * XF_ERROR_TIMEOUT, XF_ERROR_NO_CONNECT, or what the daemon answers. */
gboolean xf_connection_call (XfConnection *connection, const XfConnectionCall *call, guint timeout_s,
                             gconstpointer args, XfConnectionTake take, gpointer data, GError **error);
