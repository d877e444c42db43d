/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The first bytes of a data connection between two xenferry daemons: they identify the peer to the destination.
 * docs/stream.md has the layout.
 */
#pragma once

#include <glib.h>

#define XF_TICKET_SIZE 32
#define XF_TICKET_TOKEN 16
#define XF_TICKET_CONNECTIONS_MAX 16

typedef struct {
  guint8 token[XF_TICKET_TOKEN]; /* from the destination's cookie; valid for one migration */
  guint16 index, count;          /* of this connection */
} XfTicket;

void xf_ticket_put (const XfTicket *ticket, guint8 out[XF_TICKET_SIZE]);

/* TRUE if these first eight bytes are those of a ticket. */
gboolean xf_ticket_begins (const guint8 *in);

/* FALSE if @in is not a ticket, or has an unknown version or invalid numbers. */
gboolean xf_ticket_get (const guint8 in[XF_TICKET_SIZE], XfTicket *ticket_out);

/* Reads a ticket that was peeked at from @fd, so that the data is next. */
gboolean xf_ticket_skip (int fd);
