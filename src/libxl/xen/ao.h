/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One asynchronous operation of libxl. libxl may call back before the initiating call has returned; ours never does:
 * completion always comes from the loop, once.
 *
 *   ao = xf_ao_new (ctx, done, data);
 *   xf_ao_started (ao, libxl_domain_pause (xf_ctx_libxl (ctx), domid, xf_ao_how (ao)));
 *
 * Memory that libxl was given must live until done. The object frees itself after done.
 */
#pragma once

#include "libxl/xen/ctx.h"

typedef struct XfAo XfAo;
typedef void (*XfAoDone) (int rc, gpointer data);

XfAo *xf_ao_new (XfCtx *ctx, XfAoDone done, gpointer data);
const libxl_asyncop_how *xf_ao_how (XfAo *ao);

/* What the initiating call returned: when it failed libxl will not call back, and done comes with that code. */
void xf_ao_started (XfAo *ao, int rc);

/* Asks libxl to stop it; done still comes, with ERROR_ABORTED if it worked. */
void xf_ao_abort (XfAo *ao);

/* The same for a save or restore whose helper may not run yet: libxl 4.17 calls through a null pointer when that is
 * aborted (docs/libxl-failures.md). It is aborted when it is known that the helper runs, else after @seconds; without
 * its data connection it ends by itself. */
void xf_ao_abort_late (XfAo *ao, guint seconds);

/* The helper of @ao has reported progress. May be called from within libxl. */
void xf_ao_helper_runs (XfAo *ao);

/* @error from libxl's code, with what libxl said last: "TEXT: what libxl said (libxl error -3)". Always FALSE. */
gboolean xf_rc_to_error (int rc, GError **error, XfCtx *ctx, const char *text);
