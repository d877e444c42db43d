/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The administrator's scripts: when they are called, with what, and what becomes of the guest when they fail, take
 * long, or never end. Whatever they do, there is one domain of the guest or none.
 */
#include <glib/gstdio.h>
#include <libvirt/libvirt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "host.h"
#include "libxl/guest/hook.h"
#include "libxl/guest/driver_private.h"

#define RESTART "<on_reboot>restart</on_reboot>"

/* Writes its arguments to `log` and its input to xml-OPERATION. While the file hold-OPERATION exists it waits; with
 * fail-OPERATION it fails, for the reason in that file. */
#define SCRIPT                                                                                                         \
  "#!/bin/sh\n"                                                                                                        \
  "cd \"$(dirname \"$0\")/..\" || exit 99\n"                                                                           \
  "echo \"$*\" >> log\n"                                                                                               \
  "cat > \"xml-$2\"\n"                                                                                                 \
  "sleep 1000 &\n"                                                                                                     \
  "echo $$ $! > \"held-$2\"\n"                                                                                         \
  "while [ -e \"hold-$2\" ]; do sleep 0.02; done\n"                                                                    \
  "kill $!\n"                                                                                                          \
  "[ -e \"fail-$2\" ] && { cat \"fail-$2\" >&2; exit 7; }\n"                                                           \
  "exit 0\n"

#define STARTS "g prepare begin -; g start begin -; g started begin -; "
#define ENDS "g stopped end -; g release end -; "

static char *
path_of (Host *host, const char *name, const char *operation)
{
  g_autofree char *file = g_strconcat (name, operation, NULL);

  return g_build_filename (host->dir, file, NULL);
}

static void
write_file (Host *host, const char *name, const char *operation, const char *text)
{
  g_autofree char *path = path_of (host, name, operation);

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static void
remove_file (Host *host, const char *name, const char *operation)
{
  g_autofree char *path = path_of (host, name, operation);

  g_assert_cmpint (g_unlink (path), ==, 0);
}

static char *
read_file (Host *host, const char *name, const char *operation)
{
  g_autofree char *path = path_of (host, name, operation);
  char *text = NULL;

  (void)g_file_get_contents (path, &text, NULL, NULL);
  return text;
}

/* @name: below hooks/. */
static void
install (Host *host, const char *name, const char *text, int mode)
{
  g_autofree char *path = g_build_filename (host->config.hook_dir, name, NULL), *dir = g_path_get_dirname (path);

  g_assert_cmpint (g_mkdir_with_parents (dir, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  g_assert_cmpint (g_chmod (path, mode), ==, 0);
}

static Host *
host_with_script (guint8 **uuid_out, const char *inside)
{
  Host *host = host_new ();

  /* Warnings are part of what is tested. */
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
  install (host, "libxl", SCRIPT, 0700);
  *uuid_out = host_define (host, "g", inside);
  return host;
}

/* The driver keeps its own copy of the configuration. */
static void
set_timeout (Host *host, guint seconds)
{
  host->config.hook_timeout_s = seconds;
  host_restart_driver (host);
}

/* The calls so far; forgets them. */
static char *
take_log (Host *host)
{
  g_autofree char *text = read_file (host, "log", "");
  g_auto (GStrv) lines = g_strsplit (text ? text : "", "\n", -1);

  if (text)
    remove_file (host, "log", "");
  return g_strjoinv ("; ", lines);
}

static void
expect_log (Host *host, const char *expected)
{
  g_autofree char *log = take_log (host);

  g_assert_cmpstr (log, ==, expected);
}

static void
expect_text (const char *text, const char *part)
{
  if (!text || !strstr (text, part))
    g_error ("'%s' is not in: %s", part, text);
}

static void
hold (Host *host, const char *operation)
{
  write_file (host, "hold-", operation, "");
}

static gboolean
was_called (Host *host, const char *operation)
{
  g_autofree char *text = read_file (host, "held-", operation);

  return text && strchr (text, '\n');
}

/* Waits until the script of @operation waits, then forgets that. */
static void
wait_for_hook (Host *host, const char *operation)
{
  host_wait (was_called (host, operation));
  remove_file (host, "held-", operation);
}

static void
let_go (Host *host, const char *operation)
{
  remove_file (host, "hold-", operation);
}

typedef struct {
  guint calls;
  GError *error;
} Answer;

static void
answered (const GError *error, gpointer data)
{
  Answer *answer = data;

  answer->calls++;
  answer->error = error ? g_error_copy (error) : NULL;
}

static void
answered_ref (const XfDomainRef *ref, const GError *error, gpointer data)
{
  answered (error, data);
}

static void
expect_answer (Answer *answer, const char *error)
{
  host_wait (answer->calls);
  g_assert_cmpuint (answer->calls, ==, 1);
  if (error)
    expect_text (answer->error ? answer->error->message : NULL, error);
  else
    g_assert_no_error (answer->error);
  g_clear_error (&answer->error);
  answer->calls = 0;
}

static int
domid_of (Host *host, const guint8 *uuid)
{
  g_autoptr (XfDomainRef) ref = xf_driver_lookup_uuid (host->driver, uuid, NULL);

  return ref ? ref->id : -2;
}

static void
expect_off (Host *host, const guint8 *uuid)
{
  g_assert_cmpuint (host_count_domains (host), ==, 0);
  g_assert_cmpint (host_state (host, uuid, NULL), ==, VIR_DOMAIN_SHUTOFF);
  g_assert_cmpint (domid_of (host, uuid), ==, -1);
}

static void
expect_runs (Host *host, const guint8 *uuid)
{
  g_assert_cmpuint (host_count_domains (host), ==, 1);
  g_assert_cmpint (host_state (host, uuid, NULL), ==, VIR_DOMAIN_RUNNING);
}

/* ---- when, and with what ---------------------------------------------------------------------------------- */

static void
test_order (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = host_with_script (&uuid, NULL);

  g_assert_true (host_start (host, uuid, 0, NULL));
  expect_log (host, STARTS);
  g_assert_true (host_destroy (host, uuid, NULL));
  expect_log (host, ENDS);
  g_assert_true (host_start (host, uuid, VIR_DOMAIN_START_PAUSED, NULL));
  expect_log (host, STARTS);
  g_assert_true (host_call (host, xf_driver_domain_resume, uuid, NULL));
  g_assert_true (host_shutdown (host, uuid, NULL));
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_SHUTOFF);
  expect_log (host, ENDS);
  host_free (host);
}

static void
expect_xml (Host *host, const char *operation, int id)
{
  g_autofree char *xml = read_file (host, "xml-", operation), *tag = NULL;
  g_autoptr (XfDomainDef) def = xf_domain_def_parse (xml, XF_DOMAIN_PARSE_NONE, NULL);

  tag = id > 0 ? g_strdup_printf ("<domain type='xen' id='%d'>", id) : g_strdup ("<domain type='xen'>");
  g_assert_nonnull (def);
  g_assert_cmpstr (def->name, ==, "g");
  expect_text (xml, tag);
}

static void
test_xml (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = host_with_script (&uuid, NULL);
  int id;

  g_assert_true (host_start (host, uuid, 0, NULL));
  id = domid_of (host, uuid);
  g_assert_true (host_destroy (host, uuid, NULL));
  expect_xml (host, "prepare", 0);
  expect_xml (host, "start", 0);
  expect_xml (host, "started", id);
  expect_xml (host, "stopped", id);
  expect_xml (host, "release", 0);
  host_free (host);
}

/* What is there of the guest while each script runs; the loop goes on, and a second command is refused. */
static void
test_steps (void)
{
  static const struct {
    const char *operation;
    guint domains;
    int state;
    const char *refusal;
  } steps[] = {
    { "prepare", 0, VIR_DOMAIN_SHUTOFF, "is being started" }, { "start", 0, VIR_DOMAIN_SHUTOFF, "is being started" },
    { "started", 1, VIR_DOMAIN_RUNNING, "already running" },  { "stopped", 0, VIR_DOMAIN_SHUTDOWN, "already running" },
    { "release", 0, VIR_DOMAIN_SHUTDOWN, "already running" },
  };
  g_autofree guint8 *uuid = NULL;
  Host *host = host_with_script (&uuid, NULL);
  Answer answer = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    hold (host, steps[i].operation);
  xf_driver_domain_start (host->driver, uuid, 0, answered_ref, &answer);
  for (guint i = 0; i < G_N_ELEMENTS (steps); i++) {
    g_autoptr (GError) error = NULL;
    XfDomainInfo info;

    wait_for_hook (host, steps[i].operation);
    host_idle (50);
    g_assert_cmpuint (host_count_domains (host), ==, steps[i].domains);
    g_assert_cmpint (host_state (host, uuid, NULL), ==, steps[i].state);
    g_assert_true (xf_driver_domain_info (host->driver, uuid, &info, NULL));
    g_assert_false (host_start (host, uuid, 0, &error));
    expect_text (error->message, steps[i].refusal);
    g_assert_cmpuint (answer.calls, ==, 0);
    let_go (host, steps[i].operation);
    if (i == 2) {
      expect_answer (&answer, NULL);
      xf_driver_domain_destroy (host->driver, uuid, 0, answered, &answer);
    }
  }
  expect_answer (&answer, NULL);
  expect_off (host, uuid);
  host_free (host);
}

static void
test_reboot (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = host_with_script (&uuid, RESTART);
  int domid;

  g_assert_true (host_start (host, uuid, 0, NULL));
  expect_log (host, STARTS);
  domid = domid_of (host, uuid);
  host_ask (host, "g", SIM_ASK_REBOOT);
  host_wait (domid_of (host, uuid) > domid && !xf_guest_find_uuid (host->driver, uuid)->job);
  expect_log (host, ENDS STARTS);
  expect_runs (host, uuid);
  host_free (host);
}

static void
test_reconnect (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = host_with_script (&uuid, NULL);

  host_restart_driver (host); /* Domain-0 alone */
  host_idle (100);
  expect_log (host, "");
  g_assert_true (host_start (host, uuid, 0, NULL));
  expect_log (host, STARTS);
  write_file (host, "fail-", "reconnect", "not again\n");
  host_restart_driver (host);
  host_wait (host->driver->hooks->len == 0);
  expect_log (host, "g reconnect begin -; ");
  expect_xml (host, "reconnect", domid_of (host, uuid));
  expect_runs (host, uuid); /* libvirt would end it */
  host_free (host);
}

/* Another toolstack destroys it; nothing waits for these, but the next start does. */
static void
test_vanished (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = host_with_script (&uuid, NULL);
  Answer answer = { 0 };

  g_assert_true (host_start (host, uuid, 0, NULL));
  expect_log (host, STARTS);
  hold (host, "stopped");
  host_domain_destroy (host->dir, domid_of (host, uuid));
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_SHUTOFF);
  xf_driver_domain_start (host->driver, uuid, 0, answered_ref, &answer);
  wait_for_hook (host, "stopped");
  host_idle (100);
  g_assert_cmpuint (host_count_domains (host), ==, 0);
  let_go (host, "stopped");
  expect_answer (&answer, NULL);
  expect_log (host, ENDS STARTS);
  /* A guest of that toolstack: it may have started it again. */
  xf_guest_find_uuid (host->driver, uuid)->foreign = TRUE;
  host_domain_destroy (host->dir, domid_of (host, uuid));
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_SHUTOFF);
  host_idle (100);
  expect_log (host, "");
  host_free (host);
}

/* ---- failures --------------------------------------------------------------------------------------------- */

static void
test_refused (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = host_with_script (&uuid, NULL);
  g_autofree char *xml = host_xml ("t", NULL, NULL), *events = NULL;
  g_autoptr (GError) error = NULL;

  events = host_take_events (host);
  write_file (host, "fail-", "prepare", "no such \033[1mbridge\nmore\n");
  g_assert_false (host_start (host, uuid, 0, &error));
  g_assert_error (error, XF_ERROR, XF_ERROR_HOOK_FAILED);
  expect_text (error->message, "hook 'prepare' of domain 'g' on host '");
  expect_text (error->message, "hooks/libxl' ended with exit status 7: no such \\x1b[1mbridge");
  expect_off (host, uuid);
  expect_log (host, "g prepare begin -; "); /* nothing was prepared */
  g_assert_false (host_create (host, xml, 0, NULL));
  g_assert_cmpuint (host_count_listed (host, 0), ==, 1);
  expect_log (host, "t prepare begin -; ");
  remove_file (host, "fail-", "prepare");
  write_file (host, "fail-", "start", "not today\n");
  g_clear_error (&error);
  g_assert_false (host_start (host, uuid, 0, &error));
  expect_text (error->message, "hook 'start' of domain 'g'");
  expect_off (host, uuid);
  expect_log (host, "g prepare begin -; g start begin -; " ENDS);
  g_free (events);
  events = host_take_events (host);
  g_assert_cmpstr (events, ==, "");
  remove_file (host, "fail-", "start");
  g_assert_true (host_start (host, uuid, 0, NULL));
  expect_runs (host, uuid);
  host_free (host);
}

/* What cannot be refused any more: the guest runs, or has ended, all the same. */
static void
test_only_warned (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = host_with_script (&uuid, NULL);

  write_file (host, "fail-", "started", "too late\n");
  write_file (host, "fail-", "stopped", "too late\n");
  write_file (host, "fail-", "release", "too late\n");
  g_assert_true (host_start (host, uuid, 0, NULL));
  expect_runs (host, uuid);
  g_assert_true (host_destroy (host, uuid, NULL));
  expect_off (host, uuid);
  expect_log (host, STARTS ENDS);
  host_free (host);
}

static void
fail_start (Host *host, const guint8 *uuid, const char *control, const char *text)
{
  g_autoptr (GError) error = NULL;

  host_set_control (host, control);
  g_assert_false (host_start (host, uuid, 0, &error));
  expect_text (error->message, text);
  expect_off (host, uuid);
  host_set_control (host, "");
}

/* What `prepare` has made is released, whatever makes the start fail. */
static void
test_failed_start (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = host_with_script (&uuid, NULL);

  fail_start (host, uuid, "fail=create\n", "told to fail at create");
  expect_log (host, "g prepare begin -; g start begin -; " ENDS);
  fail_start (host, uuid, "fail=unpause\n", "told to fail at unpause");
  expect_log (host, "g prepare begin -; g start begin -; " ENDS);
  fail_start (host, uuid, "memory-mib=516\n", "MiB");
  expect_log (host, "g prepare begin -; " ENDS);
  g_assert_true (host_start (host, uuid, 0, NULL));
  host_free (host);
}

/* Not before the domain that uses it is gone; the client need not wait for that. */
static void
test_failed_start_stays (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = host_with_script (&uuid, NULL);

  host_set_control (host, "fail=unpause,destroy\n");
  g_assert_false (host_start (host, uuid, 0, NULL));
  host_idle (100);
  g_assert_cmpuint (host_count_domains (host), ==, 1);
  expect_log (host, "g prepare begin -; g start begin -; ");
  g_assert_false (host_start (host, uuid, 0, NULL));
  host_set_control (host, "");
  host_wait (!xf_guest_find_uuid (host->driver, uuid)->job);
  expect_off (host, uuid);
  expect_log (host, ENDS);
  g_assert_true (host_start (host, uuid, 0, NULL));
  host_free (host);
}

static gboolean
is_gone (int pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", pid), *text = NULL;

  return !g_file_get_contents (path, &text, NULL, NULL) || strstr (text, ") Z");
}

/* Kills what never ends, the processes that it has started too, and goes on. */
static void
test_never_ends (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = host_with_script (&uuid, NULL);
  g_autoptr (GError) error = NULL;
  g_autofree char *held = NULL;
  int script, other;

  set_timeout (host, 1);
  hold (host, "prepare");
  g_assert_false (host_start (host, uuid, 0, &error));
  expect_text (error->message, "hooks/libxl' did not end in time: killed after 1000 ms");
  expect_off (host, uuid);
  held = read_file (host, "held-", "prepare");
  g_assert_cmpint (sscanf (held, "%d %d", &script, &other), ==, 2);
  host_wait (is_gone (script) && is_gone (other));
  let_go (host, "prepare");
  hold (host, "started");
  hold (host, "release");
  g_assert_true (host_start (host, uuid, 0, NULL));
  expect_runs (host, uuid);
  g_assert_true (host_destroy (host, uuid, NULL));
  expect_off (host, uuid);
  host_free (host);
}

/* ---- commands meanwhile ----------------------------------------------------------------------------------- */

static void
test_destroy_meanwhile (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = host_with_script (&uuid, NULL);
  Answer start = { 0 }, destroy = { 0 };

  hold (host, "start");
  xf_driver_domain_start (host->driver, uuid, 0, answered_ref, &start);
  wait_for_hook (host, "start");
  g_assert_true (xf_driver_job_abort (host->driver, uuid, 0, NULL));
  expect_answer (&start, "it was stopped before it had ended");
  expect_off (host, uuid);
  expect_log (host, "g prepare begin -; g start begin -; " ENDS);
  let_go (host, "start");
  /* It runs already: the start succeeds, and the destroy too. */
  hold (host, "started");
  xf_driver_domain_start (host->driver, uuid, 0, answered_ref, &start);
  wait_for_hook (host, "started");
  xf_driver_domain_destroy (host->driver, uuid, 0, answered, &destroy);
  expect_answer (&start, NULL);
  expect_answer (&destroy, NULL);
  expect_off (host, uuid);
  expect_log (host, STARTS ENDS);
  host_free (host);
}

/* A destroy ends a restart at every hook, and waits for those that release. */
static void
test_destroy_reboot (void)
{
  static const char *const operations[] = { "stopped", "release", "prepare", "start", "started" };

  for (guint i = 0; i < G_N_ELEMENTS (operations); i++) {
    g_autofree guint8 *uuid = NULL;
    Host *host = host_with_script (&uuid, RESTART);
    Answer answer = { 0 };

    g_assert_true (host_start (host, uuid, 0, NULL));
    if (was_called (host, operations[i]))
      remove_file (host, "held-", operations[i]);
    hold (host, operations[i]);
    host_ask (host, "g", SIM_ASK_REBOOT);
    wait_for_hook (host, operations[i]);
    xf_driver_domain_destroy (host->driver, uuid, 0, answered, &answer);
    if (i < 2)
      let_go (host, operations[i]);
    expect_answer (&answer, NULL);
    host_idle (1200); /* more than the pause before another attempt */
    expect_off (host, uuid);
    if (i < 2)
      expect_log (host, STARTS ENDS); /* no other start was begun */
    host_free (host);
  }
}

/* A start that a hook refuses is tried again. */
static void
test_reboot_refused (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = host_with_script (&uuid, RESTART);
  g_autofree char *log = NULL;

  g_assert_true (host_start (host, uuid, 0, NULL));
  write_file (host, "fail-", "start", "not yet\n");
  expect_log (host, STARTS);
  host_ask (host, "g", SIM_ASK_REBOOT);
  host_wait ((g_free (log), log = read_file (host, "log", "")) && strstr (log, "g start begin -\ng stopped end -"));
  remove_file (host, "fail-", "start");
  host_wait (host_state (host, uuid, NULL) == VIR_DOMAIN_RUNNING);
  host_wait (!xf_guest_find_uuid (host->driver, uuid)->job);
  expect_log (host, ENDS "g prepare begin -; g start begin -; " ENDS STARTS);
  expect_runs (host, uuid);
  host_free (host);
}

/* xl starts the guest, under another name, while its script runs. */
static void
test_started_by_others (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = host_with_script (&uuid, NULL);
  Answer answer = { 0 };
  SimBlock *block;
  guint32 domid;

  hold (host, "start");
  xf_driver_domain_start (host->driver, uuid, 0, answered_ref, &answer);
  wait_for_hook (host, "start");
  domid = host_domain_new (host->dir, "other", uuid, LIBXL_DOMAIN_TYPE_PVH, 4096, 1, "{}");
  g_assert_true (host_guest_start (host->dir, domid));
  block = host_block_map (host->dir, domid);
  host_set_paused (host->dir, block, FALSE);
  host_block_unmap (block);
  let_go (host, "start");
  expect_answer (&answer, "another toolstack has started it");
  g_assert_cmpuint (host_count_domains (host), ==, 1);
  host_free (host);
}

/* ---- the daemon ends -------------------------------------------------------------------------------------- */

/* At every hook of a start and of an end: the next daemon finds one domain, or none, and the guest can be started. */
static void
test_daemon_ends (void)
{
  static const struct {
    const char *operation;
    gboolean starts;
    guint domains;
  } cases[] = {
    { "prepare", TRUE, 0 },  { "start", TRUE, 0 },    { "started", TRUE, 1 },
    { "stopped", FALSE, 0 }, { "release", FALSE, 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree guint8 *uuid = NULL;
    Host *host = host_with_script (&uuid, NULL);
    Answer answer = { 0 };

    if (!cases[i].starts)
      g_assert_true (host_start (host, uuid, 0, NULL));
    hold (host, cases[i].operation);
    if (cases[i].starts)
      xf_driver_domain_start (host->driver, uuid, 0, answered_ref, &answer);
    else
      xf_driver_domain_destroy (host->driver, uuid, 0, answered, &answer);
    wait_for_hook (host, cases[i].operation);
    host_restart_driver (host);
    host_wait (answer.calls);
    g_clear_error (&answer.error);
    g_assert_cmpuint (host_count_domains (host), ==, cases[i].domains);
    g_assert_cmpint (host_state (host, uuid, NULL), ==, cases[i].domains ? VIR_DOMAIN_RUNNING : VIR_DOMAIN_SHUTOFF);
    let_go (host, cases[i].operation);
    g_assert_true (cases[i].domains ? host_destroy (host, uuid, NULL) : host_start (host, uuid, 0, NULL));
    host_free (host);
  }
}

/* A reboot whose hooks are quick survives the end of the daemon. */
static void
test_daemon_ends_in_reboot (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = host_with_script (&uuid, RESTART);

  g_assert_true (host_start (host, uuid, 0, NULL));
  hold (host, "stopped");
  host_ask (host, "g", SIM_ASK_REBOOT);
  wait_for_hook (host, "stopped");
  host_restart_driver (host); /* ends the script after two seconds */
  expect_runs (host, uuid);
  host_free (host);
}

/* ---- several scripts, and what they write ----------------------------------------------------------------- */

static void
test_folder (void)
{
  Host *host = host_new ();
  g_autofree guint8 *uuid = host_define (host, "g", NULL);
  g_autoptr (GError) error = NULL;

  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
  install (host, "libxl.d/20", "#!/bin/sh\necho 20 $2 >> ${0%/*}/../../log\n", 0700);
  install (host, "libxl.d/10", "#!/bin/sh\necho 10 $2 >> ${0%/*}/../../log\necho why >&2\n[ $2 != start ]\n", 0700);
  install (host, "libxl.d/15", "#!/bin/sh\necho 15 $2 >> ${0%/*}/../../log\n", 0600);
  g_assert_false (host_start (host, uuid, 0, &error));
  expect_text (error->message, "libxl.d/10' ended with exit status 1: why");
  expect_log (host, "10 prepare; 20 prepare; 10 start; 20 start; 10 stopped; 20 stopped; 10 release; 20 release; ");
  install (host, "libxl", "#!/bin/sh\necho first $2 >> ${0%/*}/../log\nexit 3\n", 0700);
  g_clear_error (&error);
  g_assert_false (host_start (host, uuid, 0, &error));
  expect_text (error->message, "hooks/libxl' ended with exit status 3");
  expect_log (host, "first prepare; 10 prepare; 20 prepare; ");
  install (host, "libxl", "not a script", 0700);
  g_clear_error (&error);
  g_assert_false (host_start (host, uuid, 0, &error));
  expect_text (error->message, "hooks/libxl' cannot be run: Exec format error");
  host_free (host);
}

typedef struct {
  guint calls;
  char *xml;
  GError *error;
} Result;

static void
take (const char *xml, const GError *error, gpointer data)
{
  Result *result = data;

  result->calls++;
  result->xml = g_strdup (xml);
  result->error = error ? g_error_copy (error) : NULL;
}

static void
clear (Result *result)
{
  g_clear_pointer (&result->xml, g_free);
  g_clear_error (&result->error);
  result->calls = 0;
}

static void
filter (Host *host, const char *script, Result *result)
{
  if (script)
    install (host, "libxl", script, 0700);
  clear (result);
  (void)xf_hook_run (host->driver, "g", "<came/>", "migrate", "begin", take, result);
  g_assert_cmpuint (result->calls, ==, 0);
  host_wait (result->calls);
}

static void
test_filter (void)
{
  Host *host = host_new ();
  Result result = { 0 };

  filter (host, NULL, &result); /* no script */
  g_assert_null (result.xml);
  g_assert_no_error (result.error);
  filter (host, "#!/bin/sh\n[ \"$*\" = 'g migrate begin -' ] && sed s/came/went/\n", &result);
  g_assert_no_error (result.error);
  g_assert_cmpstr (result.xml, ==, "<went/>");
  install (host, "libxl.d/1", "#!/bin/sh\nsed s/went/on/\n", 0700);
  install (host, "libxl.d/2", "#!/bin/sh\necho; echo ' '\n", 0700);
  filter (host, NULL, &result);
  g_assert_cmpstr (result.xml, ==, "<on/>");
  filter (host, "#!/bin/sh\nexit 0\n", &result);
  g_assert_cmpstr (result.xml, ==, "<came/>"); /* 1 wrote it, unchanged */
  install (host, "libxl.d/1", "#!/bin/sh\n", 0700);
  filter (host, NULL, &result);
  g_assert_no_error (result.error);
  g_assert_null (result.xml);
  filter (host, "#!/bin/sh\necho '<half'\nexit 1\n", &result);
  g_assert_error (result.error, XF_ERROR, XF_ERROR_HOOK_FAILED);
  g_assert_null (result.xml);
  filter (host, "#!/bin/sh\nprintf 'a\\0b'\n", &result);
  expect_text (result.error->message, "wrote a zero byte");
  filter (host, "#!/bin/sh\nyes\n", &result);
  expect_text (result.error->message, "wrote more than 1048576 bytes");
  clear (&result);
  host_free (host);
}

static void
test_filtered_xml (void)
{
  g_autofree char *xml = host_xml ("g", (const guint8 *)"0123456789abcdef", NULL);
  g_autofree char *larger = NULL;
  g_autoptr (XfDomainDef) came = xf_domain_def_parse (xml, XF_DOMAIN_PARSE_INACTIVE, NULL), def = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) parts = g_strsplit (xml, "<memory unit='MiB'>16<", 2);

  larger = g_strjoinv ("<memory unit='MiB'>32<", parts);
  def = xf_hook_take_xml (came, xml, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (def->name, ==, "g");
  g_assert_null (xf_hook_take_xml (came, larger, &error));
  g_assert_error (error, XF_ERROR, XF_ERROR_HOOK_FAILED);
  expect_text (error->message, "hook 'migrate' of domain 'g' wrote XML that cannot be used");
  expect_text (error->message, "memory");
  g_clear_error (&error);
  g_assert_null (xf_hook_take_xml (came, "<domain", &error));
  g_assert_error (error, XF_ERROR, XF_ERROR_HOOK_FAILED);
}

/* Of one guest one after another, of others at the same time; one that is stopped is not called. */
static void
test_one_after_another (void)
{
  g_autofree guint8 *uuid = NULL;
  Host *host = host_with_script (&uuid, NULL);
  Result first = { 0 }, second = { 0 }, third = { 0 }, other = { 0 };
  XfHook *hook;

  hold (host, "one");
  (void)xf_hook_run (host->driver, "g", "<x/>", "one", "begin", take, &first);
  hook = xf_hook_run (host->driver, "g", "<x/>", "two", "begin", take, &second);
  (void)xf_hook_run (host->driver, "g", "<x/>", "three", "begin", take, &third);
  (void)xf_hook_run (host->driver, "o", "<x/>", "one", "begin", take, &other);
  wait_for_hook (host, "one");
  xf_hook_stop (hook);
  g_assert_cmpuint (second.calls, ==, 0);
  host_wait (second.calls);
  g_assert_error (second.error, XF_ERROR, XF_ERROR_ABORTED);
  host_idle (100);
  g_assert_cmpuint (first.calls + third.calls, ==, 0);
  let_go (host, "one");
  host_wait (first.calls && third.calls && other.calls);
  g_assert_false (was_called (host, "two"));
  g_assert_true (was_called (host, "three"));
  clear (&first);
  clear (&second);
  clear (&third);
  clear (&other);
  host_free (host);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/hook/order", test_order);
  g_test_add_func ("/hook/xml", test_xml);
  g_test_add_func ("/hook/steps", test_steps);
  g_test_add_func ("/hook/reboot", test_reboot);
  g_test_add_func ("/hook/reconnect", test_reconnect);
  g_test_add_func ("/hook/vanished", test_vanished);
  g_test_add_func ("/hook/refused", test_refused);
  g_test_add_func ("/hook/only-warned", test_only_warned);
  g_test_add_func ("/hook/failed-start", test_failed_start);
  g_test_add_func ("/hook/failed-start-stays", test_failed_start_stays);
  g_test_add_func ("/hook/never-ends", test_never_ends);
  g_test_add_func ("/hook/destroy-meanwhile", test_destroy_meanwhile);
  g_test_add_func ("/hook/destroy-reboot", test_destroy_reboot);
  g_test_add_func ("/hook/reboot-refused", test_reboot_refused);
  g_test_add_func ("/hook/started-by-others", test_started_by_others);
  g_test_add_func ("/hook/daemon-ends", test_daemon_ends);
  g_test_add_func ("/hook/daemon-ends-in-reboot", test_daemon_ends_in_reboot);
  g_test_add_func ("/hook/folder", test_folder);
  g_test_add_func ("/hook/filter", test_filter);
  g_test_add_func ("/hook/filtered-xml", test_filtered_xml);
  g_test_add_func ("/hook/one-after-another", test_one_after_another);
  return g_test_run ();
}
