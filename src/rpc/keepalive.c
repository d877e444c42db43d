/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keepalive (docs/wire.md, Keepalive). While a full stream prevents reading, the peer's silence does not
 * count, and requests are still sent, so that the peer hears from this side.
 */
#include "procs.h"
#include "rpc/conn_private.h"

#include "base/error.h"

static void
send_message (XfConn *conn, gint32 procedure)
{
  XfFrameHeader header = {
    .program = XF_KEEPALIVE_PROGRAM,
    .version = XF_PROGRAM_VERSION,
    .procedure = procedure,
    .type = XF_FRAME_MESSAGE,
  };

  xf_conn_send (conn, xf_frame_empty (&header));
}

void
xf_keepalive_heard (XfConn *conn, const XfFrameHeader *header)
{
  conn->heard = TRUE;
  conn->keepalive_unanswered = 0;
  if (header->program == XF_KEEPALIVE_PROGRAM && header->type == XF_FRAME_MESSAGE
      && header->procedure == XF_KEEPALIVE_PING)
    send_message (conn, XF_KEEPALIVE_PONG);
}

static gboolean
tick (gpointer data)
{
  XfConn *conn = data;

  if (conn->heard && !conn->blocked) {
    conn->heard = FALSE;
    return G_SOURCE_CONTINUE;
  }
  if (!conn->blocked && conn->keepalive_unanswered++ >= conn->keepalive_count) {
    g_autoptr (GError) error = g_error_new (XF_ERROR, XF_ERROR_NO_CONNECT, "the other side was silent for %u seconds",
                                            conn->keepalive_interval_s * (conn->keepalive_count + 1));

    conn->keepalive_id = 0;
    xf_conn_close (conn, error);
    return G_SOURCE_REMOVE;
  }
  send_message (conn, XF_KEEPALIVE_PING);
  return G_SOURCE_CONTINUE;
}

void
xf_conn_set_keepalive (XfConn *conn, guint interval_s, guint count)
{
  xf_keepalive_stop (conn);
  conn->keepalive_interval_s = interval_s;
  conn->keepalive_count = count;
  conn->keepalive_unanswered = 0;
  if (interval_s && conn->fd >= 0)
    conn->keepalive_id = g_timeout_add_seconds (interval_s, tick, conn);
}

void
xf_keepalive_stop (XfConn *conn)
{
  g_clear_handle_id (&conn->keepalive_id, g_source_remove);
}
