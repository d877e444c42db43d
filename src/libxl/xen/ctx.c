/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/xen/ctx.h"

#include <glib-unix.h>
#include <poll.h>
#include <string.h>
#include <xentoollog.h>

#include "base/error.h"

#define CAUSES_MAX 2

/* libxl's logger interface: the vtable must be the first member. */
typedef struct {
  xentoollog_logger vtable;
  XfCtx *ctx;
} Logger;

struct XfCtx {
  libxl_ctx *libxl;
  Logger logger;
  char *name;
  char *cause; /* the errors that libxl logged first */
  guint causes;
  XfCtxProgress progress;
  gpointer progress_data;
  void (*listener) (const char *text, gpointer data);
  gpointer listener_data;
  void (*event) (libxl_event *event, gpointer data);
  gpointer event_data;
  GHashTable *timeouts; /* of Timeout: those that have not fired */
};

/* ---- log and progress ------------------------------------------------------------------------------------- */

/* libxl begins its lines with "libxl_file.c:123:function: ", which is of no use to an administrator. */
static const char *
without_place (const char *text)
{
  const char *colon = strstr (text, ".c:");
  const char *end = colon ? strstr (colon, ": ") : NULL;
  const char *space = strchr (text, ' ');

  return end && space > end ? end + 2 : text;
}

/* The first error is the cause. The second often names the failed part. The rest are consequences. */
static void
add_cause (XfCtx *ctx, const char *text)
{
  char *cause;

  if (ctx->causes == CAUSES_MAX)
    return;
  cause = ctx->causes ? g_strdup_printf ("%s; %s", ctx->cause, text) : g_strdup (text);
  g_free (ctx->cause);
  ctx->cause = cause;
  ctx->causes++;
}

static void G_GNUC_PRINTF (5, 0) log_message (xentoollog_logger *vtable, xentoollog_level level, int errnum,
                                              const char *context, const char *format, va_list args)
{
  XfCtx *ctx = ((Logger *)vtable)->ctx;
  g_autofree char *text = g_strdup_vprintf (format, args);
  g_autofree char *line = g_strdup_printf ("%s: %s%s%s", ctx->name, g_strchomp (text), errnum > 0 ? ": " : "",
                                           errnum > 0 ? g_strerror (errnum) : "");

  if (ctx->listener)
    ctx->listener (text, ctx->listener_data);
  if (level < XTL_ERROR) {
    g_debug ("%s", line);
    return;
  }
  g_info ("%s", line);
  add_cause (ctx, without_place (text));
}

static void
log_progress (xentoollog_logger *vtable, const char *context, const char *what, int percent, unsigned long done,
              unsigned long total)
{
  XfCtx *ctx = ((Logger *)vtable)->ctx;

  g_debug ("%s: %s: %lu of %lu", ctx->name, what, done, total);
  if (ctx->progress)
    ctx->progress (what, percent, done, total, ctx->progress_data);
}

static void
log_destroy (xentoollog_logger *vtable)
{
}

/* ---- libxl's descriptors and timeouts on the loop -------------------------------------------------------------
 *
 * libxl calls the hooks from inside any of its functions: they only register and deregister. The dispatch of the
 * source reports an event to libxl; a hook never does. */

typedef struct {
  XfCtx *ctx;
  void *for_libxl;
  int fd;
  guint source;
} Watch;

static gboolean
fd_ready (int fd, GIOCondition condition, gpointer data)
{
  Watch *watch = data;
  /* libxl uses poll's bits. GLib's have the same values on Linux. */
  short revents = condition & (POLLIN | POLLPRI | POLLOUT | POLLERR | POLLHUP);

  libxl_osevent_occurred_fd (watch->ctx->libxl, watch->for_libxl, fd, 0, revents);
  return G_SOURCE_CONTINUE; /* libxl may have deregistered it; the source is removed already then */
}

static void
watch_events (Watch *watch, short events)
{
  g_clear_handle_id (&watch->source, g_source_remove);
  if (events)
    watch->source = g_unix_fd_add (watch->fd, (GIOCondition)events, fd_ready, watch);
}

static int
fd_register (void *user, int fd, void **for_app_out, short events, void *for_libxl)
{
  Watch *watch = g_new0 (Watch, 1);

  watch->ctx = user;
  watch->for_libxl = for_libxl;
  watch->fd = fd;
  watch_events (watch, events);
  *for_app_out = watch;
  return 0;
}

static int
fd_modify (void *user, int fd, void **for_app_update, short events)
{
  watch_events (*for_app_update, events);
  return 0;
}

static void
fd_deregister (void *user, int fd, void *for_app)
{
  watch_events (for_app, 0);
  g_free (for_app);
}

typedef struct {
  XfCtx *ctx;
  void *for_libxl;
  guint source;
} Timeout;

static gboolean
timeout_fired (gpointer data)
{
  Timeout *timeout = data;
  XfCtx *ctx = timeout->ctx;
  void *for_libxl = timeout->for_libxl;

  /* libxl must not deregister a timeout that has fired. */
  g_hash_table_remove (ctx->timeouts, timeout);
  g_free (timeout);
  libxl_osevent_occurred_timeout (ctx->libxl, for_libxl);
  return G_SOURCE_REMOVE;
}

static guint
ms_until (struct timeval absolute)
{
  gint64 us = (gint64)absolute.tv_sec * G_USEC_PER_SEC + absolute.tv_usec - g_get_real_time ();

  return us <= 0 ? 0 : MIN ((us + 999) / 1000, G_MAXINT);
}

static int
timeout_register (void *user, void **for_app_out, struct timeval absolute, void *for_libxl)
{
  Timeout *timeout = g_new0 (Timeout, 1);

  timeout->ctx = user;
  timeout->for_libxl = for_libxl;
  timeout->source = g_timeout_add (ms_until (absolute), timeout_fired, timeout);
  g_hash_table_add (timeout->ctx->timeouts, timeout);
  *for_app_out = timeout;
  return 0;
}

/* libxl changes a timeout only to "now". */
static int
timeout_modify (void *user, void **for_app_update, struct timeval absolute)
{
  Timeout *timeout = *for_app_update;

  g_source_remove (timeout->source);
  timeout->source = g_timeout_add (0, timeout_fired, timeout);
  return 0;
}

static void
timeout_deregister (void *user, void *for_app)
{
  /* libxl's contract says that it never calls this. The table needs an entry. */
}

static const libxl_osevent_hooks osevent_hooks = {
  .fd_register = fd_register,
  .fd_modify = fd_modify,
  .fd_deregister = fd_deregister,
  .timeout_register = timeout_register,
  .timeout_modify = timeout_modify,
  .timeout_deregister = timeout_deregister,
};

static const libxl_childproc_hooks childproc_hooks = {
  .chldowner = libxl_sigchld_owner_libxl_always_selective_reap,
};

/* ---- events ----------------------------------------------------------------------------------------------- */

static void
event_occurs (void *user, libxl_event *event)
{
  XfCtx *ctx = user;

  if (ctx->event)
    ctx->event (event, ctx->event_data);
  else
    libxl_event_free (ctx->libxl, event);
}

static void
event_disaster (void *user, libxl_event_type type, const char *message, int errnum)
{
  XfCtx *ctx = user;

  g_warning ("%s: libxl lost an event of type %d: %s: %s", ctx->name, type, message, g_strerror (errnum));
}

static const libxl_event_hooks event_hooks = {
  .event_occurs_mask = LIBXL_EVENTMASK_ALL,
  .event_occurs = event_occurs,
  .disaster = event_disaster,
};

/* ---- life ------------------------------------------------------------------------------------------------- */

XfCtx *
xf_ctx_new (const char *name, GError **error)
{
  g_autoptr (XfCtx) ctx = g_new0 (XfCtx, 1);

  ctx->name = g_strdup (name);
  ctx->timeouts = g_hash_table_new (NULL, NULL);
  ctx->logger.vtable.vmessage = log_message;
  ctx->logger.vtable.progress = log_progress;
  ctx->logger.vtable.destroy = log_destroy;
  ctx->logger.ctx = ctx;
  if (libxl_ctx_alloc (&ctx->libxl, LIBXL_VERSION, 0, &ctx->logger.vtable) != 0) {
    g_set_error (error, XF_ERROR, XF_ERROR_NO_CONNECT,
                 "cannot reach Xen (%s): is this host's dom0 running, and xenstored?",
                 ctx->cause ? ctx->cause : "libxl gave no reason");
    ctx->libxl = NULL;
    return NULL;
  }
  libxl_osevent_register_hooks (ctx->libxl, &osevent_hooks, ctx);
  libxl_childproc_setmode (ctx->libxl, &childproc_hooks, ctx);
  libxl_event_register_callbacks (ctx->libxl, &event_hooks, ctx);
  return g_steal_pointer (&ctx);
}

/* libxl drops a timeout by moving it to "now", and frees its own side with the context. A timeout that has not fired
 * by then must not fire afterwards. */
static void
drop_timeouts (XfCtx *ctx)
{
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, ctx->timeouts);
  while (g_hash_table_iter_next (&iter, &key, NULL)) {
    g_source_remove (((Timeout *)key)->source);
    g_free (key);
  }
  g_hash_table_unref (ctx->timeouts);
}

void
xf_ctx_free (XfCtx *ctx)
{
  if (!ctx)
    return;
  if (ctx->libxl)
    libxl_ctx_free (ctx->libxl);
  drop_timeouts (ctx);
  g_free (ctx->cause);
  g_free (ctx->name);
  g_free (ctx);
}

libxl_ctx *
xf_ctx_libxl (XfCtx *ctx)
{
  return ctx->libxl;
}

void
xf_ctx_set_listener (XfCtx *ctx, void (*func) (const char *text, gpointer data), gpointer data)
{
  ctx->listener = func;
  ctx->listener_data = data;
}

void
xf_ctx_set_progress (XfCtx *ctx, XfCtxProgress func, gpointer data)
{
  ctx->progress = func;
  ctx->progress_data = data;
}

const char *
xf_ctx_cause (const XfCtx *ctx)
{
  return ctx->cause;
}

void
xf_ctx_forget_cause (XfCtx *ctx)
{
  g_clear_pointer (&ctx->cause, g_free);
  ctx->causes = 0;
}

void
xf_ctx_set_events (XfCtx *ctx, void (*func) (libxl_event *event, gpointer data), gpointer data)
{
  ctx->event = func;
  ctx->event_data = data;
}
