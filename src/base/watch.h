/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Points where tests intervene. The functions are weak. A normal daemon has none of them, and a call costs two
 * instructions. A daemon with the simulated host has the simulator's (sim/fault.c), which may stop or kill the daemon
 * there, or make the step fail. In production these functions must never decide anything.
 */
#pragma once

/* The state machine @id has moved. xf_sm_move() calls it after the move is done and logged. */
extern void xf_sm_watcher (const char *id, const char *from, const char *to) __attribute__ ((weak));

/* Called from any thread. */
extern int xf_watcher_point (const char *point) __attribute__ ((weak));

/* The id of the current boot of a simulated host; NULL: use the machine's. The caller owns it. */
extern char *xf_watcher_boot_id (void) __attribute__ ((weak));

/* Marks a point before a step that the system may refuse, or after a step that must be on disk:
 * "journal:sent:written". Returns 0, or the errno with which the step must fail. Called from any thread. */
static inline int
xf_watch_point (const char *point)
{
  return xf_watcher_point ? xf_watcher_point (point) : 0;
}
