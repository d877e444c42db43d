/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The goal file, and the chain daemon -> xenferry-save-helper -> libxl's helper with xenferry-precopy.so ->
 * libxenguest, whose two ends are stand-ins. This process is the daemon.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "savehelper/goal.h"

#define DOMID 7
#define MIB (1024 * 1024)

typedef struct {
  char *top, *dir;
  char *program; /* libxl's helper */
  GPtrArray *environment;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->top = g_dir_make_tmp ("xf-savehelper-XXXXXX", NULL);
  g_assert_nonnull (fixture->top);
  fixture->dir = g_build_filename (fixture->top, "precopy", NULL);
  fixture->program = g_strdup (g_getenv ("XF_FAKE_HELPER"));
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  (void)g_rmdir (fixture->dir);
  g_assert_cmpint (g_rmdir (fixture->top), ==, 0); /* no file is left */
  g_free (fixture->dir);
  g_free (fixture->top);
  g_free (fixture->program);
}

/* Runs the chain with @mode and @flags; @variables: "NAME=value", to NULL. Returns what was printed. */
static char *
run (Fixture *fixture, const char *mode, const char *flags, const char *const *variables)
{
  const char *argv[] = { g_getenv ("XF_SAVE_HELPER"), mode, "5", "-1", "7", flags, "136", "0", NULL };
  g_auto (GStrv) environment = g_get_environ ();
  g_autoptr (GError) error = NULL;
  char *out = NULL;
  int status;

  environment = g_environ_setenv (environment, XF_GOAL_ENVIRONMENT, fixture->dir, TRUE);
  environment = g_environ_setenv (environment, "XENFERRY_SAVE_HELPER", fixture->program, TRUE);
  environment = g_environ_unsetenv (environment, "LD_PRELOAD");
  for (; variables && *variables; variables++) {
    g_auto (GStrv) pair = g_strsplit (*variables, "=", 2);

    environment = g_environ_setenv (environment, pair[0], pair[1], TRUE);
  }
  g_spawn_sync (NULL, (char **)argv, environment, G_SPAWN_DEFAULT, NULL, NULL, &out, NULL, &status, &error);
  g_assert_no_error (error);
  g_assert_true (g_spawn_check_wait_status (status, NULL));
  return out;
}

#define LIVE "1"
#define SAVE "--save-domain, preload yes, next no\nsave 5 7 1 0 -1\n"

static void
test_chain (Fixture *fixture, gconstpointer data)
{
  const char *const pages[] = { "FAKE_DIRTY=100000 9000 8000 7000 6000 5000 4000",
                                "FAKE_LEFT=9000 8000 7000 6000 5000 2560 2561", NULL };
  XfPolicyLimits limits = { .downtime_ms = 100, .passes = 30, .rate = 100 * MIB };
  XfGoal *goal = xf_goal_create (fixture->dir, DOMID);
  XfGoalReport report;
  g_autofree char *out = NULL;

  g_assert_nonnull (goal);
  xf_goal_set (goal, &limits);
  xf_goal_read (goal, &report);
  g_assert_false (report.is_used);
  g_assert_cmpuint (report.expected_ms, ==, UINT64_MAX);
  out = run (fixture, "--save-domain", LIVE, pages);
  g_assert_cmpstr (
    out, ==,
    SAVE "before 0: 0\nafter 1: 0\nbefore 1: 0\nafter 2: 0\nbefore 2: 0\nafter 3: 0\nbefore 3: 0\nafter 4: 0\n"
         "before 4: 0\nafter 5: 0\nbefore 5: 0\nafter 6: 1\n");
  xf_goal_read (goal, &report);
  g_assert_true (report.is_used);
  g_assert_false (report.is_aborted);
  g_assert_cmpuint (report.passes, ==, 6);
  g_assert_cmpuint (report.left, ==, 2560);
  g_assert_cmpuint (report.expected_ms, ==, 100);
  g_assert_cmpuint (report.downtime_ms, ==, 100);
  xf_goal_free (goal);
}

static void
test_abort (Fixture *fixture, gconstpointer data)
{
  const char *const pages[] = { "FAKE_DIRTY=100000 9000", "FAKE_LEFT=9000 -", NULL };
  XfPolicyLimits limits = { .downtime_ms = 100, .passes = 2, .abort = true, .rate = 100 * MIB };
  XfGoal *goal = xf_goal_create (fixture->dir, DOMID);
  XfGoalReport report;
  g_autofree char *out = NULL;

  xf_goal_set (goal, &limits);
  out = run (fixture, "--save-domain", LIVE, pages);
  g_assert_cmpstr (out, ==, SAVE "before 0: 0\nafter 1: 0\nbefore 1: 0\nafter 2: -1\n");
  xf_goal_read (goal, &report);
  g_assert_true (report.is_aborted);
  g_assert_cmpuint (report.left, ==, 9000); /* Xen did not answer: as many as in the pass before */
  g_assert_cmpuint (report.expected_ms, ==, 352);
  xf_goal_free (goal);
}

/* libxenguest is called as if nothing were between. */
static void
test_untouched (Fixture *fixture, gconstpointer data)
{
  const char *const own[] = { "FAKE_POLICY=1", "FAKE_DATA=1", "FAKE_DIRTY=100 100", NULL };
  const char *const pages[] = { "FAKE_DIRTY=100 100", NULL };
  XfGoal *goal;
  g_autofree char *none = run (fixture, "--save-domain", LIVE, pages);
  g_autofree char *restore = NULL, *still = NULL, *theirs = NULL, *other = NULL;
  XfGoalReport report;

  g_assert_cmpstr (none, ==, SAVE);
  goal = xf_goal_create (fixture->dir, DOMID);
  restore = run (fixture, "--restore-domain", LIVE, pages);
  g_assert_cmpstr (restore, ==, "--restore-domain, preload no, next no\n");
  still = run (fixture, "--save-domain", "0", pages);
  g_assert_cmpstr (still, ==, "--save-domain, preload yes, next no\nsave 5 7 0 0 -1\n");
  theirs = run (fixture, "--save-domain", LIVE, own);
  g_assert_cmpstr (theirs, ==, "--save-domain, preload yes, next no\nsave 5 7 1 0 -1 data\nbefore 0: 1\n");
  /* Of another version, whose structures may be others. */
  g_free (fixture->program);
  fixture->program = g_strdup (g_getenv ("XF_OTHER_HELPER"));
  other = run (fixture, "--save-domain", LIVE, pages);
  g_assert_cmpstr (other, ==, SAVE);
  xf_goal_read (goal, &report);
  g_assert_false (report.is_used);
  xf_goal_free (goal);
}

static void
test_foreign_file (Fixture *fixture, gconstpointer data)
{
  XfGoal *goal = xf_goal_create (fixture->dir, DOMID), *opened;
  g_autofree char *path = g_strdup_printf ("%s/%d", fixture->dir, DOMID), *link = g_strconcat (path, "0", NULL);
  g_autofree char *contents = NULL;
  gsize length;

  /* This process has made it, and not the parent of the process that asks. */
  g_assert_null (xf_goal_open (fixture->dir, DOMID));
  g_assert_null (xf_goal_open (fixture->dir, DOMID + 1));
  g_assert_null (xf_goal_open ("/nonexistent", DOMID));
  g_assert_null (xf_goal_create ("/nonexistent/dir", DOMID));

  /* As if the parent had made it. */
  g_assert_true (g_file_get_contents (path, &contents, &length, NULL));
  ((guint64 *)(gpointer)contents)[1] = (guint64)getppid ();
  g_assert_true (g_file_set_contents (path, contents, length, NULL));
  opened = xf_goal_open (fixture->dir, DOMID);
  g_assert_nonnull (opened);
  xf_goal_free (opened);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS)); /* only its creator removes it */

  g_assert_cmpint (symlink (path, link), ==, 0);
  g_assert_null (xf_goal_open (fixture->dir, 70));
  g_assert_cmpint (g_unlink (link), ==, 0);
  g_assert_true (g_file_set_contents (path, contents, length - 1, NULL));
  g_assert_null (xf_goal_open (fixture->dir, DOMID));
  contents[0] ^= 1;
  g_assert_true (g_file_set_contents (path, contents, length, NULL));
  g_assert_null (xf_goal_open (fixture->dir, DOMID));
  xf_goal_free (goal);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/savehelper/chain", Fixture, NULL, set_up, test_chain, tear_down);
  g_test_add ("/savehelper/abort", Fixture, NULL, set_up, test_abort, tear_down);
  g_test_add ("/savehelper/untouched", Fixture, NULL, set_up, test_untouched, tear_down);
  g_test_add ("/savehelper/foreign-file", Fixture, NULL, set_up, test_foreign_file, tear_down);
  return g_test_run ();
}
