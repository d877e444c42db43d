/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Process 1 of a test guest on real Xen. It counts, and its console lines show whether a migration was correct:
 *
 *   XF name n=N up=SECONDS rt=SECONDS gap=MS max=MS bad=PAGES disk=ERRORS
 *
 *   n      the number of this line; a repeat or a gap means that the guest ran twice, or from an old copy
 *   up     the guest's monotonic clock, which stops while the guest is suspended
 *   rt     wall clock
 *   gap    longest time between two ticks since the last line, by the wall clock: the downtime of a migration
 *   max    the longest gap since the start
 *   bad    pages with a content that the guest had not written
 *   disk   blocks that did not read back as written
 *
 * Kernel arguments: xf.name= xf.mb= (memory that it writes) xf.pages= (pages that it writes per tick) xf.tick= (ms)
 * xf.every= (ticks per line) xf.disk=1 (uses /dev/xvda) xf.ip=ADDRESS xf.deaf=1 (never answers a suspend request).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096u
#define WORDS (PAGE / sizeof (uint64_t))
#define DISK_BLOCKS 1024u

static char cmdline[4096];

/* The text after "xf.KEY=" on the kernel's command line, or @fallback. */
static const char *
option (const char *key, const char *fallback)
{
  static char values[16][64];
  static unsigned used;
  char wanted[32];
  snprintf (wanted, sizeof wanted, "xf.%s=", key);
  const char *found = strstr (cmdline, wanted);
  if (!found || used == 16)
    return fallback;
  char *value = values[used++];
  snprintf (value, sizeof values[0], "%.*s", (int)strcspn (found + strlen (wanted), " \n"), found + strlen (wanted));
  return value;
}

static double
now (clockid_t clock)
{
  struct timespec t;
  clock_gettime (clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
load_module (const char *path)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return;
  if (syscall (SYS_finit_module, fd, "", 0) != 0)
    printf ("XF module %s: %s\n", path, strerror (errno));
  close (fd);
}

static void
read_cmdline (void)
{
  int fd = open ("/proc/cmdline", O_RDONLY | O_CLOEXEC);
  ssize_t got = fd < 0 ? -1 : read (fd, cmdline, sizeof cmdline - 1);
  cmdline[got > 0 ? got : 0] = '\0';
  if (fd >= 0)
    close (fd);
}

static bool
set_address (const char *address)
{
  int s = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request = { .ifr_name = "eth0" };
  struct sockaddr_in *in = (struct sockaddr_in *)&request.ifr_addr;
  in->sin_family = AF_INET;
  inet_pton (AF_INET, address, &in->sin_addr);
  bool ok = ioctl (s, SIOCSIFADDR, &request) == 0;
  inet_pton (AF_INET, "255.255.255.0", &in->sin_addr);
  ok = ok && ioctl (s, SIOCSIFNETMASK, &request) == 0 && ioctl (s, SIOCGIFFLAGS, &request) == 0;
  request.ifr_flags |= IFF_UP | IFF_RUNNING;
  ok = ok && ioctl (s, SIOCSIFFLAGS, &request) == 0;
  close (s);
  return ok;
}

/* Devices appear after the kernel has started this program: tries for ten seconds. */
static bool
patiently (bool (*attempt) (const char *), const char *argument)
{
  for (int i = 0; i < 100; i++) {
    if (attempt (argument))
      return true;
    usleep (100 * 1000);
  }
  return false;
}

static int disk = -1;

static bool
open_disk (const char *path)
{
  disk = open (path, O_RDWR | O_DIRECT | O_SYNC | O_CLOEXEC);
  return disk >= 0;
}

/* Reads what the last call wrote, and writes @n: the guest must find the same disk on both hosts. */
static unsigned
use_disk (uint64_t n)
{
  static uint64_t *block;
  unsigned errors = 0;
  if (!block && posix_memalign ((void **)&block, PAGE, PAGE) != 0)
    return 1;
  off_t previous = (off_t)PAGE * (off_t)((n - 1) % DISK_BLOCKS);
  if (n > 0 && (pread (disk, block, PAGE, previous) != (ssize_t)PAGE || block[0] != n - 1))
    errors++;
  memset (block, 0, PAGE);
  block[0] = n;
  if (pwrite (disk, block, PAGE, (off_t)PAGE * (off_t)(n % DISK_BLOCKS)) != (ssize_t)PAGE)
    errors++;
  return errors;
}

struct memory {
  uint64_t *words;
  uint64_t *expected;
  size_t pages, at;
};

static bool
memory_init (struct memory *m, size_t mib)
{
  m->pages = (mib ? mib : 1) << 8;
  m->words = mmap (NULL, m->pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  m->expected = calloc (m->pages, sizeof (uint64_t));
  if (m->words == MAP_FAILED || !m->expected)
    return false;
  for (size_t page = 0; page < m->pages; page++) {
    m->expected[page] = page * 2654435761u;
    for (size_t i = 0; i < WORDS; i++)
      m->words[page * WORDS + i] = m->expected[page];
  }
  return true;
}

/* Checks the next @count pages, then writes them again. Returns how many were wrong. */
static unsigned
memory_turn (struct memory *m, unsigned count, uint64_t seed)
{
  unsigned bad = 0;
  while (count-- > 0) {
    uint64_t *page = m->words + m->at * WORDS;
    uint64_t was = m->expected[m->at];
    bad += page[0] != was || page[WORDS / 2] != was || page[WORDS - 1] != was;
    m->expected[m->at] = seed * 1000003u + m->at;
    for (size_t i = 0; i < WORDS; i++)
      page[i] = m->expected[m->at];
    m->at = (m->at + 1) % m->pages;
  }
  return bad;
}

/* A real-time process that never sleeps: on a single CPU the kernel's thread that answers suspend does not run. */
static void
go_deaf (void)
{
  int fd = open ("/proc/sys/kernel/sched_rt_runtime_us", O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write (fd, "-1", 2) != 2)
    printf ("XF real-time throttling stays\n");
  if (fd >= 0)
    close (fd);
  struct sched_param top = { .sched_priority = 99 };
  if (sched_setscheduler (0, SCHED_FIFO, &top) != 0)
    printf ("XF no real-time priority: %s\n", strerror (errno));
}

static void
wait_tick (double ms, bool deaf)
{
  if (!deaf) {
    usleep ((useconds_t)(ms * 1000));
    return;
  }
  for (double end = now (CLOCK_MONOTONIC) + ms / 1000; now (CLOCK_MONOTONIC) < end;)
    ;
}

/* When Xen asks for it, the kernel starts /sbin/poweroff or /sbin/reboot, which are this program. */
static int
end_machine (const char *name)
{
  if (strstr (name, "poweroff"))
    reboot (RB_POWER_OFF);
  else
    reboot (RB_AUTOBOOT);
  return 1;
}

int
main (int argc, char **argv)
{
  if (getpid () != 1)
    return end_machine (argc > 0 ? argv[0] : "");
  mount ("proc", "/proc", "proc", 0, "");
  mount ("dev", "/dev", "devtmpfs", 0, "");
  int console = open ("/dev/console", O_RDWR);
  for (int fd = 0; fd < 3 && console >= 0; fd++)
    dup2 (console, fd);
  setvbuf (stdout, NULL, _IOLBF, 0);
  read_cmdline ();
  load_module ("/modules/xen-netfront.ko");
  load_module ("/modules/xen-blkfront.ko");

  const char *name = option ("name", "guest");
  const char *address = option ("ip", NULL);
  double tick = atof (option ("tick", "20"));
  unsigned every = (unsigned)atoi (option ("every", "10"));
  unsigned pages = (unsigned)atoi (option ("pages", "16"));
  bool deaf = atoi (option ("deaf", "0"));
  struct memory memory = { 0 };
  if (!memory_init (&memory, (size_t)atol (option ("mb", "16"))))
    printf ("XF %s: no memory\n", name);
  if (address && !patiently (set_address, address))
    printf ("XF %s: no network\n", name);
  if (atoi (option ("disk", "0")) && !patiently (open_disk, "/dev/xvda"))
    printf ("XF %s: no disk\n", name);
  if (deaf)
    go_deaf ();

  uint64_t n = 0, bad = 0, errors = 0;
  double began = now (CLOCK_MONOTONIC), last = now (CLOCK_REALTIME), gap = 0, max = 0;
  for (uint64_t ticks = 1;; ticks++) {
    wait_tick (tick, deaf);
    double at = now (CLOCK_REALTIME);
    gap = at - last > gap ? at - last : gap;
    last = at;
    bad += memory_turn (&memory, pages, ticks);
    if (ticks % every)
      continue;
    if (disk >= 0)
      errors += use_disk (n);
    max = gap > max ? gap : max;
    printf ("XF %s n=%llu up=%.3f rt=%.3f gap=%.0f max=%.0f bad=%llu disk=%llu\n", name, (unsigned long long)n++,
            now (CLOCK_MONOTONIC) - began, at, gap * 1000, max * 1000, (unsigned long long)bad,
            (unsigned long long)errors);
    gap = 0;
  }
}
