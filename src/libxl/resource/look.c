/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/resource/look.h"

#include <errno.h>
#include <libxl_utils.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/error.h"

/* Where Xen installs them; libxl does not tell. */
#define SCRIPT_DIR "/etc/xen/scripts"

const char *
xf_look_sys_dir (const XfDriver *driver)
{
  return driver->config.sys_dir ? driver->config.sys_dir : "/sys";
}

static char *G_GNUC_PRINTF (2, 0) sys_path (const char *sys_dir, const char *format, va_list args)
{
  g_autofree char *tail = g_strdup_vprintf (format, args);

  return g_build_filename (sys_dir, tail, NULL);
}

gboolean
xf_look_sys_has (const char *sys_dir, const char *format, ...)
{
  g_autofree char *path = NULL;
  va_list args;

  va_start (args, format);
  path = sys_path (sys_dir, format, args);
  va_end (args);
  return g_file_test (path, G_FILE_TEST_EXISTS);
}

char *
xf_look_sys_line (const char *sys_dir, const char *format, ...)
{
  g_autofree char *path = NULL, *text = NULL;
  va_list args;

  va_start (args, format);
  path = sys_path (sys_dir, format, args);
  va_end (args);
  if (!g_file_get_contents (path, &text, NULL, NULL))
    return NULL;
  text[strcspn (text, "\n")] = '\0';
  return *g_strstrip (text) ? g_steal_pointer (&text) : NULL;
}

char *
xf_look_script (const XfDriver *driver, const char *script, const char *otherwise)
{
  const char *name = script && *script ? script : otherwise;
  const char *dir = driver->config.script_dir ? driver->config.script_dir : SCRIPT_DIR;

  return g_path_is_absolute (name) ? g_strdup (name) : g_build_filename (dir, name, NULL);
}

gboolean
xf_look_file (const char *what, const char *path, gboolean executable, const char *host, GError **error)
{
  struct stat status;

  if (stat (path, &status) < 0)
    return xf_error_set_errno (error, errno, "%s '%s' cannot be used on host '%s'; install it there", what, path, host);
  if (!S_ISREG (status.st_mode)) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_FAILED, "%s '%s' on host '%s' is not a file; install it there",
                 what, path, host);
    return FALSE;
  }
  if (executable && !(status.st_mode & 0111)) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_FAILED,
                 "%s '%s' on host '%s' is not executable; make it so (chmod a+x)", what, path, host);
    return FALSE;
  }
  return TRUE;
}

gboolean
xf_look_is_dom0 (libxl_domid domid, const char *name)
{
  return domid == 0 && (!name || !*name || g_str_equal (name, "0") || g_str_equal (name, "Domain-0"));
}

void
xf_look_warn_backend (XfResource *resource, libxl_domid domid, const char *name)
{
  g_autofree char *number = g_strdup_printf ("%u", domid);

  xf_resource_warn (resource, "it is not checked, because domain '%s' serves it, and not host '%s' itself",
                    name && *name ? name : number, xf_resource_host (resource));
}
