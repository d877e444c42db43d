/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"

#include <stdarg.h>

GQuark
xf_error_quark (void)
{
  return g_quark_from_static_string ("xf-error");
}

gboolean
xf_error_set_errno (GError **error, int errnum, const char *format, ...)
{
  va_list args;
  g_autofree char *text = NULL;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, XF_ERROR, XF_ERROR_SYSTEM, "%s: %s", text, g_strerror (errnum));
  return FALSE;
}
