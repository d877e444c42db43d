/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/act/dump.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <xentoollog.h>

#include "base/error.h"

#define INCOMPLETE ".incomplete"
/* The file's name consists of the guest's name, which may be longer, the time, and the suffix above. */
#define NAME_BYTES "200"

/* libxl's logger interface: the vtable must be the first member. */
typedef struct {
  xentoollog_logger vtable;
  char *cause; /* the first error */
} Logger;

struct XfDump {
  XfDriver *driver; /* NULL: the driver has ended */
  guint32 domid;
  char *name, *path, *incomplete;
  Logger logger;
  GError *error;
  XfDone done;
  gpointer data;
};

static void
dump_free (XfDump *dump)
{
  g_clear_error (&dump->error);
  g_free (dump->logger.cause);
  g_free (dump->name);
  g_free (dump->path);
  g_free (dump->incomplete);
  g_free (dump);
}

static gboolean
ended (gpointer data)
{
  XfDump *dump = data;

  if (dump->driver) {
    g_ptr_array_remove_fast (dump->driver->dumps, dump);
    if (!dump->error)
      g_message ("domain '%s': its memory is in '%s'", dump->name, dump->path);
    dump->done (dump->error, dump->data);
  }
  dump_free (dump);
  return G_SOURCE_REMOVE;
}

/* ---- in the thread ---------------------------------------------------------------------------------------- */

static void G_GNUC_PRINTF (5, 0) log_message (xentoollog_logger *vtable, xentoollog_level level, int errnum,
                                              const char *context, const char *format, va_list args)
{
  Logger *logger = (Logger *)vtable;
  g_autofree char *text = NULL;

  if (level < XTL_ERROR || logger->cause)
    return;
  text = g_strchomp (g_strdup_vprintf (format, args));
  logger->cause = g_strconcat (text, errnum > 0 ? ": " : "", errnum > 0 ? g_strerror (errnum) : NULL, NULL);
}

static void
log_progress (xentoollog_logger *vtable, const char *context, const char *what, int percent, unsigned long done,
              unsigned long total)
{
}

static void
log_destroy (xentoollog_logger *vtable)
{
}

static void
set_error (XfDump *dump, const char *why)
{
  g_set_error (&dump->error, XF_ERROR, XF_ERROR_OPERATION_FAILED,
               "the memory of domain '%s' could not be written to '%s': %s", dump->name, dump->path, why);
}

static gpointer
write_it (gpointer data)
{
  XfDump *dump = data;
  libxl_ctx *libxl = NULL;
  int rc;

  dump->logger.vtable = (xentoollog_logger){ log_message, log_progress, log_destroy };
  rc = libxl_ctx_alloc (&libxl, LIBXL_VERSION, 0, &dump->logger.vtable);
  if (rc == 0)
    rc = libxl_domain_core_dump (libxl, dump->domid, dump->incomplete, NULL);
  if (rc != 0)
    set_error (dump, dump->logger.cause ? dump->logger.cause : "libxl gave no reason");
  else if (g_rename (dump->incomplete, dump->path) < 0)
    set_error (dump, g_strerror (errno));
  if (dump->error)
    g_unlink (dump->incomplete);
  libxl_ctx_free (libxl);
  g_idle_add_full (G_PRIORITY_DEFAULT, ended, dump, NULL);
  return NULL;
}

/* ---- in the loop ------------------------------------------------------------------------------------------ */

static gboolean
prepare (XfDump *dump)
{
  g_autofree char *dir = g_build_filename (dump->driver->config.lib_dir, "dump", NULL), *base = NULL, *time = NULL;
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();

  time = g_date_time_format (now, "%Y-%m-%dT%H:%M:%SZ");
  base = g_strdup_printf ("%." NAME_BYTES "s-%s", dump->name, time);
  dump->path = g_build_filename (dir, base, NULL);
  dump->incomplete = g_strconcat (dump->path, INCOMPLETE, NULL);
  if (g_mkdir_with_parents (dir, 0700) == 0)
    return TRUE;
  set_error (dump, g_strerror (errno));
  return FALSE;
}

void
xf_dump_start (XfDriver *driver, guint32 domid, const char *name, XfDone done, gpointer data)
{
  XfDump *dump = g_new0 (XfDump, 1);
  g_autoptr (GError) error = NULL;
  GThread *thread = NULL;

  *dump = (XfDump){ .driver = driver, .domid = domid, .done = done, .data = data };
  dump->name = g_strdup (name);
  g_ptr_array_add (driver->dumps, dump);
  if (prepare (dump)) {
    thread = g_thread_try_new ("dump", write_it, dump, &error);
    if (!thread)
      set_error (dump, error->message);
  }
  if (thread)
    g_thread_unref (thread);
  else
    g_idle_add_full (G_PRIORITY_DEFAULT, ended, dump, NULL);
}

void
xf_dumps_forget (XfDriver *driver)
{
  for (guint i = 0; i < driver->dumps->len; i++) {
    XfDump *dump = driver->dumps->pdata[i];
    g_autoptr (GError) error = g_error_new (XF_ERROR, XF_ERROR_ABORTED,
                                            "the daemon ends while the memory of domain '%s' is written to '%s'",
                                            dump->name, dump->path);

    dump->driver = NULL;
    dump->done (error, dump->data);
  }
  g_clear_pointer (&driver->dumps, g_ptr_array_unref);
}
