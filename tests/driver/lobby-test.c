/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Connections that have not identified themselves: for how long, how many, and which one is closed for a new one.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crowd.h"
#include "base/fd.h"
#include "libxl/transport/lobby.h"

typedef struct {
  XfLobby *lobby;
  guint looks, taken;
  guint8 first; /* the first byte of the last connection that was taken */
} Room;

/* A connection sends a letter and seven more bytes; "X" is not accepted. */
static guint
need (const guint8 *start, gsize n, gpointer data)
{
  ((Room *)data)->looks++;
  return *start == 'X' ? 0 : 8;
}

static void
taken (int fd, const guint8 *start, gsize n, gpointer data)
{
  Room *room = data;

  room->taken++;
  room->first = *start;
  g_assert_cmpint (read (fd, (guint8[8]){ 0 }, 8), ==, 8);
  close (fd);
}

static void
room_init (Room *room, guint places, guint stay_ms)
{
  XfLobbyLimits limits = { .crowd = { places, places }, .first_bytes = 1, .stay_ms = stay_ms };

  *room = (Room){ .taken = 0 };
  room->lobby = xf_lobby_new (&limits, need, taken, room);
}

/* Opens a connection that sends @says; returns the client's end. */
static int
come (Room *room, const char *says)
{
  int pair[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), ==, 0);
  g_assert_cmpint (write (pair[0], says, strlen (says)), ==, strlen (says));
  xf_lobby_enter (room->lobby, pair[1]);
  return pair[0];
}

static gboolean
stop (gpointer data)
{
  *(gboolean *)data = TRUE;
  return G_SOURCE_REMOVE;
}

static guint
run_for (guint ms)
{
  gboolean over = FALSE;
  guint turns = 0;

  g_timeout_add (ms, stop, &over);
  while (!over) {
    g_main_context_iteration (NULL, TRUE);
    turns++;
  }
  return turns;
}

static gboolean
is_closed (int fd)
{
  char byte;

  errno = 0;

  /* The other side may close it with unread data. */
  return recv (fd, &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET;
}

static void
test_known (void)
{
  Room room;
  xf_autofd one = -1, two = -1, stranger = -1;

  room_init (&room, 4, 5000);
  one = come (&room, "A-------");
  stranger = come (&room, "X");
  two = come (&room, "B--");
  run_for (20);
  g_assert_cmpuint (room.taken, ==, 1);
  g_assert_cmpint (room.first, ==, 'A');
  g_assert_true (is_closed (stranger));
  g_assert_false (is_closed (two));
  g_assert_cmpint (write (two, "-----", 5), ==, 5);
  run_for (200);
  g_assert_cmpuint (room.taken, ==, 2);
  g_assert_cmpint (room.first, ==, 'B');
  xf_lobby_free (room.lobby);
}

/* A local socket wakes its reader for each byte, whatever SO_RCVLOWAT says. */
static void
test_no_spin (void)
{
  Room room;
  xf_autofd part = -1, half = -1;
  guint turns;

  room_init (&room, 4, 5000);
  part = come (&room, "A--");
  half = come (&room, "B--");
  shutdown (half, SHUT_WR);
  turns = run_for (400);
  g_assert_cmpuint (turns, <, 60);
  g_assert_cmpuint (room.looks, <, 30);
  g_assert_false (is_closed (part));
  g_assert_true (is_closed (half));
  xf_lobby_free (room.lobby);
  g_assert_true (is_closed (part));
}

static void
test_stay (void)
{
  Room room;
  xf_autofd silent = -1, part = -1;

  room_init (&room, 4, 100);
  silent = come (&room, "");
  part = come (&room, "A--");
  run_for (40);
  g_assert_false (is_closed (silent));
  run_for (300);
  g_assert_true (is_closed (silent));
  g_assert_true (is_closed (part));
  xf_lobby_free (room.lobby);
}

static void
test_full (void)
{
  Room room;
  xf_autofd part = -1, silent = -1, late = -1, good = -1;

  room_init (&room, 2, 5000);
  part = come (&room, "A--");
  run_for (20);
  silent = come (&room, "");
  late = come (&room, "");
  g_assert_true (is_closed (part)); /* the silent one has only just connected */
  g_assert_false (is_closed (silent));
  good = come (&room, "B-------");
  g_assert_true (is_closed (silent));
  g_assert_false (is_closed (late));
  run_for (20);
  g_assert_cmpuint (room.taken, ==, 1);
  xf_lobby_free (room.lobby);
}

/* ---- which one is closed ---------------------------------------------------------------------------------- */

static gint
leaver (const char *addresses, const char *silent, char newcomer, guint places, guint places_an_address)
{
  XfCrowdSeat seats[16], new_seat = { .address = { (guint8)newcomer } };
  const XfCrowdSeat *list[16];
  XfCrowdLimits limits = { places, places_an_address };
  guint n = strlen (addresses);

  for (guint i = 0; i < n; i++) {
    seats[i] = (XfCrowdSeat){ .address = { (guint8)addresses[i] }, .has_spoken = silent[i] == 't' };
    seats[i].since_us = g_get_monotonic_time () - (silent[i] == 'n' ? 0 : 2 * XF_CROWD_GRACE_US);
    list[i] = &seats[i];
  }
  return xf_crowd_leaver (list, n, &new_seat, &limits);
}

static void
test_leaver (void)
{
  g_assert_cmpint (leaver ("", "", 'a', 4, 2), ==, -1);
  g_assert_cmpint (leaver ("abc", "sss", 'd', 4, 2), ==, -1);
  /* All places are taken: the address with the most connections loses one, a silent one first. */
  g_assert_cmpint (leaver ("abbb", "sttt", 'c', 4, 4), ==, 1);
  g_assert_cmpint (leaver ("abbb", "stts", 'c', 4, 4), ==, 3);
  g_assert_cmpint (leaver ("abcd", "ttst", 'e', 4, 4), ==, 2);
  g_assert_cmpint (leaver ("abcd", "tttt", 'e', 4, 4), ==, 0);
  /* A new connection does not count as silent yet. */
  g_assert_cmpint (leaver ("abcd", "tnnn", 'e', 4, 4), ==, 0);
  g_assert_cmpint (leaver ("abcd", "tnsn", 'e', 4, 4), ==, 2);
  /* An address at its own limit loses one of its own, whatever others have. */
  g_assert_cmpint (leaver ("bbaa", "sstt", 'a', 8, 2), ==, 2);
  g_assert_cmpint (leaver ("bbaa", "sstt", 'c', 8, 2), ==, -1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/lobby/known", test_known);
  g_test_add_func ("/lobby/no-spin", test_no_spin);
  g_test_add_func ("/lobby/stay", test_stay);
  g_test_add_func ("/lobby/full", test_full);
  g_test_add_func ("/lobby/leaver", test_leaver);
  return g_test_run ();
}
