/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The checks of a state machine: breaking one ends the process, in every build.
 */
#include "base/sm.h"

enum { FIRST, SECOND, LAST, N_STATES };

static const XfSmState states[N_STATES] = {
  [FIRST] = { "first", XF_SM_TO (SECOND) },
  [SECOND] = { "second", XF_SM_TO (LAST) },
  [LAST] = { "last", .final = TRUE },
};

static gboolean
holds (guint state, gconstpointer owner)
{
  return state != SECOND || *(const gboolean *)owner;
}

static void
test_good (void)
{
  gboolean ready = TRUE;
  XfSm sm;

  xf_sm_init (&sm, states, N_STATES, "m");
  xf_sm_guard (&sm, holds, &ready);
  g_assert_true (xf_sm_may_move (&sm, SECOND));
  g_assert_false (xf_sm_may_move (&sm, LAST));
  xf_sm_move (&sm, SECOND);
  xf_sm_move (&sm, LAST);
  xf_sm_clear (&sm);
  xf_sm_init (&sm, states, N_STATES, "m");
  xf_sm_clear (&sm); /* it never moved */
  xf_sm_init (&sm, states, N_STATES, "m");
  xf_sm_restore (&sm, SECOND);
  xf_sm_abandon (&sm);
}

/* @how: the check to break. */
static void
fail (gconstpointer how)
{
  gboolean ready = FALSE;
  XfSm sm;

  xf_sm_init (&sm, states, N_STATES, "m");
  if (g_str_equal (how, "move"))
    xf_sm_move (&sm, LAST);
  if (g_str_equal (how, "end")) {
    xf_sm_move (&sm, SECOND);
    xf_sm_clear (&sm);
  }
  xf_sm_guard (&sm, holds, &ready);
  if (g_str_equal (how, "invariant"))
    xf_sm_move (&sm, SECOND);
  if (g_str_equal (how, "restore"))
    xf_sm_restore (&sm, SECOND);
}

static const struct Failure {
  const char *how, *path, *says;
} failures[] = {
  { "move", "/sm/fails/move", "*first -> last is not a move*" },
  { "end", "/sm/fails/end", "*it ends when it is second*" },
  { "invariant", "/sm/fails/invariant", "*it is second without what that needs*" },
  { "restore", "/sm/fails/restore", "*it is second without what that needs*" },
};

static void
test_failure (gconstpointer data)
{
  const struct Failure *failure = data;

  if (g_test_subprocess ()) {
    fail (failure->how);
    return;
  }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_failed ();
  g_test_trap_assert_stderr (failure->says);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/sm/good", test_good);
  for (gsize i = 0; i < G_N_ELEMENTS (failures); i++)
    g_test_add_data_func (failures[i].path, &failures[i], test_failure);
  return g_test_run ();
}
