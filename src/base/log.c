/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"

#include <stdio.h>

#include "base/error.h"

static const struct {
  const char *name;
  GLogLevelFlags flag;
} levels[] = {
  { "error", G_LOG_LEVEL_CRITICAL }, { "warning", G_LOG_LEVEL_WARNING }, { "message", G_LOG_LEVEL_MESSAGE },
  { "info", G_LOG_LEVEL_INFO },      { "debug", G_LOG_LEVEL_DEBUG },
};

static GLogLevelFlags most_detailed = G_LOG_LEVEL_MESSAGE;

static const char *
level_name (GLogLevelFlags flags)
{
  for (gsize i = 0; i < G_N_ELEMENTS (levels); i++) {
    if (flags & levels[i].flag)
      return levels[i].name;
  }
  return "fatal";
}

static GLogWriterOutput
write_line (GLogLevelFlags flags, const GLogField *fields, gsize n_fields, gpointer data)
{
  const char *message = "", *domain = "xenferry";
  g_autoptr (GDateTime) now = NULL;
  g_autofree char *stamp = NULL;

  if ((flags & G_LOG_LEVEL_MASK) > most_detailed)
    return G_LOG_WRITER_HANDLED;
  for (gsize i = 0; i < n_fields; i++) {
    if (g_str_equal (fields[i].key, "MESSAGE"))
      message = fields[i].value;
    else if (g_str_equal (fields[i].key, "GLIB_DOMAIN"))
      domain = fields[i].value;
  }
  now = g_date_time_new_now_utc ();
  stamp = g_date_time_format (now, "%Y-%m-%dT%H:%M:%S.%fZ");
  fprintf (stderr, "%s %s %s: %s\n", stamp, level_name (flags), domain, message);
  return G_LOG_WRITER_HANDLED;
}

gboolean
xf_log_init (const char *level, GError **error)
{
  for (gsize i = 0; level && i < G_N_ELEMENTS (levels); i++) {
    if (g_str_equal (level, levels[i].name)) {
      most_detailed = levels[i].flag;
      level = NULL;
    }
  }
  if (level) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG,
                 "log level '%s' is unknown; use error, warning, message, info or debug", level);
    return FALSE;
  }
  g_log_set_writer_func (write_line, NULL, NULL);
  return TRUE;
}
