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
