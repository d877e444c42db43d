/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One asynchronous operation of libxl. libxl may call back before the initiating call has returned. This object never
 * does: it calls @done once, from the loop.
 *
 *   ao = xf_ao_new (ctx, done, data);
 *   xf_ao_started (ao, libxl_domain_pause (xf_ctx_libxl (ctx), domid, xf_ao_how (ao)));
 *
 * Memory passed to libxl must stay valid until done. The object frees itself after done.
 */
#pragma once

#include "libxl/xen/ctx.h"

typedef struct XfAo XfAo;
typedef void (*XfAoDone) (int rc, gpointer data);

XfAo *xf_ao_new (XfCtx *ctx, XfAoDone done, gpointer data);
const libxl_asyncop_how *xf_ao_how (XfAo *ao);

/* @rc: the return value of the initiating call. If the call failed, libxl does not call back, and done gets that
 * code. */
void xf_ao_started (XfAo *ao, int rc);

/* Asks libxl to stop the operation. done is still called, with ERROR_ABORTED if the abort succeeded. */
void xf_ao_abort (XfAo *ao);

/* The same for a save or restore whose helper may not run yet: libxl 4.17 calls through a null pointer when such an
 * operation is aborted (docs/libxl-failures.md). The operation is aborted when the helper is known to run, else after
 * @seconds. Without its data connection it ends by itself. */
void xf_ao_abort_late (XfAo *ao, guint seconds);

/* The helper of @ao has reported progress. May be called from within libxl. */
void xf_ao_helper_runs (XfAo *ao);

/* Sets @error from libxl's code and the first errors that libxl logged: "TEXT: libxl's message (libxl error -3)".
 * Always FALSE. */
gboolean xf_rc_to_error (int rc, GError **error, XfCtx *ctx, const char *text);
