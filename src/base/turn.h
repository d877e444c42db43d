/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How long the loop lets others wait: the processor time of each of its turns, from one poll to the next. A turn above
 * XF_TURN_SLOW_MS is a warning in the log, at most one a second. Processor time, not the clock's: on a busy host a
 * short turn may take long without a fault of ours.
 */
#pragma once

#include <glib.h>

#define XF_TURN_SLOW_MS 100

/* Measures the turns of @context, NULL for the default one, in the thread that runs it. Once a process. */
void xf_turn_watch (GMainContext *context);

/* What this turn does, for the warning: the last of them is named. A static string. */
void xf_turn_note (const char *what);

/* The longest turn until now, in microseconds. */
gint64 xf_turn_longest_us (void);
