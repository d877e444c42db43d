/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Measures the processor time of each turn of the loop, from one poll to the next. A turn above XF_TURN_SLOW_MS writes
 * a warning to the log, at most one per second. It is processor time, not wall-clock time, because on a busy host a
 * short turn may take long without a fault of this program.
 */
#pragma once

#include <glib.h>

#define XF_TURN_SLOW_MS 100

/* Measures the turns of @context, NULL for the default one, in the thread that runs it. Call it once per process. */
void xf_turn_watch (GMainContext *context);

/* Names what this turn does, for the warning; the last call counts. @what is a static string. */
void xf_turn_note (const char *what);

/* The longest turn so far, in microseconds. */
gint64 xf_turn_longest_us (void);
