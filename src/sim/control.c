/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A host's control file and trace: what a test asks for, and what has happened.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "sim/host.h"

static char *
lookup (char **lines, const char *key)
{
  gsize length = strlen (key);

  for (gsize i = 0; lines && lines[i]; i++) {
    if (g_str_has_prefix (lines[i], key) && lines[i][length] == '=')
      return g_strdup (g_strstrip (lines[i] + length + 1));
  }
  return NULL;
}

char *
host_control (const char *dir, const char *name, const char *key)
{
  g_autofree char *path = g_build_filename (dir, "control", NULL), *text = NULL;
  g_autofree char *own = name ? g_strdup_printf ("%s.%s", name, key) : NULL;
  g_auto (GStrv) lines = NULL;
  char *value;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return NULL;
  lines = g_strsplit (text, "\n", -1);
  value = own ? lookup (lines, own) : NULL;
  return value ? value : lookup (lines, key);
}

guint64
host_control_number (const char *dir, const char *name, const char *key, guint64 otherwise)
{
  g_autofree char *text = host_control (dir, name, key);

  return text ? g_ascii_strtoull (text, NULL, 10) : otherwise;
}

gboolean
host_control_point (const char *dir, const char *name, const char *what, const char *point)
{
  g_autofree char *text = host_control (dir, name, what);
  g_auto (GStrv) points = text ? g_strsplit (text, ",", -1) : NULL;

  return points && g_strv_contains ((const char *const *)points, point);
}

void
host_pause_at (const char *dir, const char *name, const char *point)
{
  gboolean told = FALSE;

  while (host_control_point (dir, name, "pause", point)) {
    if (!told)
      host_trace (dir, "paused-at %s %s", name ? name : "-", point);
    told = TRUE;
    g_usleep (5000);
  }
}

static gboolean
matches (const char *dir, const char *name, const char *what, const char *point)
{
  g_autofree char *text = host_control (dir, name, what);
  g_auto (GStrv) patterns = text ? g_strsplit (text, ",", -1) : NULL;

  for (gsize i = 0; patterns && patterns[i]; i++) {
    if (g_pattern_match_simple (g_strstrip (patterns[i]), point))
      return TRUE;
  }
  return FALSE;
}

/* Changes each time the control file is written. */
static char *
control_version (const char *dir)
{
  g_autofree char *path = g_build_filename (dir, "control", NULL);
  struct stat status = { 0 };

  (void)stat (path, &status);
  return g_strdup_printf ("%ju %jd.%09ld", (uintmax_t)status.st_ino, (intmax_t)status.st_mtim.tv_sec,
                          status.st_mtim.tv_nsec);
}

gboolean
host_control_strikes (const char *dir, const char *name, const char *what, const char *point)
{
  g_autofree char *before = NULL, *version = control_version (dir), *all = NULL, *digest = NULL, *path = NULL;
  xf_autofd fd = -1;
  gboolean found;

  /* Reads until the content and the version belong together. */
  do {
    g_free (before);
    before = g_steal_pointer (&version);
    found = matches (dir, name, what, point);
    version = control_version (dir);
  } while (strcmp (before, version) != 0);
  if (!found)
    return FALSE;
  all = g_strjoin (" ", version, what, point, name, NULL);
  digest = g_compute_checksum_for_string (G_CHECKSUM_SHA256, all, -1);
  path = host_path (dir, "struck/%s", digest);
  fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  return fd >= 0;
}

void
host_trace (const char *dir, const char *format, ...)
{
  g_autofree char *path = g_build_filename (dir, "trace", NULL), *words = NULL, *line = NULL;
  xf_autofd fd = open (path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  va_list args;

  va_start (args, format);
  words = g_strdup_vprintf (format, args);
  va_end (args);
  line = g_strdup_printf ("%" G_GINT64_FORMAT " %s\n", g_get_monotonic_time () * 1000, words);
  if (fd < 0 || write (fd, line, strlen (line)) < 0)
    g_warning ("cannot write the trace: %s", g_strerror (errno));
}
