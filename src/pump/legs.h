/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Legs: with several connections each has a process of its own (a leg), so that checksums, compression and encryption
 * are spread over the processors. A pipe between a leg and the process that started it carries that connection's pieces
 * of the plain content. The starter moves bytes between pipes, inside the kernel unless the guard must see them:
 *
 *            ┌─ pipe ─► frames ─► TLS ─► connection 0 ··· TLS ─► frames off ─ pipe ─┐
 *   stream ──┤                                                                     ├─► guard ─► stream
 *            └─ pipe ─► frames ─► TLS ─► connection 1 ··· TLS ─► frames off ─ pipe ─┘
 *
 * There are no threads. The processes share only counters and the reason of a failure.
 */
#pragma once

#include "pump/pass.h"

/* The work of a leg, in its own process: @leg has its input and output, and no stages yet. Descriptors that it does not
 * need are still open. */
typedef gboolean (*XfLegWork) (XfPass *leg, guint index, guint count, gpointer data, GError **error);

/* Starts a process for each of @turns' channels, which are connections, and replaces the channels by pipes. @output:
 * the content goes to the connections. @rate: for all together. Must be called before the sandbox. From now on the loop
 * of
 * @turns reports for them and sets their pace; the legs must outlive it. */
XfLegs *xf_legs_start (XfTurns *turns, gboolean output, guint64 rate, XfLegWork work, gpointer data, GError **error);
void xf_legs_free (XfLegs *legs);

/* The starter's additional descriptors. Returns their number: at most one for each connection. */
guint xf_legs_descriptors (const XfLegs *legs, int *fds_out);

/* Ends the stream: closes outputs, requires that inputs are empty, and waits until every leg has succeeded. FALSE with
 * the reason of the first that has failed. */
gboolean xf_legs_finish (XfLegs *legs, GError **error);

/* Call when bytes could not be moved to the current leg. If that leg has ended, its reason replaces @error's. Returns
 * FALSE. */
gboolean xf_legs_failed (XfLegs *legs, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfLegs, xf_legs_free)
