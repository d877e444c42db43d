/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The inside of the interposed libxl: contexts, operations, events. libvirtd calls libxl from several threads, so
 * what is shared here is behind one lock; callbacks are made without it.
 */
#pragma once

#include "sim/host.h"

/* What stands behind one libxl_ctx. */
typedef struct {
  libxl_ctx *ctx;
  xentoollog_logger *log;
  const libxl_osevent_hooks *os;
  void *os_user;
  const libxl_event_hooks *event;
  void *event_user;
  GPtrArray *watches; /* of SimWatch */
  struct SimSource *inotify;
  int inotify_fd;
} SimCtx;

/* A descriptor that the application's loop watches for us. */
typedef struct SimSource {
  int fd;
  void *for_app;
  void (*ready) (SimCtx *sim, gpointer data);
  gpointer data;
} SimSource;

/* ---- sym_ctx.c -------------------------------------------------------------------------------------------- */

void sim_lock (void);
void sim_unlock (void);
SimCtx *sim_ctx (libxl_ctx *ctx);
const char *sim_dir (void);

void sim_error (libxl_ctx *ctx, const char *format, ...) G_GNUC_PRINTF (2, 3);

SimSource *sim_source_add (SimCtx *sim, int fd, void (*ready) (SimCtx *sim, gpointer data), gpointer data);
void sim_source_remove (SimCtx *sim, SimSource *source);

/* Gives @event to the application. */
void sim_event (SimCtx *sim, libxl_event *event);

/* ---- sym_ao.c --------------------------------------------------------------------------------------------- */

/* Ends an operation that was instant: returns what the libxl function returns. */
int sim_done (libxl_ctx *ctx, const libxl_asyncop_how *how, int rc);

/* Runs the helper on @fd. @finish is called with its code when it has ended, and returns the operation's. Returns what
 * the libxl function returns: with @how at once, without it at the end. */
int sim_run_helper (libxl_ctx *ctx, const libxl_asyncop_how *how, const char *mode, guint32 domid, int fd,
                    gboolean live, int (*finish) (libxl_ctx *ctx, guint32 domid, int rc, gpointer data), gpointer data);

/* ---- sym_event.c ------------------------------------------------------------------------------------------ */

void sim_watches_free (SimCtx *sim);
