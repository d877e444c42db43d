/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The precopy policy, question by question, and whole saves of modelled guests.
 */
#include <glib.h>

#include "savehelper/policy.h"

#define MIB (1024 * 1024)
#define PAGES_PER_MIB (MIB / XF_POLICY_PAGE_SIZE)

static void
test_time (void)
{
  g_assert_cmpuint (xf_policy_expected_ms (0, 0), ==, 0);
  g_assert_cmpuint (xf_policy_expected_ms (1, 0), ==, UINT64_MAX);
  g_assert_cmpuint (xf_policy_expected_ms (100 * PAGES_PER_MIB, 100 * MIB), ==, 1000);
  /* Rounded up: a limit is never kept by rounding. */
  g_assert_cmpuint (xf_policy_expected_ms (100 * PAGES_PER_MIB + 1, 100 * MIB), ==, 1001);
  g_assert_cmpuint (xf_policy_expected_ms (UINT64_MAX, 1), ==, UINT64_MAX);
  g_assert_cmpuint (xf_policy_expected_ms (UINT64_MAX / 4096000, UINT64_MAX), ==, UINT64_MAX);
  g_assert_cmpuint (xf_policy_expected_ms (1, UINT64_MAX), ==, UINT64_MAX);
  g_assert_cmpuint (xf_policy_expected_ms (1, UINT64_MAX - 4096000), ==, 1);
}

/* Without a goal the answers are those of libxenguest without a policy. */
static void
test_own_rule (void)
{
  XfPolicyLimits none = { .passes = 30, .abort = true, .rate = MIB };
  XfPolicy policy = { 0 };

  g_assert_cmpint (xf_policy_before_pass (&policy, &none, 0, 1 << 20), ==, XF_POLICY_CONTINUE);
  g_assert_cmpint (xf_policy_after_pass (&policy, &none, 1, 1 << 20), ==, XF_POLICY_CONTINUE);
  g_assert_cmpint (xf_policy_before_pass (&policy, &none, 1, 50), ==, XF_POLICY_CONTINUE);
  g_assert_cmpint (xf_policy_before_pass (&policy, &none, 1, 49), ==, XF_POLICY_STOP);
  g_assert_cmpint (xf_policy_before_pass (&policy, &none, 4, 5000), ==, XF_POLICY_CONTINUE);
  g_assert_cmpint (xf_policy_after_pass (&policy, &none, 4, 0), ==, XF_POLICY_CONTINUE);
  g_assert_cmpint (xf_policy_after_pass (&policy, &none, 5, 5000), ==, XF_POLICY_STOP);
  g_assert_cmpint (xf_policy_before_pass (&policy, &none, 5, 5000), ==, XF_POLICY_STOP);
}

static void
test_goal (void)
{
  XfPolicyLimits limits = { .downtime_ms = 300, .passes = 30, .rate = 100 * MIB };
  XfPolicy policy = { 0 };

  /* A pass that has begun is sent in any case: the answer before it decides nothing. */
  g_assert_cmpint (xf_policy_before_pass (&policy, &limits, 7, 1), ==, XF_POLICY_CONTINUE);
  g_assert_cmpint (xf_policy_before_pass (&policy, &limits, 7, 10000), ==, XF_POLICY_CONTINUE);
  /* 30 MiB take 300 ms. */
  g_assert_cmpint (xf_policy_after_pass (&policy, &limits, 8, 30 * PAGES_PER_MIB + 1), ==, XF_POLICY_CONTINUE);
  g_assert_cmpuint (policy.expected_ms, ==, 301);
  g_assert_cmpint (xf_policy_after_pass (&policy, &limits, 8, 30 * PAGES_PER_MIB), ==, XF_POLICY_STOP);
  /* After the last pass it is stopped, or the save ends. */
  g_assert_cmpint (xf_policy_after_pass (&policy, &limits, 29, 40 * PAGES_PER_MIB), ==, XF_POLICY_CONTINUE);
  g_assert_cmpint (xf_policy_after_pass (&policy, &limits, 30, 40 * PAGES_PER_MIB), ==, XF_POLICY_STOP);
  limits.abort = true;
  g_assert_cmpint (xf_policy_after_pass (&policy, &limits, 29, 40 * PAGES_PER_MIB), ==, XF_POLICY_CONTINUE);
  g_assert_cmpint (xf_policy_after_pass (&policy, &limits, 30, 40 * PAGES_PER_MIB), ==, XF_POLICY_ABORT);
  g_assert_cmpint (xf_policy_after_pass (&policy, &limits, 30, 30 * PAGES_PER_MIB), ==, XF_POLICY_STOP);
  /* A rate that is not known yet promises nothing. */
  limits.rate = 0;
  g_assert_cmpint (xf_policy_after_pass (&policy, &limits, 29, 1), ==, XF_POLICY_CONTINUE);
  g_assert_cmpint (xf_policy_after_pass (&policy, &limits, 30, 1), ==, XF_POLICY_ABORT);
  g_assert_cmpint (xf_policy_after_pass (&policy, &limits, 30, 0), ==, XF_POLICY_STOP);
}

/* Xen does not say how many pages are dirty: as many as in the pass before. */
static void
test_unknown (void)
{
  XfPolicyLimits limits = { .downtime_ms = 300, .passes = 30, .rate = 100 * MIB };
  XfPolicy policy = { 0 };

  (void)xf_policy_before_pass (&policy, &limits, 7, 31 * PAGES_PER_MIB);
  g_assert_cmpint (xf_policy_after_pass (&policy, &limits, 8, -1), ==, XF_POLICY_CONTINUE);
  (void)xf_policy_before_pass (&policy, &limits, 8, 30 * PAGES_PER_MIB);
  g_assert_cmpint (xf_policy_after_pass (&policy, &limits, 9, -1), ==, XF_POLICY_STOP);
}

/* A guest that dirties @dirty_mib_s, in a working set of @set_mib, over a line of @rate_mib_s. Returns the passes;
 * *ms_out: what the last pass takes; -1 there: the save was aborted. */
static uint32_t
run (XfPolicyLimits *limits, guint rate_mib_s, double dirty_mib_s, double set_mib, double *ms_out)
{
  XfPolicy policy = { 0 };
  double dirty_mib = 1024;
  uint32_t passes = 0;

  limits->rate = (uint64_t)rate_mib_s * MIB;
  for (;;) {
    XfPolicyDecision before = xf_policy_before_pass (&policy, limits, passes, (uint64_t)(dirty_mib * PAGES_PER_MIB));
    XfPolicyDecision after;

    g_assert_cmpuint (passes, <, 1000);
    dirty_mib = MIN (dirty_mib_s * dirty_mib / rate_mib_s, set_mib);
    passes++;
    *ms_out = dirty_mib * 1000 / rate_mib_s;
    if (before == XF_POLICY_STOP)
      return passes;
    after = xf_policy_after_pass (&policy, limits, passes, (int64_t)(dirty_mib * PAGES_PER_MIB));
    if (after == XF_POLICY_ABORT)
      *ms_out = -1;
    if (after != XF_POLICY_CONTINUE)
      return passes;
  }
}

static void
test_guests (void)
{
  XfPolicyLimits none = { 0 }, limits = { .downtime_ms = 300, .passes = 30 };
  double without, with;

  /* Quiet: as short with a limit as without. */
  g_assert_cmpuint (run (&none, 100, 20, 1024, &without), <=, 5);
  g_assert_cmpuint (run (&limits, 100, 20, 1024, &with), <=, 5);
  g_assert_cmpfloat (with, <=, without + 1);
  g_assert_cmpfloat (without, <, 5);

  /* Busy, but slower than the line: libxenguest stops it after five passes with more than 4 s to go. */
  g_assert_cmpuint (run (&none, 100, 85, 1024, &without), ==, 5);
  g_assert_cmpfloat (without, >, 4000);
  g_assert_cmpuint (run (&limits, 100, 85, 1024, &with), >, 5);
  g_assert_cmpfloat (with, <=, 300);

  /* Faster than the line: more passes do not help. */
  g_assert_cmpuint (run (&limits, 100, 200, 600, &with), ==, 30);
  g_assert_cmpfloat (with, >, 300);
  limits.abort = true;
  g_assert_cmpuint (run (&limits, 100, 200, 600, &with), ==, 30);
  g_assert_cmpfloat (with, ==, -1);

  /* Its working set is small enough. */
  g_assert_cmpuint (run (&limits, 100, 200, 29, &with), <, 30);
  g_assert_cmpfloat (with, <=, 300);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/policy/time", test_time);
  g_test_add_func ("/policy/own-rule", test_own_rule);
  g_test_add_func ("/policy/goal", test_goal);
  g_test_add_func ("/policy/unknown", test_unknown);
  g_test_add_func ("/policy/guests", test_guests);
  return g_test_run ();
}
