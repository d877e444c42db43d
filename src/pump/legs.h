/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Legs: with several connections each has a process of its own, so that checksums, compression and encryption spread
 * over the processors. Between a leg and the process that started it is a pipe with the plain content whose turn it is
 * on that connection; the starter only moves bytes between pipes, inside the kernel where nobody looks at them:
 *
 *            ┌─ pipe ─► frames ─► TLS ─► connection 0 ··· TLS ─► frames off ─ pipe ─┐
 *   stream ──┤                                                                     ├─► guard ─► stream
 *            └─ pipe ─► frames ─► TLS ─► connection 1 ··· TLS ─► frames off ─ pipe ─┘
 *
 * No threads, and nothing shared but counters and the reason of a failure.
 */
#pragma once

#include "pump/pass.h"

/* A leg's work, in its own process: @leg has its two ends and nothing between them yet. Descriptors that it does not
 * know are still open. */
typedef gboolean (*XfLegWork) (XfPass *leg, guint index, guint count, gpointer data, GError **error);

/* Starts a process for each of @turns' channels, which are connections; pipes take their place. @output: content goes
 * to the connections. @rate: of all together. Must be called before the sandbox. The loop of @turns reports and paces
 * for them from now on; the legs must outlive it. */
XfLegs *xf_legs_start (XfTurns *turns, gboolean output, guint64 rate, XfLegWork work, gpointer data, GError **error);
void xf_legs_free (XfLegs *legs);

/* Descriptors that the starter needs besides the channels'. Returns how many: at most as there are connections. */
guint xf_legs_descriptors (const XfLegs *legs, int *fds_out);

/* The end of the stream: outputs are closed, inputs must have nothing left; waits for every leg to be done. FALSE with
 * the reason of the first that was not. */
gboolean xf_legs_finish (XfLegs *legs, GError **error);

/* Bytes could not be moved to the leg whose turn it is. When it has ended, its reason takes the place of @error's.
 * Returns FALSE. */
gboolean xf_legs_failed (XfLegs *legs, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfLegs, xf_legs_free)
