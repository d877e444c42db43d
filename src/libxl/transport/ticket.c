/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/transport/ticket.h"

#include <string.h>
#include <sys/socket.h>

#define MAGIC "XFERDATA"
#define VERSION 1

/* Offsets of its fields; numbers are little endian. */
enum { AT_MAGIC = 0, AT_VERSION = 8, AT_FLAGS = 10, AT_INDEX = 12, AT_COUNT = 14, AT_TOKEN = 16 };

static void
put16 (guint8 *at, guint16 value)
{
  value = GUINT16_TO_LE (value);
  memcpy (at, &value, sizeof (value));
}

static guint16
get16 (const guint8 *at)
{
  guint16 value;

  memcpy (&value, at, sizeof (value));
  return GUINT16_FROM_LE (value);
}

void
xf_ticket_put (const XfTicket *ticket, guint8 out[XF_TICKET_SIZE])
{
  memcpy (out + AT_MAGIC, MAGIC, 8);
  put16 (out + AT_VERSION, VERSION);
  put16 (out + AT_FLAGS, 0);
  put16 (out + AT_INDEX, ticket->index);
  put16 (out + AT_COUNT, ticket->count);
  memcpy (out + AT_TOKEN, ticket->token, XF_TICKET_TOKEN);
}

gboolean
xf_ticket_begins (const guint8 *in)
{
  return memcmp (in + AT_MAGIC, MAGIC, 8) == 0;
}

gboolean
xf_ticket_get (const guint8 in[XF_TICKET_SIZE], XfTicket *ticket_out)
{
  ticket_out->index = get16 (in + AT_INDEX);
  ticket_out->count = get16 (in + AT_COUNT);
  memcpy (ticket_out->token, in + AT_TOKEN, XF_TICKET_TOKEN);
  return xf_ticket_begins (in) && get16 (in + AT_VERSION) == VERSION && get16 (in + AT_FLAGS) == 0
         && ticket_out->count >= 1 && ticket_out->count <= XF_TICKET_CONNECTIONS_MAX
         && ticket_out->index < ticket_out->count;
}

gboolean
xf_ticket_skip (int fd)
{
  guint8 bytes[XF_TICKET_SIZE];

  return recv (fd, bytes, sizeof (bytes), MSG_DONTWAIT) == (ssize_t)sizeof (bytes);
}
