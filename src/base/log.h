/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Logging: g_debug/g_info/g_message/g_warning with G_LOG_DOMAIN set by each library ("xf-rpc", "xf-libxl", ...).
 * This file only decides where the lines go and which of them: stderr, one line each, time stamp first.
 * Levels: debug = state moves and frames, info = one line a phase, message = start and stop, warning = a person
 * should look.
 */
#pragma once

#include <glib.h>

/* Installs the writer. @level: the most detailed level written, "error", "warning", "message", "info" or
 * "debug"; NULL means "message". FALSE and @error for another word. */
gboolean xf_log_init (const char *level, GError **error);

/* Another level from now on, of the same words; for a daemon that runs. */
gboolean xf_log_set_level (const char *level, GError **error);

/* @text as it may stand in a line of the log: control characters, line ends and bytes that are no UTF-8 as \xNN, a
 * backslash as it is. The writer does it with every line: names and texts come from peers. */
char *xf_log_escape (const char *text);

/* Bounds what a stranger can have logged. Zeroed at first; one for each place and owner. */
typedef struct {
  gint64 began_us; /* of this second */
  guint written, dropped;
} XfLogRate;

/* TRUE when fewer than @per_second lines were written in this second; then @dropped_out is how many were not written
 * since the last one. */
gboolean xf_log_rate_allows (XfLogRate *rate, guint per_second, guint *dropped_out);
