/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Programs beside the loop: what they say and how they end, however badly they behave; and that nothing is left of
 * them, neither a process nor a descriptor.
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/error.h"

#define LONG_MS 20000

typedef struct {
  XfChild *child;
  guint calls;
  GBytes *output;
  GError *error;
} Result;

static void
take (GBytes *output, const GError *error, gpointer data)
{
  Result *result = data;

  result->calls++;
  result->output = output ? g_bytes_ref (output) : NULL;
  result->error = error ? g_error_copy (error) : NULL;
}

static void
clear (Result *result)
{
  g_clear_pointer (&result->child, xf_child_free);
  g_clear_pointer (&result->output, g_bytes_unref);
  g_clear_error (&result->error);
  *result = (Result){ 0 };
}

static void
wait_for_result (Result *result)
{
  g_assert_cmpuint (result->calls, ==, 0); /* never before the call has returned */
  while (!result->calls)
    g_main_context_iteration (NULL, TRUE);
}

static void
run (Result *result, const XfChildJob *job)
{
  result->child = xf_child_new (job, take, result);
  wait_for_result (result);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (result->calls, ==, 1);
}

static void
run_script (Result *result, const char *script, const char *input, gsize output_max, guint deadline_ms)
{
  const char *argv[] = { "/bin/sh", "-c", script, "sh", "first", "second", NULL };
  g_autoptr (GBytes) bytes = input ? g_bytes_new_static (input, strlen (input)) : NULL;
  const XfChildJob job = { .argv = argv, .input = bytes, .output_max = output_max, .deadline_ms = deadline_ms };

  run (result, &job);
}

static void
expect_output (Result *result, const char *text)
{
  g_assert_no_error (result->error);
  g_assert_nonnull (result->output);
  g_assert_cmpmem (g_bytes_get_data (result->output, NULL), g_bytes_get_size (result->output), text, strlen (text));
  clear (result);
}

static void
expect_error (Result *result, XfErrorCode code, const char *text)
{
  g_assert_error (result->error, XF_ERROR, (gint)code);
  g_assert_null (result->output);
  if (!strstr (result->error->message, text))
    g_error ("'%s' is not in: %s", text, result->error->message);
  clear (result);
}

/* ---- results ---------------------------------------------------------------------------------------------- */

static void
test_success (void)
{
  Result result = { 0 };

  run_script (&result, "cat; echo $1-$2", "given\n", 1024, LONG_MS);
  expect_output (&result, "given\nfirst-second\n");
  run_script (&result, "read x || echo nothing", NULL, 1024, LONG_MS);
  expect_output (&result, "nothing\n");
  run_script (&result, ":", "given\n", 1024, LONG_MS);
  expect_output (&result, "");
  run_script (&result, "echo dropped; [ ! -t 1 ]", NULL, 0, LONG_MS);
  g_assert_no_error (result.error);
  g_assert_null (result.output);
  clear (&result);
}

static void
test_environment (void)
{
  static const char *const argv[] = { "/usr/bin/env", NULL }, *const env[] = { "GIVEN=yes", NULL };
  const XfChildJob job = { .argv = argv, .env = env, .output_max = 1024, .deadline_ms = LONG_MS };
  Result result = { 0 };

  g_setenv ("XF_SECRET", "of the daemon", TRUE);
  run (&result, &job);
  expect_output (&result, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nLC_ALL=C\nGIVEN=yes\n");
}

static void
test_failures (void)
{
  Result result = { 0 };

  run_script (&result, "exit 3", NULL, 1024, LONG_MS);
  expect_error (&result, XF_ERROR_OPERATION_FAILED, "'/bin/sh' ended with exit status 3");
  run_script (&result, "echo; echo no such bridge >&2; echo more >&2; exit 4", NULL, 1024, LONG_MS);
  g_assert_true (g_str_has_suffix (result.error->message, "exit status 4: no such bridge"));
  clear (&result);
  run_script (&result, "kill -TERM $$", NULL, 1024, LONG_MS);
  expect_error (&result, XF_ERROR_OPERATION_FAILED, "was ended by signal 15");
  run_script (&result, "printf 'a\\033[2J\\0b\\377' >&2; exit 1", NULL, 1024, LONG_MS);
  expect_error (&result, XF_ERROR_OPERATION_FAILED, "status 1: a\\x1b[2J?b\\xff");
}

static void
test_errors (void)
{
  Result result = { 0 };
  g_autofree char *errors = NULL;

  run_script (&result, "echo first >&2; i=0; while [ $i -lt 2000 ]; do echo line $i >&2; i=$((i+1)); done; exit 1",
              NULL, 0, LONG_MS);
  errors = xf_child_errors (result.child);
  g_assert_true (g_str_has_suffix (errors, "line 1999\\x0a"));
  g_assert_null (strstr (errors, "first"));
  g_assert_cmpuint (strlen (errors), <, 4 * 4096);
  expect_error (&result, XF_ERROR_OPERATION_FAILED, "status 1: first");
}

static void
test_not_run (void)
{
  static const char *const missing[] = { "/no/such/program", NULL };
  XfChildJob job = { .argv = missing, .output_max = 1024, .deadline_ms = LONG_MS };
  g_autofree char *path = NULL;
  const char *argv[] = { NULL, NULL };
  Result result = { 0 };
  int fd = g_file_open_tmp ("xf-child-XXXXXX", &path, NULL);

  run (&result, &job);
  expect_error (&result, XF_ERROR_SYSTEM, "'/no/such/program' cannot be run: No such file or directory");
  argv[0] = path;
  job.argv = argv;
  run (&result, &job);
  expect_error (&result, XF_ERROR_SYSTEM, "Permission denied (is it an executable file?)");
  g_assert_cmpint (g_chmod (path, 0700), ==, 0);
  g_assert_cmpint (write (fd, "echo no interpreter\n", 20), ==, 20);
  close (fd);
  run (&result, &job);
  expect_error (&result, XF_ERROR_SYSTEM, "cannot be run: Exec format error (a script begins with #!");
  g_unlink (path);
}

/* ---- much, and none --------------------------------------------------------------------------------------- */

#define MUCH (3 * 1024 * 1024)

static void
test_large (void)
{
  static const char *const argv[] = { "/bin/cat", NULL };
  g_autofree char *data = g_malloc (MUCH);
  g_autoptr (GBytes) input = NULL;
  XfChildJob job = { .argv = argv, .output_max = MUCH, .deadline_ms = LONG_MS };
  Result result = { 0 };

  for (gsize i = 0; i < MUCH; i++)
    data[i] = (char)(i * 7 + i / 251);
  input = g_bytes_new_static (data, MUCH);
  job.input = input;
  run (&result, &job);
  g_assert_no_error (result.error);
  g_assert_true (g_bytes_equal (result.output, input));
  clear (&result);
  job.output_max = MUCH - 1;
  run (&result, &job);
  expect_error (&result, XF_ERROR_OPERATION_FAILED, "'/bin/cat' wrote more than 3145727 bytes");
  run_script (&result, "yes; :", NULL, 1000, LONG_MS); /* without an end */
  expect_error (&result, XF_ERROR_OPERATION_FAILED, "wrote more than 1000 bytes");
}

/* Neither an error nor a wait, also when the pipe cannot hold it. */
static void
test_never_reads (void)
{
  g_autofree char *much = g_strnfill (MUCH, 'x');
  Result result = { 0 };

  signal (SIGPIPE, SIG_DFL);
  run_script (&result, "echo done", much, 1024, LONG_MS);
  expect_output (&result, "done\n");
  run_script (&result, "exec 0<&-; sleep 0.1; echo done", much, 1024, LONG_MS);
  expect_output (&result, "done\n");
}

/* Another process of a pipeline may still write when the program has ended. */
static void
test_output_after_exit (void)
{
  Result result = { 0 };

  run_script (&result, "(sleep 0.2; echo late) & echo early", NULL, 1024, LONG_MS);
  expect_output (&result, "early\nlate\n");
}

/* ---- the end of the whole group --------------------------------------------------------------------------- */

/* A pid that a script has written to a file. */
static pid_t
read_pid (const char *path)
{
  g_autofree char *text = NULL;
  pid_t pid;

  while (!g_file_get_contents (path, &text, NULL, NULL) || !strchr (text, '\n')) {
    g_clear_pointer (&text, g_free);
    g_main_context_iteration (NULL, FALSE);
    g_usleep (1000);
  }
  pid = atoi (text);
  g_assert_cmpint (pid, >, 1);
  return pid;
}

/* TRUE if the process does not run: it is gone, or only waits to be reaped by init. */
static gboolean
is_dead (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", pid), *text = NULL;
  const char *state;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return TRUE;
  state = strrchr (text, ')');
  return state && (state[2] == 'Z' || state[2] == 'X');
}

static void
expect_dead (pid_t pid)
{
  gint64 end = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;

  while (!is_dead (pid)) {
    g_assert_cmpint (g_get_monotonic_time (), <, end);
    g_main_context_iteration (NULL, FALSE);
    g_usleep (1000);
  }
}

/* There is no child of this process any more. */
static void
expect_reaped (void)
{
  gint64 end = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;
  siginfo_t info;

  while (waitid (P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
    g_assert_cmpint (g_get_monotonic_time (), <, end);
    g_main_context_iteration (NULL, FALSE);
    g_usleep (1000);
  }
  g_assert_cmpint (errno, ==, ECHILD);
}

static void
test_deadline (void)
{
  g_autofree char *dir = g_dir_make_tmp ("xf-child-XXXXXX", NULL), *path = g_build_filename (dir, "pid", NULL);
  g_autofree char *waits = g_strdup_printf ("(trap '' TERM; sleep 1000) & echo $! > %s; echo working >&2; wait", path);
  g_autofree char *leaves = g_strdup_printf ("sleep 1000 & echo $! > %s", path);
  Result result = { 0 };
  pid_t pid;

  run_script (&result, waits, NULL, 1024, 300);
  expect_error (&result, XF_ERROR_TIMEOUT, "'/bin/sh' did not end in time: killed after 300 ms: working");
  pid = read_pid (path);
  expect_dead (pid);
  g_unlink (path);
  run_script (&result, leaves, NULL, 1024, 300);
  expect_error (&result, XF_ERROR_TIMEOUT, "a process that it started kept its standard output open");
  expect_dead (read_pid (path));
  g_unlink (path);
  /* One that does not keep the output may stay. */
  run_script (&result, leaves, NULL, 0, LONG_MS);
  g_assert_no_error (result.error);
  clear (&result);
  pid = read_pid (path);
  g_assert_false (is_dead (pid));
  g_assert_cmpint (kill (pid, SIGKILL), ==, 0);
  expect_reaped ();
  g_unlink (path);
  g_rmdir (dir);
}

static void
test_cancel (void)
{
  g_autofree char *dir = g_dir_make_tmp ("xf-child-XXXXXX", NULL), *path = g_build_filename (dir, "pid", NULL);
  g_autofree char *script = g_strdup_printf ("sleep 1000 & echo $! > %s; wait", path);
  const char *argv[] = { "/bin/sh", "-c", script, NULL }, *missing[] = { "/no/such/program", NULL };
  XfChildJob job = { .argv = argv, .output_max = 1024, .deadline_ms = 100 };
  Result result = { 0 };
  XfChild *child = xf_child_new (&job, take, &result);
  pid_t pid = read_pid (path);

  g_assert_cmpuint (result.calls, ==, 0);
  xf_child_free (child);
  expect_dead (pid);
  expect_reaped ();
  job.argv = missing;
  xf_child_free (xf_child_new (&job, take, &result));
  xf_child_free (NULL);
  for (gint64 end = g_get_monotonic_time () + 300 * 1000; g_get_monotonic_time () < end; g_usleep (1000))
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (result.calls, ==, 0);
  g_unlink (path);
  g_rmdir (dir);
}

static void
take_and_free (GBytes *output, const GError *error, gpointer data)
{
  Result *result = data;

  take (output, error, result);
  g_clear_pointer (&result->child, xf_child_free);
}

static void
test_free_in_done (void)
{
  static const char *const argvs[][4] = {
    { "/bin/sh", "-c", "exit 1" }, { "/bin/sh", "-c", "yes" }, { "/bin/sh", "-c", "sleep 9" }, { "/no/such" }
  };
  Result result = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (argvs); i++) {
    const XfChildJob job = { .argv = argvs[i], .output_max = 100, .deadline_ms = 200 };

    result.child = xf_child_new (&job, take_and_free, &result);
    wait_for_result (&result);
    g_assert_nonnull (result.error);
    clear (&result);
  }
  expect_reaped ();
}

/* ---- what it inherits, and what is left ------------------------------------------------------------------- */

static void
test_signals (void)
{
  sigset_t usr1, before;
  Result result = { 0 };

  (void)sigemptyset (&usr1);
  (void)sigaddset (&usr1, SIGUSR1);
  g_assert_cmpint (sigprocmask (SIG_BLOCK, &usr1, &before), ==, 0);
  signal (SIGPIPE, SIG_IGN);
  /* glibc leaves two signals of its own ignored, which a C library sets up again. */
  run_script (&result, "grep -E '^Sig(Blk|Ign)' /proc/self/status | grep -Ev ':.(0{16}|0{7}180{7})$'; :", NULL, 1024,
              LONG_MS);
  g_assert_cmpint (sigprocmask (SIG_SETMASK, &before, NULL), ==, 0);
  signal (SIGPIPE, SIG_DFL);
  expect_output (&result, "");
  run_script (&result, "[ $(ps -o pgid= -p $$) -eq $$ ] 2>/dev/null || [ $(cut -d' ' -f5 /proc/$$/stat) -eq $$ ]", NULL,
              0, LONG_MS);
  g_assert_no_error (result.error);
  clear (&result);
}

static guint
count_fds (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir))
    n++;
  return n;
}

static void
test_descriptors (void)
{
  static const char *const argv[] = { "/bin/ls", "/proc/self/fd", NULL };
  const XfChildJob job = { .argv = argv, .output_max = 1024, .deadline_ms = LONG_MS };
  int inherited = dup (0); /* as a library may leave it */
  guint before = 0;
  Result result = { 0 };

  for (guint i = 0; i < 4; i++) {
    run (&result, &job);
    expect_output (&result, "0\n1\n2\n3\n"); /* the last is the directory */
    run_script (&result, "yes", NULL, 100, LONG_MS);
    clear (&result);
    run_script (&result, "sleep 9", NULL, 100, 50);
    clear (&result);
    test_cancel ();
    test_not_run ();
    expect_reaped ();
    if (i == 0)
      before = count_fds ();
  }
  g_assert_cmpuint (count_fds (), ==, before);
  close (inherited);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/child/success", test_success);
  g_test_add_func ("/child/environment", test_environment);
  g_test_add_func ("/child/failures", test_failures);
  g_test_add_func ("/child/errors", test_errors);
  g_test_add_func ("/child/not-run", test_not_run);
  g_test_add_func ("/child/large", test_large);
  g_test_add_func ("/child/never-reads", test_never_reads);
  g_test_add_func ("/child/output-after-exit", test_output_after_exit);
  g_test_add_func ("/child/deadline", test_deadline);
  g_test_add_func ("/child/cancel", test_cancel);
  g_test_add_func ("/child/free-in-done", test_free_in_done);
  g_test_add_func ("/child/signals", test_signals);
  g_test_add_func ("/child/descriptors", test_descriptors);
  return g_test_run ();
}
