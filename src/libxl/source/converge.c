/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The maximum downtime of a live migration. libxl offers no way to set it, so its save helper is started through
 * xenferry-save-helper, which reads the limits from a file (savehelper/goal.h) after each pass. The limits may change
 * at any time. Without that program libxl makes its own few passes, as it does for a migration without a maximum: then
 * the maximum is only what source/throttle.c slows the guest down for. If it must not be exceeded, such a migration
 * fails while the guest still runs. docs/convergence.md
 */
#include "libxl/source/private.h"

#include <dlfcn.h>
#include <errno.h>
#include <libvirt/libvirt.h>
#include <string.h>
#include <libxl.h>

#include "base/error.h"
#include "savehelper/goal.h"

/* libvirt's default. */
#define DOWNTIME_MS 300

#define PROGRAM "LIBXL_SAVE_HELPER"
#define NEXT "XENFERRY_SAVE_HELPER"

guint64
xf_migrate_source_wanted_downtime (const XfMigrateSource *source)
{
  if (source->guest->max_downtime_ms)
    return source->guest->max_downtime_ms;
  return source->params.flags & VIR_MIGRATE_AUTO_CONVERGE ? DOWNTIME_MS : 0;
}

static gboolean
must_not_exceed (const XfMigrateSource *source)
{
  return source->guest->max_downtime_ms && g_strcmp0 (source->driver->config.exceed_downtime, "abort") == 0;
}

/* ---- libxl's save helper ---------------------------------------------------------------------------------- */

/* The program that this libxl starts, which stands in the library: messages between the two have numbers that differ
 * between builds of one version, so no other program will do. NULL: not found. */
static char *
helper_of_libxl (void)
{
  static const char name[] = "/libxl-save-helper";
  g_autoptr (GMappedFile) library = NULL;
  Dl_info info;
  const char *data, *found, *start;

  if (!dladdr ((gpointer)libxl_domain_config_init, &info))
    return NULL;
  library = g_mapped_file_new (info.dli_fname, FALSE, NULL);
  data = library ? g_mapped_file_get_contents (library) : NULL;
  found = data ? memmem (data, g_mapped_file_get_length (library), name, sizeof (name)) : NULL;
  start = found ? memrchr (data, '\0', found - data) : NULL;
  return start && start[1] == '/' ? g_strdup (start + 1) : NULL;
}

/* The environment is the daemon's own, and libxl's children get it. It is set once: getenv() in another thread must not
 * meet a change. */
static void
set_environment (const char *name, const char *value)
{
  if (g_strcmp0 (g_getenv (name), value) != 0)
    g_setenv (name, value, TRUE);
}

/* FALSE: libxl starts its own helper as always. */
static gboolean
use_program (XfMigrateSource *source)
{
  const char *path = source->driver->config.save_helper_path, *named = g_getenv (PROGRAM);
  g_autofree char *next = NULL;

  if (!path || !g_file_test (path, G_FILE_TEST_IS_EXECUTABLE))
    return FALSE;
  if (g_strcmp0 (named, path) == 0 && g_getenv (NEXT))
    return TRUE;
  /* An administrator may have named another helper. */
  next = named && !g_str_equal (named, path) ? g_strdup (named) : helper_of_libxl ();
  if (!next)
    return FALSE;
  set_environment (NEXT, next);
  set_environment (PROGRAM, path);
  return TRUE;
}

/* ---- the goal --------------------------------------------------------------------------------------------- */

void
xf_migrate_source_converge_begin (XfMigrateSource *source)
{
  g_autofree char *dir = g_build_filename (source->driver->config.state_dir, "precopy", NULL);

  if (!(source->params.flags & VIR_MIGRATE_LIVE) || !use_program (source))
    return;
  source->goal = xf_goal_create (dir, (guint32)source->guest->domid);
  if (!source->goal) {
    g_warning ("%s: libxl decides how many passes there are: cannot make a file in '%s': %s", source->sm.id, dir,
               g_strerror (errno));
    return;
  }
  set_environment (XF_GOAL_ENVIRONMENT, dir);
  xf_migrate_source_converge_update (source);
}

static void
set_limits (XfMigrateSource *source)
{
  XfPolicyLimits limits = {
    .downtime_ms = xf_migrate_source_wanted_downtime (source),
    .passes = source->driver->config.max_passes,
    .abort = must_not_exceed (source),
    .rate = xf_migrate_progress_recent_rate (&source->progress),
  };

  xf_goal_set (source->goal, &limits);
}

/* Not from within libxl's report. */
static gboolean
cannot_keep (gpointer data)
{
  XfMigrateSource *source = data;
  g_autoptr (GError) error = NULL;

  source->cannot_id = 0;
  if (source->sm.state != SENDING)
    return G_SOURCE_REMOVE;
  error = xf_migrate_source_error (source, "perform", XF_ERROR_OPERATION_FAILED,
                                   "libxl's save helper does not keep the maximum downtime, which must not be exceeded "
                                   "(exceed_downtime = abort); see save_helper_path in the configuration");
  xf_migrate_source_fail (source, error);
  return G_SOURCE_REMOVE;
}

void
xf_migrate_source_converge_update (XfMigrateSource *source)
{
  XfMigrateProgress *progress = &source->progress;
  XfGoalReport report = { .expected_ms = UINT64_MAX };

  if (!(source->params.flags & VIR_MIGRATE_LIVE) || source->sm.state != SENDING)
    return;
  xf_migrate_source_count (source);
  if (source->goal) {
    set_limits (source);
    xf_goal_read (source->goal, &report);
  }
  if (report.passes == 0 && progress->iteration > 1)
    report.expected_ms = xf_policy_expected_ms (progress->pass_total, xf_migrate_progress_recent_rate (progress));
  progress->expected_ms = report.expected_ms == UINT64_MAX ? 0 : report.expected_ms;
  /* The helper asks the policy before it sends the first page. */
  if (progress->iteration > 0 && !report.is_used && must_not_exceed (source) && !source->cannot_id)
    source->cannot_id = g_idle_add (cannot_keep, source);
}

GError *
xf_migrate_source_converge_failure (XfMigrateSource *source)
{
  g_autofree char *text = NULL;
  XfGoalReport report;

  if (!source->goal)
    return NULL;
  xf_goal_read (source->goal, &report);
  if (!report.is_aborted)
    return NULL;
  text = g_strdup_printf ("after %" G_GUINT64_FORMAT " passes %" G_GUINT64_FORMAT " pages are left, more than can be "
                          "sent within the maximum downtime of %" G_GUINT64_FORMAT " ms (exceed_downtime = abort); "
                          "allow more with 'virsh migrate-setmaxdowntime', or slow the guest down with --auto-converge",
                          report.passes, report.left, report.downtime_ms);
  return xf_migrate_source_error (source, "perform", XF_ERROR_OPERATION_FAILED, text);
}

void
xf_migrate_source_converge_end (XfMigrateSource *source)
{
  XfGoalReport report = { 0 };

  g_clear_handle_id (&source->cannot_id, g_source_remove);
  if (source->goal)
    xf_goal_read (source->goal, &report);
  if (report.is_used)
    g_info ("%s: after %" G_GUINT64_FORMAT " passes %" G_GUINT64_FORMAT " pages were left, for %" G_GUINT64_FORMAT
            " ms; maximum downtime %" G_GUINT64_FORMAT " ms (0: none)",
            source->sm.id, report.passes, report.left, report.expected_ms, report.downtime_ms);
  g_clear_pointer (&source->goal, xf_goal_free);
}
