/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runs the default main loop in a test.
 */
#pragma once

#include <glib.h>

/* Runs the loop until @condition holds; fails after ten seconds. */
#define run_until(condition)                                                                                           \
  do {                                                                                                                 \
    gint64 deadline_ = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;                                                  \
    while (!(condition)) {                                                                                             \
      g_assert_cmpint (g_get_monotonic_time (), <, deadline_);                                                         \
      if (!g_main_context_iteration (NULL, FALSE))                                                                     \
        g_usleep (500);                                                                                                \
    }                                                                                                                  \
  } while (0)

static inline void
run_for (guint ms)
{
  gint64 deadline = g_get_monotonic_time () + ms * 1000;

  while (g_get_monotonic_time () < deadline) {
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (500);
  }
}

/* Runs the loop until it has nothing to do. */
static inline void
run_ready (void)
{
  run_until (!g_main_context_iteration (NULL, FALSE));
}
