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

/* A control character of C0 or C1, or a character that a terminal may treat as the end of a line or a change of
 * direction.
 */
static gboolean
is_unsafe (gunichar c)
{
  return g_unichar_iscntrl (c) || c == 0x2028 || c == 0x2029 || (c >= 0x202a && c <= 0x202e)
         || (c >= 0x2066 && c <= 0x2069);
}

char *
xf_log_escape (const char *text)
{
  GString *safe = g_string_sized_new (128);

  while (*text) {
    gunichar c = g_utf8_get_char_validated (text, -1);
    gboolean valid = c != (gunichar)-1 && c != (gunichar)-2;
    gsize length = valid ? (gsize)(g_utf8_next_char (text) - text) : 1;

    if (valid && !is_unsafe (c))
      g_string_append_len (safe, text, (gssize)length);
    else
      for (gsize i = 0; i < length; i++)
        g_string_append_printf (safe, "\\x%02x", (guchar)text[i]);
    text += length;
  }
  return g_string_free (safe, FALSE);
}

gboolean
xf_log_rate_allows (XfLogRate *rate, guint per_second, guint *dropped_out)
{
  gint64 now = g_get_monotonic_time ();

  if (!rate->began_us || now - rate->began_us >= G_USEC_PER_SEC) {
    rate->began_us = now;
    rate->written = 0;
  }
  if (rate->written >= per_second) {
    rate->dropped++;
    return FALSE;
  }
  rate->written++;
  *dropped_out = rate->dropped;
  rate->dropped = 0;
  return TRUE;
}

static GLogWriterOutput
write_line (GLogLevelFlags flags, const GLogField *fields, gsize n_fields, gpointer data)
{
  const char *message = "", *domain = "xenferry";
  g_autoptr (GDateTime) now = NULL;
  g_autofree char *stamp = NULL, *safe = NULL;

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
  safe = xf_log_escape (message);
  fprintf (stderr, "%s %s %s: %s\n", stamp, level_name (flags), domain, safe);
  return G_LOG_WRITER_HANDLED;
}

gboolean
xf_log_set_level (const char *level, GError **error)
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
  return TRUE;
}

gboolean
xf_log_init (const char *level, GError **error)
{
  if (!xf_log_set_level (level, error))
    return FALSE;
  g_log_set_writer_func (write_line, NULL, NULL);
  return TRUE;
}
