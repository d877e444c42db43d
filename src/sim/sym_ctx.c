/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Contexts: a real libxl context on a hypervisor interface and a xenstore that do not exist, with the hooks that the
 * application has registered.
 */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenstore.h>
#include <xentoollog.h>

#include "sim/sim.h"

static GRecMutex lock;
static GHashTable *contexts; /* libxl_ctx → SimCtx */
static char nothing;         /* its address is the value of handles that are never read */

void
sim_lock (void)
{
  g_rec_mutex_lock (&lock);
}

void
sim_unlock (void)
{
  g_rec_mutex_unlock (&lock);
}

SimCtx *
sim_ctx (libxl_ctx *ctx)
{
  SimCtx *sim;

  sim_lock ();
  sim = contexts ? g_hash_table_lookup (contexts, ctx) : NULL;
  sim_unlock ();
  return sim;
}

void
sim_error (libxl_ctx *ctx, const char *format, ...)
{
  SimCtx *sim = sim_ctx (ctx);
  va_list args;

  va_start (args, format);
  xtl_logv (sim->log, XTL_ERROR, -1, "libxl", format, args);
  va_end (args);
}

/* ---- the handles that libxl_ctx_alloc opens --------------------------------------------------------------- */

xc_interface *
xc_interface_open (xentoollog_logger *logger, xentoollog_logger *dombuild_logger, unsigned flags)
{
  return (xc_interface *)&nothing;
}

int
xc_interface_close (xc_interface *xch)
{
  return 0;
}

struct xs_handle *
xs_open (unsigned long flags)
{
  return (struct xs_handle *)&nothing;
}

void
xs_close (struct xs_handle *xs)
{
}

/* An empty xenstore: functions of the real library that still read it find nothing, and do not use the invalid
 * handle. */
void *
xs_read (struct xs_handle *xs, xs_transaction_t transaction, const char *path, unsigned int *length)
{
  errno = ENOENT;
  return NULL;
}

char **
xs_directory (struct xs_handle *xs, xs_transaction_t transaction, const char *path, unsigned int *n)
{
  errno = ENOENT;
  return NULL;
}

xs_transaction_t
xs_transaction_start (struct xs_handle *xs)
{
  errno = ENOSYS;
  return XBT_NULL;
}

/* ---- life ------------------------------------------------------------------------------------------------- */

int
libxl_ctx_alloc (libxl_ctx **out, int version, unsigned flags, xentoollog_logger *log)
{
  int (*real) (libxl_ctx **, int, unsigned, xentoollog_logger *) = dlsym (RTLD_NEXT, "libxl_ctx_alloc");
  SimCtx *sim;
  int rc;

  (void)sim_dir ();
  if (sim_fails_at_start (log, __func__))
    return ERROR_FAIL;
  rc = real (out, version, flags, log);
  if (rc != 0)
    return rc;
  sim = g_new0 (SimCtx, 1);
  sim->ctx = *out;
  sim->log = log;
  sim->watches = g_ptr_array_new ();
  sim->inotify_fd = -1;
  sim_lock ();
  if (!contexts)
    contexts = g_hash_table_new (NULL, NULL);
  g_hash_table_insert (contexts, *out, sim);
  sim_unlock ();
  return 0;
}

int
libxl_ctx_free (libxl_ctx *ctx)
{
  int (*real) (libxl_ctx *) = dlsym (RTLD_NEXT, "libxl_ctx_free");
  SimCtx *sim = sim_ctx (ctx);

  if (!sim) /* libxl frees a context that it could not make */
    return ctx ? real (ctx) : 0;
  sim_watches_free (sim);
  sim_lock ();
  g_hash_table_remove (contexts, ctx);
  sim_unlock ();
  g_ptr_array_unref (sim->watches);
  g_free (sim);
  return real (ctx);
}

/* ---- the application's loop ------------------------------------------------------------------------------- */

void
libxl_osevent_register_hooks (libxl_ctx *ctx, const libxl_osevent_hooks *hooks, void *user)
{
  SimCtx *sim = sim_ctx (ctx);

  sim->os = hooks;
  sim->os_user = user;
}

void
libxl_childproc_setmode (libxl_ctx *ctx, const libxl_childproc_hooks *hooks, void *user)
{
  /* The simulator waits for its own children by their pids. */
}

void
libxl_event_register_callbacks (libxl_ctx *ctx, const libxl_event_hooks *hooks, void *user)
{
  SimCtx *sim = sim_ctx (ctx);

  sim->event = hooks;
  sim->event_user = user;
}

SimSource *
sim_source_add (SimCtx *sim, int fd, void (*ready) (SimCtx *sim, gpointer data), gpointer data)
{
  SimSource *source;

  if (!sim->os)
    return NULL;
  source = g_new0 (SimSource, 1);
  source->fd = fd;
  source->ready = ready;
  source->data = data;
  sim->os->fd_register (sim->os_user, fd, &source->for_app, POLLIN, source);
  return source;
}

void
sim_source_remove (SimCtx *sim, SimSource *source)
{
  if (!source)
    return;
  sim->os->fd_deregister (sim->os_user, source->fd, source->for_app);
  g_free (source);
}

void
libxl_osevent_occurred_fd (libxl_ctx *ctx, void *for_libxl, int fd, short events, short revents)
{
  SimSource *source = for_libxl;

  source->ready (sim_ctx (ctx), source->data);
}

void
libxl_osevent_occurred_timeout (libxl_ctx *ctx, void *for_libxl)
{
  /* The simulator registers no timeouts. */
}

void
sim_event (SimCtx *sim, libxl_event *event)
{
  if (sim->event && sim->event->event_occurs)
    sim->event->event_occurs (sim->event_user, event);
  else
    libxl_event_free (sim->ctx, event);
}
