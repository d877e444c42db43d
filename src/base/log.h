/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Logging: g_debug/g_info/g_message/g_warning with G_LOG_DOMAIN set by each library ("xf-rpc", "xf-libxl", ...).
 * This file only selects the lines and writes them: to standard error, one line each, time stamp first.
 * Levels: debug = state moves and frames, info = one line per phase, message = start and stop, warning = a person
 * should look.
 */
#pragma once

#include <glib.h>

/* Installs the writer. @level: the most detailed level written, "error", "warning", "message", "info" or
 * "debug"; NULL means "message". FALSE and @error for any other text. */
gboolean xf_log_init (const char *level, GError **error);

/* Changes the level of a running daemon; @level as above. */
gboolean xf_log_set_level (const char *level, GError **error);

/* @text made safe for a line of the log: control characters, line ends and bytes that are not UTF-8 become \xNN; a
 * backslash stays. The writer does this with every line, because names and texts may be a peer's. */
char *xf_log_escape (const char *text);

/* Bounds the log lines that unknown peers can cause. Zeroed at first; one for each call site and owner. */
typedef struct {
  gint64 began_us; /* of this second */
  guint written, dropped;
} XfLogRate;

/* TRUE when fewer than @per_second lines were written in this second; then @dropped_out is how many were not written
 * since the last one. */
gboolean xf_log_rate_allows (XfLogRate *rate, guint per_second, guint *dropped_out);
