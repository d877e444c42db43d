/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * xenferry-sim-guest DIR DOMID: a guest. It counts, prints each number on its console, and keeps dirtying its memory.
 * Its whole state is in that memory, so a migrated guest continues where it was; this process is only its processor.
 *
 * Each write of the guest goes through guest_wrote(), which is the hypervisor's log-dirty: it sets the page's bit after
 * the write. So a saver that clears the bit and then reads the page either reads the write or finds the bit set again.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "sim/host.h"

typedef struct {
  const char *dir;
  SimBlock *block;
  guint8 *memory;
  int console; /* master side of the pty */
  int tty;     /* kept open, so that the console works without readers */
  int log;
  gint64 suspend_us; /* when the acknowledged suspend takes effect; 0: none */
} Guest;

static void
guest_wrote (Guest *guest, guint64 page)
{
  if (guest->block->log_dirty)
    atomic_fetch_or (&guest->block->dirty[page / 64], G_GUINT64_CONSTANT (1) << (page % 64));
}

static SimGuestState *
state_of (Guest *guest)
{
  return (gpointer)guest->memory;
}

static guint64
next_random (SimGuestState *state)
{
  state->random ^= state->random << 13;
  state->random ^= state->random >> 7;
  state->random ^= state->random << 17;
  return state->random;
}

/* Fills part of a new guest's memory with contents that do not compress. */
static void
boot (Guest *guest)
{
  SimGuestState *state = state_of (guest);
  guint64 percent = host_control_number (guest->dir, guest->block->name, "fill-percent", 25);
  guint64 pages = guest->block->n_pages * MIN (percent, 100) / 100;

  if (host_control_number (guest->dir, guest->block->name, "synthetic", 0))
    pages = 0; /* generated when needed (synthetic.h) */
  *state = (SimGuestState){ .magic = SIM_GUEST_MAGIC, .random = 0x9e3779b97f4a7c15 ^ guest->block->domid };
  for (guint64 page = 1; page < pages; page++) {
    guint64 *words = (gpointer)(guest->memory + page * SIM_PAGE);

    for (gsize i = 0; i < SIM_PAGE / sizeof (*words); i++)
      words[i] = next_random (state);
  }
}

static void
print_line (Guest *guest, const char *text)
{
  g_autofree char *on_console = g_strdup_printf ("%s\r\n", text);
  g_autofree char *in_log = g_strdup_printf ("%s %" G_GINT64_FORMAT "\n", text, (gint64)g_get_monotonic_time () * 1000);

  /* The console may have no reader: output that does not fit is lost, as on a real one. */
  if (write (guest->console, on_console, strlen (on_console)) < 0 && errno != EAGAIN)
    return;
  if (write (guest->log, in_log, strlen (in_log)) < 0)
    return;
}

static void
beat (Guest *guest)
{
  SimGuestState *state = state_of (guest);
  g_autofree char *line = NULL;

  state->counter++;
  guest_wrote (guest, 0);
  guest->block->counter = state->counter;
  line = g_strdup_printf ("%s heartbeat %" G_GUINT64_FORMAT, guest->block->name, state->counter);
  print_line (guest, line);
}

static void
dirty_some (Guest *guest, guint64 pages)
{
  SimGuestState *state = state_of (guest);

  for (guint64 i = 0; i < pages && guest->block->n_pages > 1; i++) {
    guint64 page = 1 + next_random (state) % (guest->block->n_pages - 1);
    guint64 *word = (gpointer)(guest->memory + page * SIM_PAGE + 8 * (state->random % 512));

    *word = state->random;
    guest_wrote (guest, page);
  }
  guest_wrote (guest, 0);
}

static void
stop (Guest *guest, SimState state, int reason, const char *word)
{
  guest->block->shutdown_reason = reason;
  guest->block->state = state;
  guest->block->ask = SIM_ASK_NOTHING;
  host_trace (guest->dir, "%s %s %u", word, guest->block->name, guest->block->domid);
  host_kick (guest->block);
  host_notify (guest->dir, guest->block->domid);
}

static void
obey_suspend (Guest *guest)
{
  guint64 late_ms = host_control_number (guest->dir, guest->block->name, "late-suspend-ms", 0);

  if (host_control_number (guest->dir, guest->block->name, "refuse-suspend", 0))
    return;
  if (!late_ms) {
    stop (guest, SIM_SUSPENDED, LIBXL_SHUTDOWN_REASON_SUSPEND, "suspended");
    return;
  }
  guest->block->ask = SIM_ASK_NOTHING;
  guest->suspend_us = g_get_monotonic_time () + late_ms * 1000;
}

static void
obey (Guest *guest)
{
  switch ((SimAsk)guest->block->ask) {
  case SIM_ASK_SUSPEND:
    obey_suspend (guest);
    break;
  case SIM_ASK_SHUTDOWN:
    stop (guest, SIM_SHUTDOWN, LIBXL_SHUTDOWN_REASON_POWEROFF, "poweroff");
    break;
  case SIM_ASK_REBOOT:
    stop (guest, SIM_SHUTDOWN, LIBXL_SHUTDOWN_REASON_REBOOT, "reboot");
    break;
  case SIM_ASK_CRASH:
    stop (guest, SIM_SHUTDOWN, LIBXL_SHUTDOWN_REASON_CRASH, "crash");
    break;
  default:
    break;
  }
}

static void
wait_for_kick (Guest *guest, guint32 seen, guint64 ms)
{
  struct timespec timeout = { ms / 1000, ms % 1000 * 1000000 };

  syscall (SYS_futex, &guest->block->kick, FUTEX_WAIT, seen, &timeout, NULL, 0);
}

/* Returns never: the process is killed when the domain is destroyed. */
static void
run (Guest *guest)
{
  guint64 beat_ms = MAX (host_control_number (guest->dir, guest->block->name, "heartbeat-ms", 100), 1);
  guint64 dirty_per_s = host_control_number (guest->dir, guest->block->name, "dirty-pages", 500);
  guint64 tick_ms = MIN (beat_ms, 10), since_beat = 0, owed = 0; /* thousandths of a page */

  for (;;) {
    guint32 seen = guest->block->kick;

    /* A guest that does not run obeys no request. */
    if (guest->block->ask != SIM_ASK_NOTHING && guest->block->state == SIM_RUNNING && !guest->block->paused)
      obey (guest);
    if (guest->suspend_us && g_get_monotonic_time () > guest->suspend_us) {
      guest->suspend_us = 0;
      stop (guest, SIM_SUSPENDED, LIBXL_SHUTDOWN_REASON_SUSPEND, "suspended");
    }
    if (guest->block->state != SIM_RUNNING || guest->block->paused) {
      wait_for_kick (guest, seen, 1000);
      continue;
    }
    owed += guest->block->cap ? dirty_per_s * tick_ms * guest->block->cap / (100 * guest->block->vcpus)
                              : dirty_per_s * tick_ms;
    dirty_some (guest, owed / 1000);
    owed %= 1000;
    since_beat += tick_ms;
    if (since_beat >= beat_ms) {
      since_beat = 0;
      beat (guest);
    }
    guest->block->cpu_time_ns += tick_ms * 10000;
    wait_for_kick (guest, seen, tick_ms);
  }
}

/* Removes a domain that was destroyed after its time of dying. */
static void
linger (Guest *guest)
{
  g_usleep (host_control_number (guest->dir, guest->block->name, "linger-ms", 0) * 1000);
  guest->block->guest_pid = 0;
  (void)host_domain_remove (guest->dir, guest->block->domid);
}

static gboolean
open_console (Guest *guest)
{
  g_autofree char *path = host_path (guest->dir, "console/%s.log", guest->block->name);
  struct termios raw;

  if (openpty (&guest->console, &guest->tty, guest->block->tty, NULL, NULL) < 0)
    return FALSE;
  tcgetattr (guest->tty, &raw);
  cfmakeraw (&raw);
  tcsetattr (guest->tty, TCSANOW, &raw);
  (void)fcntl (guest->console, F_SETFL, O_NONBLOCK);
  guest->log = open (path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  return guest->log >= 0;
}

int
main (int argc, char **argv)
{
  Guest guest = { .dir = argc == 3 ? argv[1] : NULL };
  gboolean dying;
  pid_t pid;

  if (!guest.dir) {
    fprintf (stderr, "usage: xenferry-sim-guest DIR DOMID\n");
    return 2;
  }
  guest.block = host_block_map (guest.dir, atoi (argv[2]));
  guest.memory = guest.block ? host_memory_map (guest.dir, guest.block, TRUE) : NULL;
  dying = guest.block && guest.block->state == SIM_DYING;
  if (!guest.memory || (!dying && !open_console (&guest)))
    return 1;
  if (state_of (&guest)->magic != SIM_GUEST_MAGIC && guest.block->state == SIM_BUILDING)
    boot (&guest);
  pid = fork ();
  if (pid < 0)
    return 1;
  if (pid > 0) {
    /* Set before the caller continues: a call that destroys the domain needs the pid. */
    guest.block->guest_pid = pid;
    if (!dying)
      guest.block->state = SIM_RUNNING;
    _exit (0);
  }
  for (int fd = 0; fd < 3; fd++) {
    int null = open ("/dev/null", O_RDWR);

    dup2 (null, fd);
    if (null > 2)
      close (null);
  }
  prctl (PR_SET_NAME, "sim-guest", 0, 0, 0);
  if (dying)
    linger (&guest);
  else
    run (&guest);
  return 0;
}
