/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

#define CHUNK 65536
#define ERRORS_MAX 4096    /* of standard error, its end */
#define FIRST_LINE_MAX 256 /* of standard error, its begin */

/* A killed process ends at once, unless the kernel holds it in a system call: it is not waited for longer. */
#define KILLED_MS 1000

static const char *const fixed_env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                         "LC_ALL=C" };

struct XfChild {
  char *path;
  pid_t pid; /* 0: not started, or waited for */
  int pidfd;
  gboolean exited;            /* not waited for yet: its process group keeps its number */
  gboolean killed;            /* its group */
  int in_read, in, out, errs; /* -1: closed */
  guint exit_id, in_id, out_id, errs_id, deadline_id;
  guint deadline_ms;
  GBytes *input;
  gsize written;
  GByteArray *output;
  gsize output_max;
  GString *errors, *first_line;
  gboolean first_line_ends;
  GError *failure;
  XfChildDone done;
  gpointer data;
};

/* ---- its end ---------------------------------------------------------------------------------------------- */

typedef struct {
  pid_t pid;
  int pidfd;
} Remains;

static gboolean
reap (int fd, GIOCondition condition, gpointer data)
{
  Remains *remains = data;

  (void)waitpid (remains->pid, NULL, WNOHANG);
  close (remains->pidfd);
  g_free (remains);
  return G_SOURCE_REMOVE;
}

/* Waits for a killed process that has not ended yet, without its object. */
static void
reap_later (XfChild *child)
{
  Remains *remains = g_new (Remains, 1);

  *remains = (Remains){ child->pid, xf_steal_fd (&child->pidfd) };
  g_unix_fd_add (remains->pidfd, G_IO_IN, reap, remains);
  child->pid = 0;
}

static void
close_in (XfChild *child)
{
  g_clear_handle_id (&child->in_id, g_source_remove);
  xf_clear_fd (&child->in);
  xf_clear_fd (&child->in_read);
}

static void
close_out (XfChild *child)
{
  g_clear_handle_id (&child->out_id, g_source_remove);
  xf_clear_fd (&child->out);
}

static void
close_errs (XfChild *child)
{
  g_clear_handle_id (&child->errs_id, g_source_remove);
  xf_clear_fd (&child->errs);
}

static void
close_all (XfChild *child)
{
  g_clear_handle_id (&child->exit_id, g_source_remove);
  g_clear_handle_id (&child->deadline_id, g_source_remove);
  close_in (child);
  close_out (child);
  close_errs (child);
  xf_clear_fd (&child->pidfd);
}

static void read_all_errors (XfChild *child);

static char *
first_line (const XfChild *child)
{
  g_autofree char *printable = xf_log_escape (child->first_line->str);

  return g_strconcat (*printable ? ": " : "", printable, NULL);
}

static void G_GNUC_PRINTF (3, 4) fail (XfChild *child, XfErrorCode code, const char *format, ...)
{
  va_list args;
  g_autofree char *text = NULL, *line = NULL;

  if (child->failure)
    return;
  read_all_errors (child);
  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  line = first_line (child);
  child->failure = g_error_new (XF_ERROR, code, "'%s' %s%s", child->path, text, line);
}

/* The status of a process that has exited: it is waited for here, and its number is free afterwards. */
static void
take_status (XfChild *child)
{
  int status = 0;

  if (waitpid (child->pid, &status, WNOHANG) != child->pid)
    fail (child, XF_ERROR_SYSTEM, "has ended, and its exit status is not known (%s)", g_strerror (errno));
  else if (WIFSIGNALED (status))
    fail (child, XF_ERROR_OPERATION_FAILED, "was ended by signal %d (%s)", WTERMSIG (status),
          strsignal (WTERMSIG (status)));
  else if (WEXITSTATUS (status) != 0)
    fail (child, XF_ERROR_OPERATION_FAILED, "ended with exit status %d", WEXITSTATUS (status));
  child->pid = 0;
}

/* Calls done, which may free @child. */
static void
finish (XfChild *child)
{
  g_autoptr (GBytes) output = NULL;
  XfChildDone done = child->done;

  read_all_errors (child);
  if (child->exited)
    take_status (child);
  else if (child->pid)
    reap_later (child);
  close_all (child);
  if (child->output && !child->failure)
    output = g_byte_array_free_to_bytes (g_steal_pointer (&child->output));
  child->done = NULL;
  done (output, child->failure, child->data);
}

/* Its output is complete at end of file, not at its exit: another process of a pipeline may still write. */
static void
check_end (XfChild *child)
{
  if (child->exited && (child->out < 0 || child->killed))
    finish (child);
}

static gboolean
exited (int fd, GIOCondition condition, gpointer data)
{
  XfChild *child = data;

  child->exit_id = 0;
  child->exited = TRUE;
  close_in (child);
  check_end (child);
  return G_SOURCE_REMOVE;
}

static gboolean
killed_stays (gpointer data)
{
  XfChild *child = data;

  child->deadline_id = 0;
  finish (child);
  return G_SOURCE_REMOVE;
}

/* The group has the number of a process that was not waited for, so it is no other group. */
static void
kill_group (XfChild *child)
{
  child->killed = TRUE;
  if (kill (-child->pid, SIGKILL) < 0)
    g_info ("the process group of '%s' cannot be killed: %s", child->path, g_strerror (errno));
}

/* Calls done now or a moment later. */
static void
kill_and_finish (XfChild *child)
{
  kill_group (child);
  g_clear_handle_id (&child->deadline_id, g_source_remove);
  if (child->exited)
    finish (child);
  else
    child->deadline_id = g_timeout_add (KILLED_MS, killed_stays, child);
}

static gboolean
deadline (gpointer data)
{
  XfChild *child = data;

  child->deadline_id = 0;
  fail (child, XF_ERROR_TIMEOUT,
        child->exited ? "has ended, but a process that it started kept its standard output open: killed after %u ms"
                      : "did not end in time: killed after %u ms",
        child->deadline_ms);
  kill_and_finish (child);
  return G_SOURCE_REMOVE;
}

/* ---- its input and output --------------------------------------------------------------------------------- */

static gboolean
write_input (int fd, GIOCondition condition, gpointer data)
{
  XfChild *child = data;
  gsize length;
  const guint8 *bytes = g_bytes_get_data (child->input, &length);
  ssize_t n = write (child->in, bytes + child->written, length - child->written);

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return G_SOURCE_CONTINUE;
  child->written += (gsize)MAX (n, 0);
  if (n >= 0 && child->written < length)
    return G_SOURCE_CONTINUE;
  child->in_id = 0;
  xf_clear_fd (&child->in); /* end of file */
  return G_SOURCE_REMOVE;
}

/* What has been read, 0 at the end of the file, -1: nothing now. */
static ssize_t
read_chunk (int fd, guint8 *chunk)
{
  ssize_t n = read (fd, chunk, CHUNK);

  return n < 0 && errno != EAGAIN && errno != EINTR ? 0 : n;
}

static gboolean
output_readable (int fd, GIOCondition condition, gpointer data)
{
  XfChild *child = data;
  g_autofree guint8 *chunk = g_malloc (CHUNK);
  ssize_t n = read_chunk (child->out, chunk);

  if (n < 0)
    return G_SOURCE_CONTINUE;
  if (n == 0) {
    child->out_id = 0;
    xf_clear_fd (&child->out);
    check_end (child);
    return G_SOURCE_REMOVE;
  }
  g_byte_array_append (child->output, chunk, (guint)n);
  if (child->output->len <= child->output_max)
    return G_SOURCE_CONTINUE;
  child->out_id = 0;
  xf_clear_fd (&child->out);
  fail (child, XF_ERROR_OPERATION_FAILED,
        "wrote more than %" G_GSIZE_FORMAT " bytes to its standard output, which is the limit", child->output_max);
  kill_and_finish (child);
  return G_SOURCE_REMOVE;
}

/* Empty lines before it do not count. */
static void
add_first_line (XfChild *child, const char *text, gsize length)
{
  for (gsize i = 0; i < length && !child->first_line_ends; i++) {
    if (text[i] == '\n')
      child->first_line_ends = child->first_line->len > 0;
    else if (child->first_line->len < FIRST_LINE_MAX)
      g_string_append_c (child->first_line, text[i]);
  }
}

/* FALSE: there is nothing to read now. */
static gboolean
read_errors (XfChild *child)
{
  g_autofree guint8 *chunk = g_malloc (CHUNK);
  ssize_t n = read_chunk (child->errs, chunk);

  if (n == 0)
    close_errs (child);
  if (n <= 0)
    return FALSE;
  for (ssize_t i = 0; i < n; i++)
    chunk[i] = chunk[i] ? chunk[i] : '?';
  add_first_line (child, (const char *)chunk, (gsize)n);
  g_string_append_len (child->errors, (const char *)chunk, n);
  if (child->errors->len > ERRORS_MAX)
    g_string_erase (child->errors, 0, (gssize)(child->errors->len - ERRORS_MAX));
  return TRUE;
}

/* Bounded: another process may still write. */
static void
read_all_errors (XfChild *child)
{
  for (guint turn = 0; turn < 16 && child->errs >= 0 && read_errors (child); turn++)
    ;
}

static gboolean
errors_readable (int fd, GIOCondition condition, gpointer data)
{
  XfChild *child = data;

  (void)read_errors (child);
  return child->errs_id ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

/* ---- its start -------------------------------------------------------------------------------------------- */

/* The read end stays open here until the program has ended: so a write cannot fail because the program does not read,
 * and cannot raise SIGPIPE. */
static gboolean
open_input (XfChild *child, GError **error)
{
  int pair[2];

  if (!xf_pipe_new (pair, 1, error))
    return FALSE;
  child->in_read = pair[0];
  child->in = pair[1];
  return TRUE;
}

/* The program's end is the caller's. */
static int
open_output (int *read_out, GError **error)
{
  int pair[2];

  if (!xf_pipe_new (pair, 0, error))
    return -1;
  *read_out = pair[0];
  return pair[1];
}

static GPtrArray *
environment (const XfChildJob *job)
{
  GPtrArray *env = g_ptr_array_new ();

  for (guint i = 0; i < G_N_ELEMENTS (fixed_env); i++)
    g_ptr_array_add (env, (gpointer)fixed_env[i]);
  for (guint i = 0; job->env && job->env[i]; i++)
    g_ptr_array_add (env, (gpointer)job->env[i]);
  g_ptr_array_add (env, NULL);
  return env;
}

/* Returns 0 or an errno, which may be that of the exec. @out -1: /dev/null. posix_spawn runs nothing of this process
 * between fork and exec that could allocate. */
static int
spawn (XfChild *child, const XfChildJob *job, int out, int errs)
{
  g_autoptr (GPtrArray) env = environment (job);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  int rc;

  (void)sigemptyset (&none);
  (void)sigfillset (&all);
  posix_spawn_file_actions_init (&actions);
  posix_spawnattr_init (&attributes);
  posix_spawnattr_setflags (&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  posix_spawnattr_setpgroup (&attributes, 0);
  posix_spawnattr_setsigdefault (&attributes, &all);
  posix_spawnattr_setsigmask (&attributes, &none);
  posix_spawn_file_actions_adddup2 (&actions, child->in_read, STDIN_FILENO);
  if (out >= 0)
    posix_spawn_file_actions_adddup2 (&actions, out, STDOUT_FILENO);
  else
    posix_spawn_file_actions_addopen (&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2 (&actions, errs, STDERR_FILENO);
  /* All are close-on-exec; this is for those of libraries that are not. */
  posix_spawn_file_actions_addclosefrom_np (&actions, STDERR_FILENO + 1);
  rc = posix_spawn (&child->pid, job->argv[0], &actions, &attributes, (char *const *)job->argv,
                    (char *const *)env->pdata);
  posix_spawnattr_destroy (&attributes);
  posix_spawn_file_actions_destroy (&actions);
  if (rc != 0)
    child->pid = 0;
  return rc;
}

static gboolean
cannot_run (XfChild *child, int errnum)
{
  g_autofree char *text = g_strdup_printf ("cannot be run: %s", g_strerror (errnum));

  fail (child, XF_ERROR_SYSTEM, "%s%s%s", text,
        errnum == ENOEXEC ? " (a script begins with #! and the path of its interpreter)" : "",
        errnum == EACCES ? " (is it an executable file?)" : "");
  return FALSE;
}

static gboolean
open_pipes (XfChild *child, int *out, int *errs)
{
  g_autoptr (GError) error = NULL;

  if (open_input (child, &error) && (!child->output || (*out = open_output (&child->out, &error)) >= 0)
      && (*errs = open_output (&child->errs, &error)) >= 0)
    return TRUE;
  fail (child, XF_ERROR_SYSTEM, "cannot be run: %s", error->message);
  return FALSE;
}

static gboolean
start (XfChild *child, const XfChildJob *job)
{
  xf_autofd out = -1, errs = -1;
  int rc;

  if (!open_pipes (child, &out, &errs))
    return FALSE;
  rc = spawn (child, job, out, errs);
  if (rc != 0)
    return cannot_run (child, rc);
  child->pidfd = (int)syscall (SYS_pidfd_open, child->pid, 0);
  if (child->pidfd >= 0)
    return TRUE;
  rc = errno;
  kill_group (child);
  (void)waitpid (child->pid, NULL, 0);
  child->pid = 0;
  return cannot_run (child, rc);
}

static gboolean
not_started (gpointer data)
{
  XfChild *child = data;

  child->deadline_id = 0;
  finish (child);
  return G_SOURCE_REMOVE;
}

static void
watch (XfChild *child)
{
  child->exit_id = g_unix_fd_add (child->pidfd, G_IO_IN, exited, child);
  child->in_id = g_unix_fd_add (child->in, G_IO_OUT, write_input, child);
  if (child->out >= 0)
    child->out_id = g_unix_fd_add (child->out, G_IO_IN | G_IO_HUP, output_readable, child);
  child->errs_id = g_unix_fd_add (child->errs, G_IO_IN | G_IO_HUP, errors_readable, child);
  child->deadline_id = g_timeout_add (child->deadline_ms, deadline, child);
}

XfChild *
xf_child_new (const XfChildJob *job, XfChildDone done, gpointer data)
{
  XfChild *child = g_new0 (XfChild, 1);

  child->path = g_strdup (job->argv[0]);
  child->pidfd = child->in_read = child->in = child->out = child->errs = -1;
  child->input = job->input ? g_bytes_ref (job->input) : g_bytes_new (NULL, 0);
  child->output_max = job->output_max;
  child->output = job->output_max ? g_byte_array_new () : NULL;
  child->errors = g_string_new (NULL);
  child->first_line = g_string_new (NULL);
  child->deadline_ms = job->deadline_ms;
  child->done = done;
  child->data = data;
  if (start (child, job))
    watch (child);
  else
    child->deadline_id = g_idle_add_full (G_PRIORITY_DEFAULT, not_started, child, NULL);
  return child;
}

char *
xf_child_errors (const XfChild *child)
{
  return xf_log_escape (child->errors->str);
}

void
xf_child_free (XfChild *child)
{
  if (!child)
    return;
  if (child->pid) {
    kill_group (child);
    reap_later (child);
  }
  close_all (child);
  g_bytes_unref (child->input);
  g_clear_pointer (&child->output, g_byte_array_unref);
  g_string_free (child->errors, TRUE);
  g_string_free (child->first_line, TRUE);
  g_clear_error (&child->failure);
  g_free (child->path);
  g_free (child);
}
