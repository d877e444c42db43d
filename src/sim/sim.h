/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The internals of the interposed libxl: contexts, operations, events. libvirtd calls libxl from several threads, so
 * one lock protects the shared state here; callbacks are called without it.
 */
#pragma once

#include "sim/strike.h"

/* The simulator's side of one libxl_ctx. */
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

void sim_error (libxl_ctx *ctx, const char *format, ...) G_GNUC_PRINTF (2, 3);

SimSource *sim_source_add (SimCtx *sim, int fd, void (*ready) (SimCtx *sim, gpointer data), gpointer data);
void sim_source_remove (SimCtx *sim, SimSource *source);

/* Gives @event to the application. */
void sim_event (SimCtx *sim, libxl_event *event);

/* ---- fault.c ---------------------------------------------------------------------------------------------- */

/* Counts a call by the application. Returns 0, or the call's number if it must fail; the failure is then in the log
 * and the trace. Each function of libxl that can fail begins with it, and calls no other function that does. */
guint32 sim_fails (libxl_ctx *ctx, const char *call);

/* The same while there is no context yet. */
gboolean sim_fails_at_start (xentoollog_logger *log, const char *call);

/* The result of the libxl function whose call number @number must fail with @rc: an odd one fails at once, an even one
 * (with @how) through its callback. */
int sim_failed (libxl_ctx *ctx, const libxl_asyncop_how *how, guint32 number, int rc);

/* ---- sym_ao.c --------------------------------------------------------------------------------------------- */

/* Ends an operation that was instant. Returns the result of the libxl function. */
int sim_done (libxl_ctx *ctx, const libxl_asyncop_how *how, int rc);

/* The same, from the application's loop, after the libxl function has returned 0. */
int sim_done_later (libxl_ctx *ctx, const libxl_asyncop_how *how, int rc);

/* Runs the helper on @fd. When the helper has ended, @finish is called with its code and returns the operation's.
 * Returns the result of the libxl function: with @how at once, without it at the end. */
int sim_run_helper (libxl_ctx *ctx, const libxl_asyncop_how *how, const char *mode, guint32 domid, int fd,
                    gboolean live, int (*finish) (libxl_ctx *ctx, guint32 domid, int rc, gpointer data), gpointer data);

/* ---- without counting: for use by other functions of the simulator ---------------------------------------- */

int sim_domain_info (libxl_dominfo *info, guint32 domid);
int sim_configuration (libxl_ctx *ctx, guint32 domid, libxl_domain_config *config);

/* ---- sym_tune.c ------------------------------------------------------------------------------------------- */

/* Changes @config and returns libxl's code. */
typedef int (*SimChange) (libxl_ctx *ctx, libxl_domain_config *config, const void *data);

/* The function of libxl called @call: @change with the domain's configuration, which is then stored. */
int sim_change_device (libxl_ctx *ctx, uint32_t domid, const libxl_asyncop_how *how, const char *call, SimChange change,
                       const void *data);

/* ---- sym_devices.c, without counting ---------------------------------------------------------------------- */

/* @name NULL: the first pool, which always exists. */
gboolean sim_has_pool (const char *name);
gboolean sim_has_pci (const libxl_device_pci *pci);

/* ---- sym_event.c ------------------------------------------------------------------------------------------ */

void sim_watches_free (SimCtx *sim);
