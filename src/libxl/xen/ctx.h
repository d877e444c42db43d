/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A libxl context on the GLib main context: its file descriptors and timeouts are sources of the loop, its log lines
 * go to our log, its progress reports to whoever asked.
 *
 * libxl's progress reports do not say which domain they are about. So every migration has a context of its own; the
 * driver has one for everything else. Children: each context is told that libxl owns SIGCHLD and reaps only its own
 * (libxl_sigchld_owner_libxl_always_selective_reap), which several contexts may share; nothing else in the daemon
 * waits for children.
 */
#pragma once

#include <glib.h>
#include <libxl.h>

typedef struct XfCtx XfCtx;

/* @done of @total pages (or bytes) of what @what names. */
typedef void (*XfCtxProgress) (const char *what, int percent, unsigned long done, unsigned long total, gpointer data);

/* @name: for the log. Fails where there is no Xen. */
XfCtx *xf_ctx_new (const char *name, GError **error);
void xf_ctx_free (XfCtx *ctx);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfCtx, xf_ctx_free)

libxl_ctx *xf_ctx_libxl (XfCtx *ctx);
void xf_ctx_set_progress (XfCtx *ctx, XfCtxProgress func, gpointer data);

/* Every line libxl logs goes to @func too, from within libxl: it must not call libxl again. */
void xf_ctx_set_listener (XfCtx *ctx, void (*func) (const char *text, gpointer data), gpointer data);

/* The first two errors that libxl logged in this context since the last xf_ctx_forget_cause(), or NULL. libxl's return
 * codes say little, and what it logs after the first errors are consequences. */
const char *xf_ctx_cause (const XfCtx *ctx);
void xf_ctx_forget_cause (XfCtx *ctx);

/* Events (domain death and shutdown) come to @func, from the loop; it owns @event. */
void xf_ctx_set_events (XfCtx *ctx, void (*func) (libxl_event *event, gpointer data), gpointer data);
