/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Points where tests look in. The functions are weak: a daemon has none of them, and the calls are two instructions;
 * one with the simulated host linked in has the simulator's (sim/fault.c), which may stop it, kill it or let the step
 * fail just there. What is behind them must never decide anything in production.
 */
#pragma once

/* The machine @id has moved. Called by xf_sm_move() when that is done and logged. */
extern void xf_sm_watcher (const char *id, const char *from, const char *to) __attribute__ ((weak));

/* Of any thread. */
extern int xf_watcher_point (const char *point) __attribute__ ((weak));

/* The id of the present boot of a host that boots without its machine; NULL: the machine's. The caller's. */
extern char *xf_watcher_boot_id (void) __attribute__ ((weak));

/* Before a step that the system may refuse, or after one that must be on disk: "journal:sent:written". Returns 0, or
 * the errno with which the step is to fail. Of any thread. */
static inline int
xf_watch_point (const char *point)
{
  return xf_watcher_point ? xf_watcher_point (point) : 0;
}
