/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/guest/hook.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/child.h"
#include "base/dir.h"
#include "base/error.h"
#include "libxl/guest/driver_private.h"

#define OUTPUT_MAX (1024 * 1024)

/* Of the hooks that nothing waits for. */
#define BACKGROUND_MAX 4

/* After the daemon was asked to end: two fit into the time that it waits for its operations. */
#define END_MS 2000

struct XfHook {
  XfDriver *driver;
  char *name, *operation, *suboperation;
  char *xml;          /* for the next script */
  gboolean replaced;  /* a script wrote it */
  gboolean filters;   /* what the scripts write replaces the XML */
  GPtrArray *scripts; /* NULL: it waits for others */
  guint next;
  XfChild *child;
  guint later_id, end_id;
  GError *failure;
  XfHookDone done; /* NULL: nothing waits for it */
  gpointer data;
};

/* ---- scripts ---------------------------------------------------------------------------------------------- */

static void
add_script (GPtrArray *scripts, const char *path, gboolean warn)
{
  if (!g_file_test (path, G_FILE_TEST_IS_REGULAR))
    return;
  if (g_file_test (path, G_FILE_TEST_IS_EXECUTABLE))
    g_ptr_array_add (scripts, g_strdup (path));
  else if (warn)
    g_warning ("hook '%s' is not called, it is not executable", path);
}

/* Read for each hook: a script that is added or removed counts at once. */
static GPtrArray *
find_scripts (const XfDriver *driver, gboolean warn)
{
  GPtrArray *scripts = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) names = NULL;
  g_autofree char *path = NULL, *folder = NULL;

  if (!driver->config.hook_dir)
    return scripts;
  path = g_build_filename (driver->config.hook_dir, "libxl", NULL);
  add_script (scripts, path, warn);
  folder = g_strconcat (path, ".d", NULL);
  names = xf_dir_names (folder);
  for (guint i = 0; i < names->len; i++) {
    g_autofree char *file = g_build_filename (folder, names->pdata[i], NULL);

    add_script (scripts, file, warn);
  }
  return scripts;
}

gboolean
xf_hook_exists (const XfDriver *driver)
{
  g_autoptr (GPtrArray) scripts = find_scripts (driver, FALSE);

  return scripts->len > 0;
}

/* What libvirt's driver passes on, beside the path and the language. */
static GPtrArray *
environment (void)
{
  static const char *const names[] = { "HOME", "USER", "LOGNAME", "TMPDIR" };
  GPtrArray *env = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    const char *value = g_getenv (names[i]);

    if (value)
      g_ptr_array_add (env, g_strconcat (names[i], "=", value, NULL));
  }
  g_ptr_array_add (env, NULL);
  return env;
}

/* ---- a hook ----------------------------------------------------------------------------------------------- */

static void begin_all (XfDriver *driver);

static void
hook_free (XfHook *hook)
{
  g_clear_handle_id (&hook->later_id, g_source_remove);
  g_clear_handle_id (&hook->end_id, g_source_remove);
  xf_child_free (hook->child);
  g_clear_pointer (&hook->scripts, g_ptr_array_unref);
  g_clear_error (&hook->failure);
  g_free (hook->name);
  g_free (hook->operation);
  g_free (hook->suboperation);
  g_free (hook->xml);
  g_free (hook);
}

static void G_GNUC_PRINTF (3, 4) fail (XfHook *hook, XfErrorCode code, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  if (hook->failure)
    return;
  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  hook->failure = g_error_new (XF_ERROR, code, "hook '%s' of domain '%s' on host '%s': %s", hook->operation, hook->name,
                               hook->driver->hostname, text);
}

/* The next of the same guest begins afterwards, because this one's caller may begin another first. */
static void
end (XfHook *hook)
{
  XfDriver *driver = hook->driver;

  g_ptr_array_remove (driver->hooks, hook);
  if (hook->done)
    hook->done (hook->replaced && !hook->failure ? hook->xml : NULL, hook->failure, hook->data);
  else if (hook->failure)
    g_warning ("%s", hook->failure->message);
  hook_free (hook);
  begin_all (driver);
}

static gboolean
end_now (gpointer data)
{
  XfHook *hook = data;

  hook->later_id = 0;
  end (hook);
  return G_SOURCE_REMOVE;
}

/* Not at once: the caller of xf_hook_run() or xf_hook_stop() does not expect it. */
static void
end_later (XfHook *hook)
{
  if (!hook->later_id)
    hook->later_id = g_idle_add_full (G_PRIORITY_DEFAULT, end_now, hook, NULL);
}

/* White space alone counts as nothing. */
static gboolean
is_empty (const char *text, gsize length)
{
  for (gsize i = 0; i < length; i++) {
    if (!g_ascii_isspace (text[i]))
      return FALSE;
  }
  return TRUE;
}

static void
take_output (XfHook *hook, const char *script, GBytes *output)
{
  gsize length;
  const char *text = g_bytes_get_data (output, &length);

  if (is_empty (text, length))
    return;
  if (memchr (text, '\0', length)) {
    fail (hook, XF_ERROR_HOOK_FAILED, "'%s' wrote a zero byte to its standard output, which is no XML", script);
    return;
  }
  g_free (hook->xml);
  hook->xml = g_strndup (text, length);
  hook->replaced = TRUE;
}

static gboolean run_next (XfHook *hook);

static void
script_ended (GBytes *output, const GError *error, gpointer data)
{
  XfHook *hook = data;
  const char *script = hook->scripts->pdata[hook->next - 1];
  g_autofree char *errors = xf_child_errors (hook->child);

  if (*errors)
    g_info ("hook '%s' of domain '%s': '%s' wrote: %s", hook->operation, hook->name, script, errors);
  if (error)
    fail (hook, XF_ERROR_HOOK_FAILED, "%s", error->message);
  else if (output)
    take_output (hook, script, output);
  g_clear_pointer (&hook->child, xf_child_free);
  if (!run_next (hook))
    end (hook);
}

/* FALSE: there is no other script. */
static gboolean
run_next (XfHook *hook)
{
  g_autoptr (GPtrArray) env = environment ();
  g_autoptr (GBytes) input = NULL;
  const char *argv[] = { NULL, hook->name, hook->operation, hook->suboperation, "-", NULL };
  XfChildJob job = { .argv = argv, .env = (const char *const *)env->pdata };

  if (hook->next == hook->scripts->len)
    return FALSE;
  argv[0] = hook->scripts->pdata[hook->next++];
  input = g_bytes_new (hook->xml, strlen (hook->xml));
  job.input = input;
  job.output_max = hook->filters ? OUTPUT_MAX : 0;
  job.deadline_ms = hook->driver->ends ? END_MS : hook->driver->config.hook_timeout_s * 1000;
  hook->child = xf_child_new (&job, script_ended, hook);
  return TRUE;
}

/* ---- one after another ------------------------------------------------------------------------------------ */

static gboolean
is_first_of_guest (const XfHook *hook)
{
  const GPtrArray *hooks = hook->driver->hooks;

  for (guint i = 0; i < hooks->len && hooks->pdata[i] != hook; i++) {
    if (g_str_equal (((XfHook *)hooks->pdata[i])->name, hook->name))
      return FALSE;
  }
  return TRUE;
}

/* A hook that nothing waits for gives way to others; but not if one of its guest is behind it that is waited for. */
static gboolean
has_place (const XfHook *hook)
{
  const GPtrArray *hooks = hook->driver->hooks;
  guint background = 0;

  for (guint i = 0; i < hooks->len; i++) {
    const XfHook *other = hooks->pdata[i];

    if (other->done && g_str_equal (other->name, hook->name))
      return TRUE;
    background += !other->done && other->scripts;
  }
  return background < BACKGROUND_MAX;
}

static void
begin (XfHook *hook)
{
  hook->scripts = find_scripts (hook->driver, TRUE);
  if (!run_next (hook))
    end_later (hook);
}

static void
begin_all (XfDriver *driver)
{
  for (guint i = 0; i < driver->hooks->len; i++) {
    XfHook *hook = driver->hooks->pdata[i];

    if (!hook->scripts && !hook->later_id && is_first_of_guest (hook) && has_place (hook))
      begin (hook);
  }
}

XfHook *
xf_hook_run (XfDriver *driver, const char *name, const char *xml, const char *operation, const char *suboperation,
             XfHookDone done, gpointer data)
{
  XfHook *hook = g_new0 (XfHook, 1);

  *hook = (XfHook){ .driver = driver, .done = done, .data = data };
  hook->name = g_strdup (name);
  hook->xml = g_strdup (xml);
  hook->operation = g_strdup (operation);
  hook->suboperation = g_strdup (suboperation);
  hook->filters = g_str_equal (operation, "migrate");
  g_ptr_array_add (driver->hooks, hook);
  begin_all (driver);
  return hook;
}

void
xf_hook_stop (XfHook *hook)
{
  g_clear_pointer (&hook->child, xf_child_free);
  g_clear_error (&hook->failure);
  fail (hook, XF_ERROR_ABORTED, "it was stopped before it had ended");
  end_later (hook);
}

/* ---- what it is for --------------------------------------------------------------------------------------- */

XfDomainDef *
xf_hook_take_xml (const XfDomainDef *came, const char *xml, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (XfDomainDef) def = xf_domain_def_parse (xml, XF_DOMAIN_PARSE_INACTIVE, &local);

  if (def && xf_domain_def_check_abi (came, def, &local))
    return g_steal_pointer (&def);
  g_set_error (error, XF_ERROR, XF_ERROR_HOOK_FAILED,
               "hook 'migrate' of domain '%s' wrote XML that cannot be used instead of the guest's: %s", came->name,
               local->message);
  return NULL;
}

static void
run_in_background (XfGuest *guest, const char *operation, const char *suboperation, int domid)
{
  const XfDomainLive live = { .id = domid, .vnc_port = -1 };
  g_autofree char *xml = xf_domain_def_format (guest->def, XF_DOMAIN_FORMAT_NONE, domid > 0 ? &live : NULL);

  (void)xf_hook_run (guest->driver, guest->name, xml, operation, suboperation, NULL, NULL);
}

void
xf_hook_guest_arrived (XfGuest *guest)
{
  if (xf_hook_exists (guest->driver))
    run_in_background (guest, "started", "begin", guest->domid);
}

/* That toolstack may have started its own guest again already. */
void
xf_hook_guest_vanished (XfGuest *guest)
{
  if (guest->foreign || !guest->def || !xf_hook_exists (guest->driver))
    return;
  run_in_background (guest, "stopped", "end", guest->domid);
  run_in_background (guest, "release", "end", -1);
}

void
xf_hooks_reconnect (XfDriver *driver)
{
  if (!xf_hook_exists (driver))
    return;
  for (guint i = 0; i < driver->guests->len; i++) {
    XfGuest *guest = driver->guests->pdata[i];
    gboolean moves = guest->job || guest->incoming
                     || (guest->state == VIR_DOMAIN_PAUSED && guest->reason == VIR_DOMAIN_PAUSED_MIGRATION);

    if (guest->domid > 0 && guest->def && !moves)
      run_in_background (guest, "reconnect", "begin", guest->domid);
  }
}

/* ---- the end of the daemon -------------------------------------------------------------------------------- */

static gboolean
end_in_time (gpointer data)
{
  XfHook *hook = data;

  hook->end_id = 0;
  xf_hook_stop (hook);
  return G_SOURCE_REMOVE;
}

void
xf_hooks_end (XfDriver *driver)
{
  for (guint i = 0; i < driver->hooks->len; i++) {
    XfHook *hook = driver->hooks->pdata[i];

    if (g_str_equal (hook->operation, "reconnect")) /* the next daemon calls it again */
      xf_hook_stop (hook);
    else if (!hook->end_id)
      hook->end_id = g_timeout_add (END_MS, end_in_time, hook);
  }
}

void
xf_hooks_free (XfDriver *driver)
{
  for (guint i = 0; i < driver->hooks->len; i++)
    hook_free (driver->hooks->pdata[i]);
  g_ptr_array_unref (driver->hooks);
}
