/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/migrate/check.h"

#include "base/error.h"
#include "libxl/guest/driver_private.h"
#include "libxl/resource/resource.h"

struct XfCheck {
  XfDriver *driver;
  void (*stop) (gpointer owner);
  gpointer owner;
  GPtrArray *findings;
  GError *error;
  XfCheckDone done;
  gpointer data;
};

XfCheck *
xf_check_new (XfDriver *driver, void (*stop) (gpointer owner), gpointer owner, XfCheckDone done, gpointer data)
{
  XfCheck *check = g_new0 (XfCheck, 1);

  *check = (XfCheck){ .driver = driver, .stop = stop, .owner = owner, .done = done, .data = data };
  check->findings = g_ptr_array_new_with_free_func (xf_check_finding_free);
  if (!driver->checks)
    driver->checks = g_ptr_array_new ();
  g_ptr_array_add (driver->checks, check);
  return check;
}

void
xf_check_add (XfCheck *check, const char *host, const char *resource, gboolean blocks, const char *text)
{
  g_ptr_array_add (check->findings, xf_check_finding_new (host, resource, blocks, text));
}

void
xf_check_add_error (XfCheck *check, const char *host, const char *resource, const GError *error)
{
  if (error)
    xf_check_add (check, host, resource, TRUE, error->message);
}

void
xf_check_add_resources (XfCheck *check, const char *host, const GPtrArray *findings)
{
  for (guint i = 0; findings && i < findings->len; i++) {
    const XfFinding *finding = findings->pdata[i];

    xf_check_add (check, host, finding->resource, finding->blocks, finding->text);
  }
}

void
xf_check_add_all (XfCheck *check, const GPtrArray *findings)
{
  for (guint i = 0; findings && i < findings->len; i++) {
    const XfCheckFinding *finding = findings->pdata[i];

    xf_check_add (check, finding->host, finding->resource, finding->blocks, finding->text);
  }
}

static void
answer (XfCheck *check)
{
  check->done (check->error ? NULL : check->findings, check->error, check->data);
  g_ptr_array_unref (check->findings);
  g_clear_error (&check->error);
  g_free (check);
}

static gboolean
answer_now (gpointer data)
{
  answer (data);
  return G_SOURCE_REMOVE;
}

void
xf_check_end (XfCheck *check, const GError *error)
{
  check->error = error ? g_error_copy (error) : NULL;
  g_ptr_array_remove_fast (check->driver->checks, check);
  g_idle_add_full (G_PRIORITY_DEFAULT, answer_now, check, NULL);
}

void
xf_checks_stop (XfDriver *driver)
{
  g_autoptr (GPtrArray) checks = g_steal_pointer (&driver->checks);

  for (guint i = 0; checks && i < checks->len; i++) {
    XfCheck *check = checks->pdata[i];

    check->error = g_error_new_literal (XF_ERROR, XF_ERROR_ABORTED, "the daemon ends");
    check->stop (check->owner);
    answer (check);
  }
}
