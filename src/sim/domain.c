/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The domains of a simulated host.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "sim/host.h"

static int
lock_host (const char *dir)
{
  g_autofree char *path = g_build_filename (dir, "lock", NULL);
  int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

  if (fd >= 0)
    (void)flock (fd, LOCK_EX);
  return fd;
}

static guint32
next_domid (const char *dir)
{
  xf_autofd lock G_GNUC_UNUSED = lock_host (dir);
  g_autofree char *path = g_build_filename (dir, "last-domid", NULL), *text = NULL, *next = NULL;
  guint32 domid = 1;

  if (g_file_get_contents (path, &text, NULL, NULL))
    domid = g_ascii_strtoull (text, NULL, 10) + 1;
  next = g_strdup_printf ("%u", domid);
  (void)g_file_set_contents (path, next, -1, NULL);
  return domid;
}

static gsize
block_size (guint64 n_pages)
{
  return sizeof (SimBlock) + (n_pages + 63) / 64 * 8;
}

static SimBlock *
map_block_file (const char *path, gsize create_size)
{
  xf_autofd fd = open (path, O_RDWR | O_CLOEXEC | (create_size ? O_CREAT | O_EXCL : 0), 0644);
  struct stat status;
  void *map;

  if (fd < 0 || (create_size && ftruncate (fd, create_size) < 0) || fstat (fd, &status) < 0
      || (gsize)status.st_size < sizeof (SimBlock))
    return NULL;
  map = mmap (NULL, status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return map == MAP_FAILED ? NULL : map;
}

/* In /dev/shm, whichever disk holds the host's directory. */
static gboolean
make_memory (const char *dir, guint32 domid, guint64 n_pages)
{
  g_autofree char *link = host_path (dir, "domains/%u/memory", domid);
  char path[] = "/dev/shm/xenferry-sim-XXXXXX";
  xf_autofd fd = mkostemp (path, O_CLOEXEC);

  return fd >= 0 && ftruncate (fd, n_pages * SIM_PAGE) == 0 && symlink (path, link) == 0;
}

guint32
host_domain_new (const char *dir, const char *name, const guint8 *uuid, guint32 type, guint64 n_pages, guint32 vcpus,
                 const char *json)
{
  guint32 domid = next_domid (dir);
  g_autofree char *domain = host_path (dir, "domains/%u", domid);
  g_autofree char *config = g_build_filename (domain, "config.json", NULL);
  g_autofree char *path = g_build_filename (domain, "block", NULL);
  SimBlock *block;

  if (g_mkdir_with_parents (domain, 0755) < 0 || !g_file_set_contents (config, json, -1, NULL)
      || !make_memory (dir, domid, n_pages))
    return 0;
  block = map_block_file (path, block_size (n_pages));
  if (!block)
    return 0;
  block->domid = domid;
  block->type = type;
  block->n_pages = n_pages;
  block->vcpus = vcpus;
  memcpy (block->uuid, uuid, 16);
  g_strlcpy (block->name, name, sizeof (block->name));
  block->state = SIM_BUILDING;
  block->paused = 1;
  host_block_unmap (block);
  host_trace (dir, "created %s %u", name, domid);
  return domid;
}

static int
compare_ids (gconstpointer a, gconstpointer b)
{
  guint32 x = *(const guint32 *)a, y = *(const guint32 *)b;

  return x < y ? -1 : x > y;
}

GArray *
host_domains (const char *dir)
{
  GArray *ids = g_array_new (FALSE, FALSE, sizeof (guint32));
  g_autofree char *path = g_build_filename (dir, "domains", NULL);
  g_autoptr (GDir) listing = g_dir_open (path, 0, NULL);
  const char *name;

  while (listing && (name = g_dir_read_name (listing))) {
    guint32 domid = g_ascii_strtoull (name, NULL, 10);

    if (domid && g_ascii_isdigit (*name))
      g_array_append_val (ids, domid);
  }
  g_array_sort (ids, compare_ids);
  return ids;
}

SimBlock *
host_block_map (const char *dir, guint32 domid)
{
  g_autofree char *path = host_path (dir, "domains/%u/block", domid);

  return domid ? map_block_file (path, 0) : NULL;
}

void
host_block_unmap (SimBlock *block)
{
  if (block)
    munmap (block, block_size (block->n_pages));
}

guint64
host_block_kib (const SimBlock *block)
{
  return block->target_kib ? block->target_kib : block->n_pages * (SIM_PAGE / 1024);
}

guint8 *
host_memory_map (const char *dir, const SimBlock *block, gboolean writable)
{
  g_autofree char *path = host_path (dir, "domains/%u/memory", block->domid);
  xf_autofd fd = open (path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
  void *map;

  if (fd < 0)
    return NULL;
  map = mmap (NULL, block->n_pages * SIM_PAGE, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
  return map == MAP_FAILED ? NULL : map;
}

gboolean
host_guest_start (const char *dir, guint32 domid)
{
  g_autofree char *program = host_program ("xenferry-sim-guest"), *number = g_strdup_printf ("%u", domid);
  char *argv[] = { program, (char *)dir, number, NULL };
  posix_spawnattr_t attributes;
  pid_t pid;
  int status, rc;

  posix_spawnattr_init (&attributes);
  posix_spawnattr_setflags (&attributes, POSIX_SPAWN_SETSID);
  rc = posix_spawn (&pid, program, NULL, &attributes, argv, environ);
  posix_spawnattr_destroy (&attributes);
  /* It forks once more and its parent exits, so that the guest is not our child. */
  return rc == 0 && waitpid (pid, &status, 0) == pid && WIFEXITED (status) && WEXITSTATUS (status) == 0;
}

void
host_kick (SimBlock *block)
{
  atomic_fetch_add (&block->kick, 1);
  syscall (SYS_futex, &block->kick, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void
host_set_paused (const char *dir, SimBlock *block, gboolean paused)
{
  block->paused = paused;
  host_kick (block);
  host_trace (dir, "%s %s %u", paused ? "paused" : "unpaused", block->name, block->domid);
}

/* The files of a domain, and its memory. */
static void
remove_directory (const char *directory)
{
  g_autofree char *memory = g_build_filename (directory, "memory", NULL), *shared = g_file_read_link (memory, NULL);
  g_autoptr (GDir) listing = g_dir_open (directory, 0, NULL);
  const char *entry;

  if (shared)
    unlink (shared);
  while (listing && (entry = g_dir_read_name (listing))) {
    g_autofree char *path = g_build_filename (directory, entry, NULL);

    unlink (path);
  }
  rmdir (directory);
}

gboolean
host_domain_remove (const char *dir, guint32 domid)
{
  g_autofree char *domain = host_path (dir, "domains/%u", domid), *gone = host_path (dir, "domains/.%u", domid);
  SimBlock *block = host_block_map (dir, domid);
  g_autofree char *name = block ? g_strdup (block->name) : NULL;

  if (!block || rename (domain, gone) < 0) {
    host_block_unmap (block);
    return FALSE;
  }
  if (block->guest_pid > 0)
    kill (block->guest_pid, SIGKILL);
  host_block_unmap (block);
  remove_directory (gone);
  host_trace (dir, "destroyed %s %u", name, domid);
  host_notify (dir, domid);
  return TRUE;
}

/* As Xen keeps a domain while a page of it is still mapped somewhere: it never runs again, its memory is not free yet,
 * and its toolstack no longer lists it. */
static void
begin_dying (const char *dir, SimBlock *block)
{
  g_autofree char *config = host_path (dir, "domains/%u/config.json", block->domid);

  block->state = SIM_DYING;
  if (block->guest_pid > 0)
    kill (block->guest_pid, SIGKILL);
  unlink (config);
  host_trace (dir, "dying %s %u", block->name, block->domid);
  host_notify (dir, block->domid);
  if (!host_guest_start (dir, block->domid))
    g_warning ("domain %u stays dying: the process that removes it could not be started", block->domid);
}

gboolean
host_domain_destroy (const char *dir, guint32 domid)
{
  SimBlock *block = host_block_map (dir, domid);
  gboolean lingers = block && host_control_number (dir, block->name, "linger-ms", 0) > 0;

  if (lingers && block->state != SIM_DYING)
    begin_dying (dir, block);
  host_block_unmap (block);
  return lingers || host_domain_remove (dir, domid);
}

void
host_domains_remove (const char *dir)
{
  g_autofree char *domains = g_build_filename (dir, "domains", NULL);
  g_autoptr (GArray) ids = host_domains (dir);
  g_autoptr (GDir) listing = NULL;
  const char *entry;

  for (guint i = 0; i < ids->len; i++)
    (void)host_domain_remove (dir, g_array_index (ids, guint32, i));
  listing = g_dir_open (domains, 0, NULL);
  while (listing && (entry = g_dir_read_name (listing))) {
    g_autofree char *path = g_build_filename (domains, entry, NULL);

    remove_directory (path);
  }
}
