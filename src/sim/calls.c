/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The number of libxl calls on a host, by all its processes: a counter in DIR/calls, in shared memory. It has no lock:
 * a process that is stopped or killed at any instruction must not block the others.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "sim/host.h"

/* In one integer, so that both change together. */
#define COUNT(word) ((guint32)(word))
#define NTH(word) ((guint32)((word) >> 32))
#define WORD(nth, count) ((guint64)(nth) << 32 | (count))

typedef _Atomic guint64 Counter; /* the last "fail-nth" read, and the calls since it changed */

static Counter *
map_counter (const char *dir)
{
  g_autofree char *path = g_build_filename (dir, "calls", NULL);
  xf_autofd fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  void *map;

  if (fd < 0 || ftruncate (fd, sizeof (Counter)) < 0)
    return NULL;
  map = mmap (NULL, sizeof (Counter), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return map == MAP_FAILED ? NULL : map;
}

static void
unmap_counter (Counter *counter)
{
  munmap ((void *)counter, sizeof (*counter));
}

guint32
host_calls_add (const char *dir, gboolean *fails_out)
{
  g_autofree char *text = host_control (dir, NULL, "fail-nth");
  guint32 nth = text ? g_ascii_strtoull (text, NULL, 10) : 0;
  const char *otherwise = text ? NULL : getenv ("XF_SIM_FAIL_NTH");
  Counter *counter = map_counter (dir);
  guint64 old, new;

  *fails_out = FALSE;
  if (!counter)
    return 0;
  old = *counter;
  do
    new = WORD (nth, NTH (old) == nth ? COUNT (old) + 1 : 1);
  while (!atomic_compare_exchange_weak (counter, &old, new));
  unmap_counter (counter);
  if (otherwise)
    nth = g_ascii_strtoull (otherwise, NULL, 10);
  *fails_out = COUNT (new) == nth;
  return COUNT (new);
}

guint32
host_calls_count (const char *dir)
{
  Counter *counter = map_counter (dir);
  guint32 count = 0;

  if (counter) {
    count = COUNT (*counter);
    unmap_counter (counter);
  }
  return count;
}

void
host_calls_reset (const char *dir)
{
  Counter *counter = map_counter (dir);

  if (counter) {
    atomic_fetch_and (counter, ~(guint64)G_MAXUINT32);
    unmap_counter (counter);
  }
}
