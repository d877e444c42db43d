/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * xenferry-save-helper: what libxl starts (LIBXL_SAVE_HELPER) instead of its own save helper. It becomes that helper,
 * with the same arguments and descriptors, and for a save with xenferry-precopy.so loaded into it. It knows nothing
 * about the arguments that follow the mode. If the library is not beside this program, libxl's helper runs as always.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "xenferry-precopy.so"
/* In the environment, from the daemon: the helper that libxl would start. */
#define NEXT "XENFERRY_SAVE_HELPER"

/* The path of LIBRARY beside this program; NULL: it cannot be loaded. */
static const char *
library (void)
{
  static char path[PATH_MAX];
  ssize_t length = readlink ("/proc/self/exe", path, sizeof (path) - sizeof (LIBRARY));
  char *name;

  if (length <= 0)
    return NULL;
  path[length] = '\0';
  name = strrchr (path, '/') + 1;
  if ((size_t)(name - path) > sizeof (path) - sizeof (LIBRARY))
    return NULL;
  memcpy (name, LIBRARY, sizeof (LIBRARY));
  /* The loader would split it there. */
  return strpbrk (path, " :") || faccessat (AT_FDCWD, path, R_OK, 0) != 0 ? NULL : path;
}

static void
load (const char *path)
{
  const char *before = getenv ("LD_PRELOAD");
  char *all;

  if (asprintf (&all, "%s%s%s", path, before ? ":" : "", before ? before : "") < 0)
    return;
  (void)setenv ("LD_PRELOAD", all, 1);
  free (all);
}

int
main (int argc, char **argv)
{
  const char *next = getenv (NEXT), *path = library ();
  char *helper = next ? strdup (next) : NULL;

  if (!helper || argc < 2) {
    fprintf (stderr, "xenferry-save-helper: only xenferryd's libxl starts this program (" NEXT ")\n");
    return 127;
  }
  /* For this process only: a helper that is this program again would start itself for ever. */
  (void)unsetenv (NEXT);
  if (path && strcmp (argv[1], "--save-domain") == 0)
    load (path);
  argv[0] = helper;
  (void)execv (helper, argv);
  perror (helper);
  return 127;
}
