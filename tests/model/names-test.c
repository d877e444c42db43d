/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The model describes this code: each move of the model is in the table of states, and each move of the table is in the
 * model. Built once for each side.
 */
#ifdef XF_DESTINATION
#include "libxl/dest/private.h"
#define STATES xf_migrate_dest_states
#define MOVE "D_TO"
#else
#include "libxl/source/private.h"
#define STATES xf_migrate_source_states
#define MOVE "S_TO"
#endif

/* An offline migration has no data that could be lost or doubled, so the model omits it. */
static const char *const offline[] = { "begun -> done", "filtering -> prepared", "prepared -> running", NULL };

static GHashTable *
moves_of_table (void)
{
  GHashTable *moves = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint from = 0; from < N_STATES; from++) {
    for (guint to = 0; to < N_STATES; to++) {
      g_autofree char *move = g_strdup_printf ("%s -> %s", STATES[from].name, STATES[to].name);

      if (STATES[from].next & XF_SM_TO (to) && !g_strv_contains (offline, move))
        g_hash_table_add (moves, g_steal_pointer (&move));
    }
  }
  return moves;
}

static void
add_moves_of_file (GHashTable *moves, const char *file)
{
  g_autofree char *text = NULL;
  g_autoptr (GRegex) regex = g_regex_new (MOVE " \\((\\w+), (\\w+)\\)", 0, 0, NULL);
  g_autoptr (GMatchInfo) match = NULL;

  g_assert_true (g_file_get_contents (file, &text, NULL, NULL));
  for (g_regex_match (regex, text, 0, &match); g_match_info_matches (match); g_match_info_next (match, NULL)) {
    g_autofree char *from = g_match_info_fetch (match, 1), *to = g_match_info_fetch (match, 2);

    g_hash_table_add (moves, g_strdelimit (g_strdup_printf ("%s -> %s", from, to), "_", ' '));
  }
}

/* In the model, the actors that drive a migration or interfere with it also change its state. */
static GHashTable *
moves_of_model (void)
{
  static const char *const files[] = { "source.pml", "destination.pml", "actors.pml" };
  GHashTable *moves = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (files); i++) {
    g_autofree char *file = g_build_filename (g_getenv ("XF_MODEL"), files[i], NULL);

    add_moves_of_file (moves, file);
  }
  return moves;
}

static guint
tell_missing (GHashTable *moves, GHashTable *others, const char *where)
{
  GHashTableIter iter;
  gpointer move;
  guint n = 0;

  g_hash_table_iter_init (&iter, moves);
  while (g_hash_table_iter_next (&iter, &move, NULL)) {
    if (!g_hash_table_contains (others, move)) {
      g_test_message ("'%s' is not in the %s", (char *)move, where);
      n++;
    }
  }
  return n;
}

static void
test_same (void)
{
  g_autoptr (GHashTable) table = moves_of_table (), model = moves_of_model ();

  g_assert_cmpuint (g_hash_table_size (model), >, 6);
  g_assert_cmpuint (tell_missing (model, table, "table") + tell_missing (table, model, "model"), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/model/same-moves/" MOVE, test_same);
  return g_test_run ();
}
