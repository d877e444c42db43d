/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which connection is closed when all places are taken by connections that have not identified themselves yet. The
 * address with the most places loses one: first a connection that has sent nothing for a while, and of those the
 * oldest. So an address that takes all places loses only its own, and a new connection has time to send its first
 * bytes, however many other connections have already sent some.
 */
#pragma once

#include <glib.h>

#define XF_CROWD_ADDRESS 16

/* A connection that has sent nothing for that long counts as silent. */
#define XF_CROWD_GRACE_US G_USEC_PER_SEC

typedef struct {
  guint8 address[XF_CROWD_ADDRESS];
  gboolean has_spoken;
  gint64 since_us; /* monotonic time */
} XfCrowdSeat;

/* The seat of @fd's other end. All of an IPv6 network of 64 bits, which one host may own, counts as one address; so do
 * all local sockets. */
void xf_crowd_seat_init (XfCrowdSeat *seat, int fd);

typedef struct {
  guint places, places_an_address;
} XfCrowdLimits;

/* Which of @n seats, oldest first, must be given up for @newcomer: the index, or -1 when there is a free place. */
gint xf_crowd_leaver (const XfCrowdSeat *const *seats, guint n, const XfCrowdSeat *newcomer,
                      const XfCrowdLimits *limits);
