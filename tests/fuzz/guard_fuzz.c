/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any bytes as a migration stream. There must be no crash, memory is bounded, a page number beyond the guest's is never
 * passed on, and a stream is complete only with its end.
 */
#include "base/error.h"
#include "fuzz.h"
#include "pump/guard.h"

static void
walk (const guint8 *data, gsize size, XfGuardGuest guest)
{
  XfGuardLimits limits = { .guest = guest, .max_pages = 16384, .vcpus = 4, .total_max = 1 << 30 };
  g_autoptr (XfGuard) guard = xf_guard_new (&limits);
  g_autoptr (GError) error = NULL, ended = NULL;
  guint64 want;
  XfGuardWant what;
  gsize at = 0;

  while ((what = xf_guard_want (guard, &want)) != XF_GUARD_DONE) {
    g_assert_cmpuint (want, >, 0);
    if (what == XF_GUARD_CHECK) {
      g_autofree guint8 *piece = NULL; /* exactly as large as its data: a sanitizer detects an access beyond it */

      g_assert_cmpuint (want, <=, XF_GUARD_PIECE_MAX);
      if (want > size - at)
        break;
      piece = g_memdup2 (data + at, want);
      if (!xf_guard_check (guard, piece, &error))
        break;
    } else {
      want = MIN (want, size - at);
      if (want == 0)
        break;
      xf_guard_passed (guard, want);
    }
    at += want;
  }
  g_assert_cmpuint (xf_guard_counts (guard)->bytes, ==, at);
  ended = xf_guard_cut_short (guard);
  g_assert ((ended == NULL) == xf_guard_is_last (guard));
  g_assert (!error || error->code == XF_ERROR_INVALID_STREAM);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  for (XfGuardGuest guest = XF_GUARD_ANY; guest <= XF_GUARD_HVM; guest++)
    walk (data, size, guest);
  return 0;
}
