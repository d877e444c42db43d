/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/transport/pump.h"

#include <errno.h>
#include <glib-unix.h>
#include <stdio.h>
#include <unistd.h>
#include <yajl/yajl_tree.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/secret.h"
#include "conf/uuid.h"

/* A line of the pump's report is shorter than this. */
#define LINE_SIZE 4096

/* At one time: two lines a second are a few hundred bytes. */
#define READS_MAX 16

/* The pump's descriptors from here on: in, out, control, report. */
#define FIRST_FD 3

struct XfPump {
  int control; /* the pump has the other end */
  int report;
  guint report_id;
  GString *line;  /* the incomplete next line */
  gboolean ended; /* the pump has reported success */
  guint64 in, out;
  GError *failure;
  XfDone done;
  gpointer data;
};

/* ---- report ----------------------------------------------------------------------------------------------- */

static guint64
number (yajl_val tree, const char *name)
{
  const char *path[] = { name, NULL };
  yajl_val value = yajl_tree_get (tree, path, yajl_t_number);

  return value && YAJL_IS_INTEGER (value) ? (guint64)MAX (YAJL_GET_INTEGER (value), 0) : 0;
}

static void
read_line (XfPump *pump)
{
  static const char *const error_path[] = { "error", NULL }, *const end_path[] = { "end", NULL };
  yajl_val tree = yajl_tree_parse (pump->line->str, NULL, 0);
  yajl_val error = tree ? yajl_tree_get (tree, (const char **)error_path, yajl_t_string) : NULL;

  if (tree) {
    pump->in = MAX (pump->in, number (tree, "in"));
    pump->out = MAX (pump->out, number (tree, "out"));
  }
  if (error && !pump->failure)
    pump->failure = g_error_new (XF_ERROR, XF_ERROR_INVALID_STREAM, "%s", YAJL_GET_STRING (error));
  if (tree && yajl_tree_get (tree, (const char **)end_path, yajl_t_true))
    pump->ended = TRUE;
  yajl_tree_free (tree);
  g_string_truncate (pump->line, 0);
}

/* FALSE at the end of the report. A compromised pump could write for ever. */
static gboolean
read_report (XfPump *pump)
{
  char buffer[LINE_SIZE];

  for (guint turn = 0; turn < READS_MAX; turn++) {
    ssize_t n = read (pump->report, buffer, sizeof (buffer));

    if (n <= 0)
      return n < 0 && (errno == EAGAIN || errno == EINTR);
    for (ssize_t i = 0; i < n; i++) {
      if (buffer[i] == '\n')
        read_line (pump);
      else if (pump->line->len < LINE_SIZE)
        g_string_append_c (pump->line, buffer[i]);
    }
  }
  if (!pump->failure)
    pump->failure = g_error_new_literal (XF_ERROR, XF_ERROR_INVALID_STREAM,
                                         "xenferry-pump, which handles the data, reports without an end");
  return FALSE;
}

/* The pump reports its reason before it closes its output. */
GError *
xf_pump_reason (XfPump *pump)
{
  gboolean open = pump->report_id && read_report (pump);

  if (pump->failure)
    return g_error_copy (pump->failure);
  if (pump->ended || open)
    return NULL;
  return g_error_new (XF_ERROR, XF_ERROR_INVALID_STREAM,
                      "xenferry-pump, which handles the data, has died (see the kernel's log for the cause)");
}

static gboolean
report_readable (int fd, GIOCondition condition, gpointer data)
{
  XfPump *pump = data;
  g_autoptr (GError) reason = NULL;
  XfDone done;

  if (read_report (pump))
    return G_SOURCE_CONTINUE;
  pump->report_id = 0;
  reason = xf_pump_reason (pump);
  done = pump->done;
  pump->done = NULL;
  if (done)
    done (reason, pump->data);
  return G_SOURCE_REMOVE;
}

/* ---- process ---------------------------------------------------------------------------------------------- */

static void G_GNUC_PRINTF (2, 3) add (GPtrArray *argv, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_ptr_array_add (argv, g_strdup_vprintf (format, args));
  va_end (args);
}

static char *
fd_list (guint first, guint n)
{
  GString *list = g_string_new (NULL);

  for (guint i = 0; i < n; i++)
    g_string_append_printf (list, "%s%u", i ? "," : "", first + i);
  return g_string_free (list, FALSE);
}

static void
add_guard (GPtrArray *argv, const libxl_domain_config *guest)
{
  add (argv, "--guard");
  add (argv, "--type=%s", guest->c_info.type == LIBXL_DOMAIN_TYPE_PV ? "pv" : "hvm");
  add (argv, "--max-memory=%" G_GUINT64_FORMAT, (guint64)guest->b_info.max_memkb);
  add (argv, "--vcpus=%d", guest->b_info.max_vcpus);
}

static void
add_frames (GPtrArray *argv, const XfPumpJob *job)
{
  if (job->pack)
    add (argv, "--pack");
  if (job->unpack)
    add (argv, "--unpack");
  if (job->pack && job->compress)
    add (argv, "--compress=%s", job->compress);
  if (job->pack && job->level)
    add (argv, "--level=%u", job->level);
  if (job->id) {
    g_autofree char *id = xf_hex_format (job->id, XF_UUID_SIZE);

    add (argv, "--id=%s", id);
  }
}

/* The files are libvirt's. */
static void
add_tls (GPtrArray *argv, const XfDriverConfig *settings, const XfPumpJob *job)
{
  const char *dir = settings->pki_dir ? settings->pki_dir : "/etc/pki";

  if (!job->tls)
    return;
  add (argv, "--tls=%s", job->tls);
  add (argv, "--tls-ca=%s/CA/cacert.pem", dir);
  add (argv, "--tls-cert=%s/libvirt/%scert.pem", dir, job->tls);
  add (argv, "--tls-key=%s/libvirt/private/%skey.pem", dir, job->tls);
  if (job->tls_name)
    add (argv, "--tls-name=%s", job->tls_name);
}

static GPtrArray *
arguments (const XfDriverConfig *settings, const XfPumpJob *job)
{
  GPtrArray *argv = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *in = fd_list (FIRST_FD, job->n_in), *out = fd_list (FIRST_FD + job->n_in, job->n_out);

  add (argv, "%s", settings->pump_path);
  add (argv, "--in=%s", in);
  add (argv, "--out=%s", out);
  add (argv, "--control=%u", FIRST_FD + job->n_in + job->n_out);
  add (argv, "--report=%u", FIRST_FD + job->n_in + job->n_out + 1);
  if (job->guest)
    add_guard (argv, job->guest);
  add_frames (argv, job);
  add_tls (argv, settings, job);
  if (job->rate)
    add (argv, "--rate=%" G_GUINT64_FORMAT, job->rate);
  /* Only root can change the user. A daemon that runs as another user has done so already. */
  if (settings->pump_user && geteuid () == 0)
    add (argv, "--user=%s", settings->pump_user);
  g_ptr_array_add (argv, NULL);
  return argv;
}

static gboolean
start (const XfDriverConfig *settings, const XfPumpJob *job, int control, int report, GError **error)
{
  g_autoptr (GPtrArray) argv = arguments (settings, job);
  g_autoptr (GArray) fds = g_array_new (FALSE, FALSE, sizeof (int)), names = g_array_new (FALSE, FALSE, sizeof (int));
  g_autoptr (GError) local = NULL;

  g_array_append_vals (fds, job->in, job->n_in);
  g_array_append_vals (fds, job->out, job->n_out);
  g_array_append_val (fds, control);
  g_array_append_val (fds, report);
  for (guint i = 0; i < fds->len; i++) {
    int name = FIRST_FD + (int)i;

    g_array_append_val (names, name);
  }
  /* The pump does not stay a child of the daemon: no wait is needed, and libxl alone handles SIGCHLD. */
  if (g_spawn_async_with_pipes_and_fds (NULL, (const char *const *)argv->pdata, NULL,
                                        G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, -1, -1, -1,
                                        (const int *)(gpointer)fds->data, (const int *)(gpointer)names->data, fds->len,
                                        NULL, NULL, NULL, NULL, &local))
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_SYSTEM, "cannot start '%s' (see pump_path in the configuration): %s",
               settings->pump_path, local->message);
  return FALSE;
}

XfPump *
xf_pump_new (const XfDriverConfig *settings, const XfPumpJob *job, XfDone ended, gpointer data, GError **error)
{
  g_autoptr (XfPump) pump = g_new0 (XfPump, 1);
  xf_autofd control_read = -1, report_write = -1;
  int pair[2];

  pump->line = g_string_new (NULL);
  pump->control = pump->report = -1;
  pump->done = ended;
  pump->data = data;
  if (!xf_pipe_new (pair, 1, error))
    return NULL;
  control_read = pair[0];
  pump->control = pair[1];
  if (!xf_pipe_new (pair, 0, error))
    return NULL;
  pump->report = pair[0];
  report_write = pair[1];
  if (!start (settings, job, control_read, report_write, error))
    return NULL;
  pump->report_id = g_unix_fd_add (pump->report, G_IO_IN | G_IO_HUP, report_readable, pump);
  return g_steal_pointer (&pump);
}

guint64
xf_pump_bytes_in (const XfPump *pump)
{
  return pump->in;
}

guint64
xf_pump_bytes_out (const XfPump *pump)
{
  return pump->out;
}

void
xf_pump_set_rate (XfPump *pump, guint64 bytes_per_s)
{
  /* If the pipe is full of commands, its reader is dead or ends soon. */
  if (dprintf (pump->control, "rate %" G_GUINT64_FORMAT "\n", bytes_per_s) < 0)
    g_info ("the pump does not accept commands any more: %s", g_strerror (errno));
}

void
xf_pump_free (XfPump *pump)
{
  if (!pump)
    return;
  g_clear_handle_id (&pump->report_id, g_source_remove);
  xf_clear_fd (&pump->control);
  xf_clear_fd (&pump->report);
  g_string_free (pump->line, TRUE);
  g_clear_error (&pump->failure);
  g_free (pump);
}
