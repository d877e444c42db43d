/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The first bytes of a data connection between two xenferries: by them the destination knows its peer. docs/stream.md
 * has the layout.
 */
#pragma once

#include <glib.h>

#define XF_TICKET_SIZE 32
#define XF_TICKET_TOKEN 16
#define XF_TICKET_CONNECTIONS_MAX 16

typedef struct {
  guint8 token[XF_TICKET_TOKEN]; /* the destination's, of its cookie; good for one migration */
  guint16 index, count;          /* of this connection */
} XfTicket;

void xf_ticket_put (const XfTicket *ticket, guint8 out[XF_TICKET_SIZE]);

/* TRUE when these first eight bytes are those of a ticket. */
gboolean xf_ticket_begins (const guint8 *in);

/* FALSE when it is none, or of a version that we do not know, or its numbers make no sense. */
gboolean xf_ticket_get (const guint8 in[XF_TICKET_SIZE], XfTicket *ticket_out);

/* Reads a ticket that has been looked at off the connection @fd, so that its data is next. */
gboolean xf_ticket_skip (int fd);
