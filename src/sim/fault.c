/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Faults by number: one call fails of all calls of libxl that can fail, starts of a helper and named points of the
 * daemon (calls.c counts them).
 */
#include <xentoollog.h>

#include "sim/sim.h"

guint32
sim_fails (libxl_ctx *ctx, const char *call)
{
  guint32 number = sim_count_call (call);

  if (number)
    sim_error (ctx, SIM_FAILURE_FORMAT, number, call);
  return number;
}

gboolean
sim_fails_at_start (xentoollog_logger *log, const char *call)
{
  guint32 number = sim_count_call (call);

  if (number)
    xtl_log (log, XTL_ERROR, -1, "libxl", SIM_FAILURE_FORMAT, number, call);
  return number != 0;
}

int
sim_failed (libxl_ctx *ctx, const libxl_asyncop_how *how, guint32 number, int rc)
{
  if (!how || number % 2)
    return rc;
  host_trace (sim_dir (), "late failure of call %u", number);
  return sim_done_later (ctx, how, rc);
}
