/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A simulated host's directory, memory and boots.
 */
#include "sim/host.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

#define DOM0_KIB (512 * 1024)
#define DEFAULT_MEMORY_MIB (16 * 1024)

const char *
host_dir (void)
{
  static const char *const parts[] = { "domains", "events", "console", "struck" };
  const char *dir = getenv ("XF_SIM_HOST");

  for (gsize i = 0; dir && i < G_N_ELEMENTS (parts); i++) {
    g_autofree char *path = g_build_filename (dir, parts[i], NULL);

    (void)g_mkdir_with_parents (path, 0755);
  }
  return dir;
}

char *
host_path (const char *dir, const char *format, ...)
{
  g_autofree char *tail = NULL;
  va_list args;

  va_start (args, format);
  tail = g_strdup_vprintf (format, args);
  va_end (args);
  return g_build_filename (dir, tail, NULL);
}

void
host_notify (const char *dir, guint32 domid)
{
  g_autofree char *path = host_path (dir, "events/%u", domid);
  xf_autofd fd = open (path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

  if (fd >= 0 && write (fd, ".", 1) < 0)
    g_warning ("cannot write '%s': %s", path, g_strerror (errno));
}

char *
host_program (const char *name)
{
  const char *dir = getenv ("XF_SIM_LIBEXEC");
  g_autofree char *own = NULL, *beside = NULL;
  Dl_info info;

  if (dir)
    return g_build_filename (dir, name, NULL);
  /* Beside the library if it is preloaded, in the build tree beside the daemon's folder, or installed. */
  if (dladdr ((void *)host_program, &info) && info.dli_fname && strchr (info.dli_fname, '/'))
    own = g_path_get_dirname (info.dli_fname);
  if (!own || strcmp (own, ".") == 0) {
    g_free (own);
    own = g_file_read_link ("/proc/self/exe", NULL);
    if (own) {
      char *directory = g_path_get_dirname (own);

      g_free (own);
      own = directory;
    }
  }
  for (int up = 0; own && up < 2; up++) {
    g_free (beside);
    beside = up ? g_build_filename (own, "..", "sim", name, NULL) : g_build_filename (own, name, NULL);
    if (g_file_test (beside, G_FILE_TEST_IS_EXECUTABLE))
      return g_steal_pointer (&beside);
  }
  return g_build_filename (SIM_LIBEXEC, name, NULL);
}

void
host_boot (const char *dir)
{
  static const char *const forgotten[] = { "last-domid", "dom0-kib" };
  g_autofree char *path = g_build_filename (dir, "boot-id", NULL), *id = g_uuid_string_random ();

  host_domains_remove (dir);
  for (gsize i = 0; i < G_N_ELEMENTS (forgotten); i++) {
    g_autofree char *file = g_build_filename (dir, forgotten[i], NULL);

    unlink (file);
  }
  if (!g_file_set_contents (path, id, -1, NULL))
    g_warning ("cannot write '%s'", path);
  host_trace (dir, "booted %s", id);
}

char *
host_boot_id (const char *dir)
{
  g_autofree char *path = g_build_filename (dir, "boot-id", NULL);
  char *id = NULL;

  return g_file_get_contents (path, &id, NULL, NULL) ? id : NULL;
}

guint64
host_total_kib (const char *dir)
{
  return host_control_number (dir, NULL, "memory-mib", DEFAULT_MEMORY_MIB) * 1024;
}

guint64
host_dom0_kib (const char *dir)
{
  g_autofree char *path = g_build_filename (dir, "dom0-kib", NULL), *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL) ? g_ascii_strtoull (text, NULL, 10) : DOM0_KIB;
}

gboolean
host_set_dom0_kib (const char *dir, guint64 kib)
{
  g_autofree char *path = g_build_filename (dir, "dom0-kib", NULL);
  g_autofree char *text = g_strdup_printf ("%" G_GUINT64_FORMAT "\n", kib);

  host_trace (dir, "dom0 %" G_GUINT64_FORMAT, kib);
  return g_file_set_contents (path, text, -1, NULL);
}

guint64
host_free_kib (const char *dir)
{
  g_autoptr (GArray) ids = host_domains (dir);
  /* With "dom0-keeps", dom0 has accepted a lower target and not given the memory back. */
  guint64 used = host_control_number (dir, NULL, "dom0-keeps", 0) ? DOM0_KIB : host_dom0_kib (dir),
          total = host_total_kib (dir);

  for (guint i = 0; i < ids->len; i++) {
    SimBlock *block = host_block_map (dir, g_array_index (ids, guint32, i));

    used += block ? host_block_kib (block) : 0;
    host_block_unmap (block);
  }
  return total > used ? total - used : 0;
}
