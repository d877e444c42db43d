/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each file of the directory CORPUS (an environment variable): unchanged, cut, and with changed bytes. The changes are
 * the same each time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define CHANGES 2000

/* A random position, most often near the beginning, where the numbers are. */
static gsize
somewhere (GRand *chance, gsize size)
{
  gsize span = g_rand_boolean (chance) ? MIN (size, 512) : size;

  return (gsize)g_rand_int_range (chance, 0, (gint32)span);
}

static void
change (GRand *chance, guint8 *data, gsize size)
{
  static const guint32 numbers[] = { 0,    1,    7, 0x7fffffff, 0x80000000, 0xffffffff, 128u << 20, (128u << 20) + 1,
                                     1024, 16385 };
  int times = g_rand_int_range (chance, 1, 4);

  for (int i = 0; i < times; i++) {
    gsize at = somewhere (chance, size);

    if (g_rand_boolean (chance))
      data[at] ^= 1 << g_rand_int_range (chance, 0, 8);
    else if (size - (at & ~(gsize)3) >= 4)
      memcpy (data + (at & ~(gsize)3), &numbers[g_rand_int_range (chance, 0, G_N_ELEMENTS (numbers))], 4);
  }
}

static void
replay (gconstpointer path)
{
  g_autoptr (GRand) chance = g_rand_new_with_seed (5);
  g_autofree char *data = NULL;
  gsize size;

  g_assert_true (g_file_get_contents (path, &data, &size, NULL));
  LLVMFuzzerTestOneInput ((const guint8 *)data, size);
  for (guint i = 0; size > 0 && i < CHANGES; i++) {
    g_autofree guint8 *copy = g_memdup2 (data, size);
    gsize length = i % 4 ? size : somewhere (chance, size);

    change (chance, copy, size);
    LLVMFuzzerTestOneInput (copy, length);
  }
}

int
main (int argc, char **argv)
{
  const char *directory = getenv ("CORPUS");
  GDir *files;
  const char *name;
  int rc;
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);

  g_test_init (&argc, &argv, NULL);
  files = directory ? g_dir_open (directory, 0, NULL) : NULL;
  g_assert_nonnull (files);
  while ((name = g_dir_read_name (files))) {
    g_autofree char *test = g_strdup_printf ("/replay/%s", name);

    g_ptr_array_add (paths, g_build_filename (directory, name, NULL));
    g_test_add_data_func (test, paths->pdata[paths->len - 1], replay);
  }
  g_dir_close (files);
  g_assert_cmpuint (paths->len, >, 0);
  rc = g_test_run ();
  return rc;
}
