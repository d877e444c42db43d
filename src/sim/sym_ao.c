/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Operations: instant ones, which call back before they return (libxl may, and callers must allow for it); those of the
 * helper, which reports on a pipe; and those that fail later, on a pipe without a writer.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xentoollog.h>

#include "base/fd.h"
#include "sim/sim.h"

/* The helper's descriptors. */
enum { HELPER_REPORT_FD = 3, HELPER_STREAM_FD = 4, FIRST_FREE_FD = 10 };

typedef struct {
  libxl_ctx *ctx;
  gboolean has_how;
  libxl_asyncop_how how;
  guint32 domid;
  pid_t pid;
  int stream, stream_flags; /* the application's descriptor, and its flags before */
  struct stat stream_is;
  int report;
  GString *line;
  gboolean save, responded; /* responded: the guest has suspended */
  gboolean got_result, aborted;
  gboolean spoke;  /* the helper has reported that it runs */
  gboolean failed; /* there is no helper: rc is its code */
  int rc;
  int (*finish) (libxl_ctx *ctx, guint32 domid, int rc, gpointer data);
  gpointer data;
  SimSource *source;
} Operation;

static GPtrArray *operations; /* protected by the lock */

/* ---- completion ------------------------------------------------------------------------------------------- */

static void
tell (libxl_ctx *ctx, const libxl_asyncop_how *how, int rc)
{
  libxl_event *event;

  if (how->callback) {
    how->callback (ctx, rc, how->u.for_callback);
    return;
  }
  event = calloc (1, sizeof (*event));
  libxl_event_init (event);
  event->type = LIBXL_EVENT_TYPE_OPERATION_COMPLETE;
  event->for_user = how->u.for_event;
  event->u.operation_complete.rc = rc;
  sim_event (sim_ctx (ctx), event);
}

int
sim_done (libxl_ctx *ctx, const libxl_asyncop_how *how, int rc)
{
  if (!how)
    return rc;
  tell (ctx, how, rc);
  return 0;
}

/* ---- the helper ------------------------------------------------------------------------------------------- */

static pid_t
spawn (const char *mode, guint32 domid, int stream, int report, gboolean live)
{
  g_autofree char *program = host_program ("xenferry-sim-helper"), *number = g_strdup_printf ("%u", domid);
  g_autofree char *stream_text = g_strdup_printf ("%d", HELPER_STREAM_FD);
  gboolean save = strcmp (mode, "save") == 0;
  char *argv[] = {
    program, (char *)mode, (char *)sim_dir (), number, stream_text, save ? (char *)(live ? "1" : "0") : NULL, NULL,
  };
  xf_autofd stream_copy = fcntl (stream, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
  xf_autofd report_copy = fcntl (report, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none;
  pid_t pid = -1;

  /* libxl_ao_abort must be able to end the helper, whichever signals the application's thread has blocked. */
  sigemptyset (&none);
  posix_spawnattr_init (&attributes);
  posix_spawnattr_setflags (&attributes, POSIX_SPAWN_SETSIGMASK);
  posix_spawnattr_setsigmask (&attributes, &none);

  posix_spawn_file_actions_init (&actions);
  posix_spawn_file_actions_adddup2 (&actions, report_copy, HELPER_REPORT_FD);
  posix_spawn_file_actions_adddup2 (&actions, stream_copy, HELPER_STREAM_FD);
  if (posix_spawn (&pid, program, &actions, &attributes, argv, environ) != 0)
    pid = -1;
  posix_spawn_file_actions_destroy (&actions);
  posix_spawnattr_destroy (&attributes);
  return pid;
}

static void
take_line (Operation *operation, const char *line)
{
  SimCtx *sim = sim_ctx (operation->ctx);
  unsigned long done, total;
  int rc, what = 0;

  operation->spoke = TRUE;
  if (sscanf (line, "progress %lu %lu %n", &done, &total, &what) == 2 && what > 0) {
    xtl_progress (sim->log, "xc", line + what, done, total);
  } else if (sscanf (line, "result %d", &rc) == 1) {
    operation->rc = rc;
    operation->got_result = TRUE;
  } else if (strcmp (line, "asking") == 0) {
    xtl_log (sim->log, XTL_DEBUG, -1, "libxl", "Domain %u:issuing PVH/HVM suspend request via XenBus control node",
             operation->domid);
  } else if (strcmp (line, "too-early") == 0) {
    g_error ("a restore that fails before its helper runs: libxl 4.17 calls through a null pointer here");
  } else if (strcmp (line, "suspended") == 0 || strcmp (line, "acknowledged") == 0) {
    operation->responded = TRUE;
  }
}

/* FALSE when the helper has ended. */
static gboolean
take_report (Operation *operation)
{
  char buffer[4096], *end;
  gssize n = read (operation->report, buffer, sizeof (buffer));

  if (n < 0)
    return errno == EAGAIN || errno == EINTR;
  if (n == 0)
    return FALSE;
  g_string_append_len (operation->line, buffer, n);
  while ((end = strchr (operation->line->str, '\n'))) {
    *end = '\0';
    take_line (operation, operation->line->str);
    g_string_erase (operation->line, 0, end + 1 - operation->line->str);
  }
  return TRUE;
}

/* The application must not close the descriptor before the operation has ended: its number may be another file now. */
static void
give_back_stream (Operation *operation)
{
  struct stat now;

  if (fstat (operation->stream, &now) == 0 && now.st_dev == operation->stream_is.st_dev
      && now.st_ino == operation->stream_is.st_ino)
    (void)fcntl (operation->stream, F_SETFL, operation->stream_flags);
  else
    host_trace (sim_dir (), "stream-lost %u: descriptor %d was closed under libxl", operation->domid,
                operation->stream);
}

/* The operation's return code, after the helper has ended. */
static int
conclude (Operation *operation)
{
  int rc, status;

  if (operation->failed) {
    xf_clear_fd (&operation->report);
    return operation->aborted ? ERROR_ABORTED : operation->rc;
  }

  /* Waits for its own pid: the application has other children. */
  if (operation->pid > 0)
    waitpid (operation->pid, &status, 0);
  give_back_stream (operation);
  if (operation->aborted)
    rc = ERROR_ABORTED;
  else if (operation->got_result)
    rc = operation->rc;
  else
    rc = ERROR_FAIL;
  if (rc == ERROR_FAIL)
    sim_error (operation->ctx,
               operation->got_result ? "domain %u: the helper could not finish the stream"
                                     : "domain %u: the helper has died",
               operation->domid);
  else if (rc == ERROR_GUEST_TIMEDOUT)
    sim_error (operation->ctx, "Domain %u:guest didn't acknowledge suspend, cancelling request", operation->domid);
  /* As libxl: an error in the helper before the guest has answered counts as the guest's timeout. */
  if (operation->save && operation->got_result && rc == ERROR_FAIL && !operation->responded)
    rc = ERROR_GUEST_TIMEDOUT;
  rc = operation->finish (operation->ctx, operation->domid, rc, operation->data);
  xf_clear_fd (&operation->report);
  g_string_free (operation->line, TRUE);
  return rc;
}

static void
report_ready (SimCtx *sim, gpointer data)
{
  Operation *operation = data;
  libxl_asyncop_how how = operation->how;
  libxl_ctx *ctx = operation->ctx;
  int rc;

  if (take_report (operation))
    return;
  sim_lock ();
  g_ptr_array_remove (operations, operation);
  sim_unlock ();
  sim_source_remove (sim, operation->source);
  rc = conclude (operation);
  g_free (operation);
  tell (ctx, &how, rc);
}

/* Lets the operation wait for the helper's end. */
static void
enlist (Operation *operation, const libxl_asyncop_how *how)
{
  operation->has_how = TRUE;
  operation->how = *how;
  (void)fcntl (operation->report, F_SETFL, O_NONBLOCK);
  sim_lock ();
  if (!operations)
    operations = g_ptr_array_new ();
  g_ptr_array_add (operations, operation);
  sim_unlock ();
  operation->source = sim_source_add (sim_ctx (operation->ctx), operation->report, report_ready, operation);
}

int
sim_done_later (libxl_ctx *ctx, const libxl_asyncop_how *how, int rc)
{
  Operation *operation;
  int pipe_fds[2];

  /* Without a loop or a pipe it fails at once. */
  if (!sim_ctx (ctx)->os || pipe2 (pipe_fds, O_CLOEXEC) < 0)
    return sim_done (ctx, how, rc);
  close (pipe_fds[1]);
  operation = g_new0 (Operation, 1);
  operation->ctx = ctx;
  operation->failed = TRUE;
  operation->rc = rc;
  operation->report = pipe_fds[0];
  enlist (operation, how);
  return 0;
}

static int
run_here (Operation *operation)
{
  int rc;

  while (take_report (operation))
    ;
  rc = conclude (operation);
  g_free (operation);
  return rc;
}

int
sim_run_helper (libxl_ctx *ctx, const libxl_asyncop_how *how, const char *mode, guint32 domid, int fd, gboolean live,
                int (*finish) (libxl_ctx *ctx, guint32 domid, int rc, gpointer data), gpointer data)
{
  g_autofree char *start = g_strdup_printf ("start of the %s helper", mode);
  guint32 number = sim_fails (ctx, start);
  Operation *operation;
  int pipe_fds[2];

  if (number)
    return sim_failed (ctx, how, number, finish (ctx, domid, ERROR_FAIL, data));
  operation = g_new0 (Operation, 1);
  if (pipe2 (pipe_fds, O_CLOEXEC) < 0) {
    g_free (operation);
    return finish (ctx, domid, ERROR_FAIL, data);
  }
  operation->ctx = ctx;
  operation->domid = domid;
  operation->save = strcmp (mode, "save") == 0;
  operation->line = g_string_new (NULL);
  operation->finish = finish;
  operation->data = data;
  operation->report = pipe_fds[0];
  /* As libxl: the helper needs a blocking descriptor. */
  operation->stream = fd;
  operation->stream_flags = fcntl (fd, F_GETFL);
  (void)fstat (fd, &operation->stream_is);
  (void)fcntl (fd, F_SETFL, operation->stream_flags & ~O_NONBLOCK);
  operation->pid = spawn (mode, domid, fd, pipe_fds[1], live);
  close (pipe_fds[1]);
  if (!how)
    return run_here (operation);
  enlist (operation, how);
  return 0;
}

int
libxl_ao_abort (libxl_ctx *ctx, const libxl_asyncop_how *how)
{
  int rc = ERROR_NOTFOUND;

  if (sim_fails (ctx, __func__))
    return ERROR_FAIL;
  sim_lock ();
  for (guint i = 0; operations && i < operations->len; i++) {
    Operation *operation = operations->pdata[i];

    if (operation->ctx != ctx || operation->how.callback != how->callback
        || operation->how.u.for_callback != how->u.for_callback)
      continue;
    /* Seen on real Xen, where the helper takes a while to start. */
    if (operation->pid > 0 && !operation->spoke)
      g_error ("libxl_ao_abort before the helper runs: libxl 4.17 calls through a null pointer here");
    rc = operation->aborted ? ERROR_ABORTED : 0;
    operation->aborted = TRUE;
    if (operation->pid > 0)
      kill (operation->pid, SIGTERM);
    break;
  }
  sim_unlock ();
  return rc;
}
