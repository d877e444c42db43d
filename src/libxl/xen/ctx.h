/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A libxl context on the GLib main context. libxl's file descriptors and timeouts are sources of the loop. Its log
 * lines go to the daemon's log, its progress reports to the function set here.
 *
 * libxl's progress reports do not name their domain. So every migration has a context of its own; the driver has one
 * for everything else. Children: each context is set up so that libxl owns SIGCHLD and reaps only the context's own
 * children (libxl_sigchld_owner_libxl_always_selective_reap). Several contexts may share this mode. Nothing else in
 * the daemon waits for children.
 */
#pragma once

#include <glib.h>
#include <libxl.h>

typedef struct XfCtx XfCtx;

/* @done of @total pages (or bytes); @what names the unit of work. */
typedef void (*XfCtxProgress) (const char *what, int percent, unsigned long done, unsigned long total, gpointer data);

/* @name: for the log. Fails on a host without Xen. */
XfCtx *xf_ctx_new (const char *name, GError **error);
void xf_ctx_free (XfCtx *ctx);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfCtx, xf_ctx_free)

libxl_ctx *xf_ctx_libxl (XfCtx *ctx);
void xf_ctx_set_progress (XfCtx *ctx, XfCtxProgress func, gpointer data);

/* @func also gets every line that libxl logs. It is called from within libxl and must not call libxl. */
void xf_ctx_set_listener (XfCtx *ctx, void (*func) (const char *text, gpointer data), gpointer data);

/* The first two errors that libxl logged in this context since the last xf_ctx_forget_cause(), or NULL. libxl's
 * return codes say little, and the later errors are consequences of the first. */
const char *xf_ctx_cause (const XfCtx *ctx);
void xf_ctx_forget_cause (XfCtx *ctx);

/* @func gets the events (domain death and shutdown) from the loop. It owns @event. */
void xf_ctx_set_events (XfCtx *ctx, void (*func) (libxl_event *event, gpointer data), gpointer data);
