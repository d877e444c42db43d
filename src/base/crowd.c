/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/crowd.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define NETWORK 8 /* bytes of an IPv6 address */

void
xf_crowd_seat_init (XfCrowdSeat *seat, int fd)
{
  struct sockaddr_storage storage;
  socklen_t length = sizeof (storage);

  *seat = (XfCrowdSeat){ .since_us = g_get_monotonic_time () };
  if (getpeername (fd, (struct sockaddr *)&storage, &length) < 0)
    return;
  if (storage.ss_family == AF_INET) {
    memcpy (seat->address + 12, &((struct sockaddr_in *)&storage)->sin_addr, 4);
  } else if (storage.ss_family == AF_INET6) {
    const struct in6_addr *address = &((struct sockaddr_in6 *)&storage)->sin6_addr;

    if (IN6_IS_ADDR_V4MAPPED (address))
      memcpy (seat->address + 12, address->s6_addr + 12, 4);
    else
      memcpy (seat->address, address->s6_addr, NETWORK);
  }
}

static gboolean
same_address (const XfCrowdSeat *a, const XfCrowdSeat *b)
{
  return memcmp (a->address, b->address, XF_CROWD_ADDRESS) == 0;
}

static guint
address_hash (gconstpointer data)
{
  const XfCrowdSeat *seat = data;
  guint hash = 5381;

  for (gsize i = 0; i < XF_CROWD_ADDRESS; i++)
    hash = hash * 33 + seat->address[i];
  return hash;
}

static gboolean
address_equal (gconstpointer a, gconstpointer b)
{
  return same_address (a, b);
}

/* Seats by address: the value is the number of seats. */
static GHashTable *
count_addresses (const XfCrowdSeat *const *seats, guint n)
{
  GHashTable *counts = g_hash_table_new (address_hash, address_equal);

  for (guint i = 0; i < n; i++) {
    guint count = GPOINTER_TO_UINT (g_hash_table_lookup (counts, seats[i])) + 1;

    g_hash_table_insert (counts, (gpointer)seats[i], GUINT_TO_POINTER (count));
  }
  return counts;
}

gint
xf_crowd_leaver (const XfCrowdSeat *const *seats, guint n, const XfCrowdSeat *newcomer, const XfCrowdLimits *limits)
{
  g_autoptr (GHashTable) counts = count_addresses (seats, n);
  guint own = GPOINTER_TO_UINT (g_hash_table_lookup (counts, newcomer)), most = own;
  gint64 silent_before_us = g_get_monotonic_time () - XF_CROWD_GRACE_US;
  gint first = -1;

  if (own < limits->places_an_address && n < limits->places)
    return -1;
  for (guint i = 0; own < limits->places_an_address && i < n; i++)
    most = MAX (most, GPOINTER_TO_UINT (g_hash_table_lookup (counts, seats[i])));
  for (guint i = 0; i < n; i++) {
    gboolean counts_here = own < limits->places_an_address
                             ? GPOINTER_TO_UINT (g_hash_table_lookup (counts, seats[i])) == most
                             : same_address (seats[i], newcomer);

    if (counts_here && !seats[i]->has_spoken && seats[i]->since_us < silent_before_us)
      return (gint)i;
    if (counts_here && first < 0)
      first = (gint)i;
  }
  return first;
}
