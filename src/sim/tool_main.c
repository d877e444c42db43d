/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * xenferry-sim DIR COMMAND: shows a simulated host, and does what a guest or an administrator of it would do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/host.h"

static const char *const state_names[] = {
  [SIM_RUNNING] = "running",   [SIM_SUSPENDED] = "suspended", [SIM_SHUTDOWN] = "shutdown",
  [SIM_BUILDING] = "building", [SIM_DYING] = "dying",
};

static void
print_domain (const SimBlock *block)
{
  const char *state = block->state == SIM_RUNNING && block->paused ? "paused" : state_names[block->state];

  printf ("domid=%u name=%s uuid=", block->domid, block->name);
  for (int i = 0; i < 16; i++)
    printf ("%02x%s", block->uuid[i], i == 3 || i == 5 || i == 7 || i == 9 ? "-" : "");
  printf (" state=%s counter=%" G_GUINT64_FORMAT " kib=%" G_GUINT64_FORMAT " pid=%d tty=%s\n", state, block->counter,
          block->n_pages * (SIM_PAGE / 1024), block->guest_pid, block->tty);
}

static int
list (const char *dir, SimBlock *block)
{
  g_autoptr (GArray) ids = host_domains (dir);

  for (guint i = 0; i < ids->len; i++) {
    SimBlock *one = host_block_map (dir, g_array_index (ids, guint32, i));

    if (one)
      print_domain (one);
    host_block_unmap (one);
  }
  return 0;
}

static int
hash (const char *dir, SimBlock *block)
{
  guint8 *memory = host_memory_map (dir, block, FALSE);
  g_autofree char *digest = memory ? g_compute_checksum_for_data (G_CHECKSUM_SHA256, memory, block->n_pages * SIM_PAGE)
                                   : NULL;

  printf ("%s\n", digest ? digest : "");
  return digest ? 0 : 1;
}

static int
ask (SimBlock *block, SimAsk what)
{
  block->ask = what;
  host_kick (block);
  return 0;
}

static int
shut_down (const char *dir, SimBlock *block)
{
  return ask (block, SIM_ASK_SHUTDOWN);
}

static int
reboot (const char *dir, SimBlock *block)
{
  return ask (block, SIM_ASK_REBOOT);
}

static int
crash (const char *dir, SimBlock *block)
{
  return ask (block, SIM_ASK_CRASH);
}

static int
destroy (const char *dir, SimBlock *block)
{
  return host_domain_destroy (dir, block->domid) ? 0 : 1;
}

static int
destroy_all (const char *dir, SimBlock *block)
{
  g_autoptr (GArray) ids = host_domains (dir);

  for (guint i = 0; i < ids->len; i++)
    (void)host_domain_remove (dir, g_array_index (ids, guint32, i));
  return 0;
}

static int
boot (const char *dir, SimBlock *block)
{
  host_boot (dir);
  return 0;
}

static int
calls (const char *dir, SimBlock *block)
{
  printf ("%u\n", host_calls_count (dir));
  return 0;
}

static int
reset_calls (const char *dir, SimBlock *block)
{
  host_calls_reset (dir);
  return 0;
}

static const struct {
  const char *name;
  const char *word; /* argument; NULL: none, or a guest's name */
  gboolean of_guest;
  int (*run) (const char *dir, SimBlock *block);
  const char *help;
} commands[] = {
  { "list", NULL, FALSE, list, "one line per domain" },
  { "hash", NULL, TRUE, hash, "SHA-256 of its memory" },
  { "shutdown", NULL, TRUE, shut_down, "the guest powers itself off" },
  { "reboot", NULL, TRUE, reboot, "the guest reboots itself" },
  { "crash", NULL, TRUE, crash, "the guest crashes" },
  { "destroy", NULL, TRUE, destroy, "as xl destroy" },
  { "destroy-all", NULL, FALSE, destroy_all, "every domain; for the end of a test" },
  { "boot", NULL, FALSE, boot, "the host boots; its daemon must have ended" },
  { "calls", NULL, FALSE, calls, "the number of libxl calls" },
  { "calls", "reset", FALSE, reset_calls, "counts from 1 again" },
};

static SimBlock *
find (const char *dir, const char *name)
{
  g_autoptr (GArray) ids = host_domains (dir);

  for (guint i = 0; i < ids->len; i++) {
    SimBlock *block = host_block_map (dir, g_array_index (ids, guint32, i));

    if (block && strcmp (block->name, name) == 0)
      return block;
    host_block_unmap (block);
  }
  return NULL;
}

static int
usage (void)
{
  fprintf (stderr, "usage: xenferry-sim DIR COMMAND [NAME]\n");
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++) {
    const char *after = commands[i].of_guest ? "NAME" : commands[i].word;

    fprintf (stderr, "  %-12s %-5s %s\n", commands[i].name, after ? after : "", commands[i].help);
  }
  return 2;
}

int
main (int argc, char **argv)
{
  for (gsize i = 0; argc >= 3 && i < G_N_ELEMENTS (commands); i++) {
    SimBlock *block = NULL;

    if (strcmp (argv[2], commands[i].name) != 0 || argc != 3 + (commands[i].of_guest || commands[i].word)
        || (commands[i].word && strcmp (argv[3], commands[i].word) != 0))
      continue;
    if (commands[i].of_guest) {
      block = find (argv[1], argv[3]);
      if (!block) {
        fprintf (stderr, "there is no domain '%s' on this host\n", argv[3]);
        return 1;
      }
    }
    return commands[i].run (argv[1], block);
  }
  return usage ();
}
