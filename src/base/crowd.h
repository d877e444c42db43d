/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who leaves when a place is full of connections that have not shown yet who they are. The address that holds most
 * places gives one up; of its connections first one that has said nothing for a while, and of those the one that came
 * first. So an address that fills the place takes its own places, and none of another's; and who has just come has time
 * to speak, however many have said a little before.
 */
#pragma once

#include <glib.h>

#define XF_CROWD_ADDRESS 16

/* Who has said nothing for that long is silent. */
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

/* Who of @n seats, which stand in the order in which they came, makes room for @newcomer: the index, or -1 when there
 * is room. */
gint xf_crowd_leaver (const XfCrowdSeat *const *seats, guint n, const XfCrowdSeat *newcomer,
                      const XfCrowdLimits *limits);
