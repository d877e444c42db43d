/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The plan of an evacuation: which guest goes to which destination, in which order, and which of them alone.
 */
#include "cli/evacuate.h"

#include <string.h>

#define MIB 1024

typedef struct {
  XfEvacuation evacuation;
} Fixture;

static void
setup (Fixture *fixture, gconstpointer data)
{
  fixture->evacuation.destinations = g_array_new (FALSE, TRUE, sizeof (XfDestination));
  fixture->evacuation.moves = g_ptr_array_new ();
}

static void
teardown (Fixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < fixture->evacuation.moves->len; i++) {
    XfMove *move = fixture->evacuation.moves->pdata[i];

    g_free (move->guest->name);
    g_free (move->guest);
    g_free (move->ways);
    g_free (move->tried);
    g_free (move);
  }
  g_ptr_array_unref (fixture->evacuation.moves);
  g_array_unref (fixture->evacuation.destinations);
}

static void
add_destination (Fixture *fixture, gint64 mib)
{
  XfDestination destination = { .room_kib = mib * MIB };

  g_array_append_val (fixture->evacuation.destinations, destination);
}

/* It can go to every destination live. */
static XfMove *
add_guest (Fixture *fixture, const char *name, guint64 mib)
{
  XfMove *move = g_new0 (XfMove, 1);
  guint n = fixture->evacuation.destinations->len;

  move->guest = g_new0 (XfGuestFacts, 1);
  move->guest->name = g_strdup (name);
  move->guest->memory_kib = mib * MIB;
  move->ways = g_new0 (XfWay, n);
  move->tried = g_new0 (gboolean, n);
  move->destination = XF_NO_DESTINATION;
  for (guint i = 0; i < n; i++)
    move->ways[i] = XF_WAY_LIVE;
  g_ptr_array_add (fixture->evacuation.moves, move);
  return move;
}

static char *
order_of (const Fixture *fixture)
{
  GString *names = g_string_new (NULL);

  for (guint i = 0; i < fixture->evacuation.moves->len; i++)
    g_string_append (names, ((XfMove *)fixture->evacuation.moves->pdata[i])->guest->name);
  return g_string_free (names, FALSE);
}

/* 60 to the larger one, 50 to what has more then, and 40 to the other. */
static void
test_room (Fixture *fixture, gconstpointer data)
{
  XfMove *a, *b, *c;
  g_autofree char *order = NULL;

  add_destination (fixture, 100);
  add_destination (fixture, 60);
  a = add_guest (fixture, "a", 60);
  b = add_guest (fixture, "b", 50);
  c = add_guest (fixture, "c", 40);
  xf_evacuate_plan (&fixture->evacuation);
  g_assert_cmpuint (a->destination, ==, 0);
  g_assert_cmpuint (b->destination, ==, 1);
  g_assert_cmpuint (c->destination, ==, 0);
  g_assert_false (a->tight || b->tight || c->tight);
  order = order_of (fixture);
  g_assert_cmpstr (order, ==, "cba");
}

/* Memory that is not free may become free: the destination decides, and the plan says that it does not know. */
static void
test_no_room (Fixture *fixture, gconstpointer data)
{
  XfMove *a, *b;

  add_destination (fixture, 100);
  a = add_guest (fixture, "a", 80);
  b = add_guest (fixture, "b", 40);
  xf_evacuate_plan (&fixture->evacuation);
  g_assert_cmpuint (a->destination, ==, 0);
  g_assert_false (a->tight);
  g_assert_cmpuint (b->destination, ==, 0);
  g_assert_true (b->tight);
  g_assert_cmpint (b->state, ==, XF_MOVE_WAITS);
}

static void
test_ways (Fixture *fixture, gconstpointer data)
{
  XfMove *a, *b, *c;

  add_destination (fixture, 1000);
  add_destination (fixture, 100);
  a = add_guest (fixture, "a", 10);
  a->ways[0] = XF_WAY_SUSPENDED; /* live matters more than room */
  b = add_guest (fixture, "b", 20);
  b->ways[0] = b->ways[1] = XF_WAY_NONE;
  c = add_guest (fixture, "c", 500);
  c->ways[0] = XF_WAY_SUSPENDED; /* but not more than no room at all */
  xf_evacuate_plan (&fixture->evacuation);
  g_assert_cmpuint (a->destination, ==, 1);
  g_assert_cmpuint (b->destination, ==, XF_NO_DESTINATION);
  g_assert_cmpint (b->state, ==, XF_MOVE_STAYS);
  g_assert_cmpuint (c->destination, ==, 0);
}

static void
test_next_destination (Fixture *fixture, gconstpointer data)
{
  XfMove *a;
  char why[] = "dead";

  add_destination (fixture, 300);
  add_destination (fixture, 200);
  add_destination (fixture, 100);
  a = add_guest (fixture, "a", 10);
  xf_evacuate_plan (&fixture->evacuation);
  g_assert_cmpuint (a->destination, ==, 0);
  a->tried[0] = TRUE;
  xf_evacuate_destination (&fixture->evacuation, 1)->down = why;
  g_assert_true (xf_evacuate_choose (&fixture->evacuation, a));
  g_assert_cmpuint (a->destination, ==, 2);
  a->tried[2] = TRUE;
  g_assert_false (xf_evacuate_choose (&fixture->evacuation, a));
  g_assert_cmpuint (a->destination, ==, XF_NO_DESTINATION);
}

/* A second plan leaves what is over, or planned, as it is. */
static void
test_second_plan (Fixture *fixture, gconstpointer data)
{
  XfMove *done, *late;

  add_destination (fixture, 300);
  done = add_guest (fixture, "done", 10);
  done->state = XF_MOVE_DONE;
  late = add_guest (fixture, "late", 10);
  xf_evacuate_plan (&fixture->evacuation);
  g_assert_cmpint (done->state, ==, XF_MOVE_DONE);
  g_assert_cmpuint (done->destination, ==, XF_NO_DESTINATION);
  g_assert_cmpuint (late->destination, ==, 0);
}

static void
test_alone (Fixture *fixture, gconstpointer data)
{
  XfMove *small, *busy, *big, *idle;

  fixture->evacuation.last_alone = TRUE;
  add_destination (fixture, 10000);
  small = add_guest (fixture, "s", 10);
  idle = add_guest (fixture, "i", 19);
  busy = add_guest (fixture, "b", 19);
  busy->guest->busy = 1.5; /* of a processor */
  big = add_guest (fixture, "x", 100);
  add_guest (fixture, "t", 10);
  add_guest (fixture, "u", 10);
  xf_evacuate_plan (&fixture->evacuation);
  g_assert_false (small->alone || idle->alone);
  g_assert_true (busy->alone && big->alone);
}

static void
test_alike (Fixture *fixture, gconstpointer data)
{
  fixture->evacuation.last_alone = TRUE;
  add_destination (fixture, 10000);
  for (guint i = 0; i < 4; i++)
    add_guest (fixture, "g", 10);
  xf_evacuate_plan (&fixture->evacuation);
  for (guint i = 0; i < 4; i++)
    g_assert_false (((XfMove *)fixture->evacuation.moves->pdata[i])->alone);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) g_test_add ("/evacuate-plan/" name, Fixture, NULL, setup, function, teardown)
  ADD ("room", test_room);
  ADD ("no-room", test_no_room);
  ADD ("ways", test_ways);
  ADD ("next-destination", test_next_destination);
  ADD ("second-plan", test_second_plan);
  ADD ("alone", test_alone);
  ADD ("alike", test_alike);
  return g_test_run ();
}
