/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/helper.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define REPORT_FD 3

void
helper_report (Helper *helper, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  /* The daemon has ended: the helper ends too, as libxl's does. */
  if (write (helper->report, text, strlen (text)) < 0)
    _exit (1);
}

int
helper_point (Helper *helper, const char *point)
{
  host_pause_at (helper->dir, helper->name, point);
  if (host_control_point (helper->dir, helper->name, "die", point)) {
    host_trace (helper->dir, "died-at %s %s", helper->name, point);
    raise (SIGKILL);
  }
  if (!host_control_point (helper->dir, helper->name, "fail", point))
    return 0;
  host_trace (helper->dir, "failed-at %s %s", helper->name, point);
  return ERROR_FAIL;
}

void
helper_trace_hash (Helper *helper, const char *word)
{
  g_autofree char *digest = NULL;

  if (!host_control_number (helper->dir, helper->name, "hash", 0))
    return;
  digest = g_compute_checksum_for_data (G_CHECKSUM_SHA256, helper->memory, helper->block->n_pages * SIM_PAGE);
  host_trace (helper->dir, "%s %s sha256 %s", word, helper->name, digest);
}

int
main (int argc, char **argv)
{
  Helper helper = { .report = REPORT_FD };
  gboolean save = argc == 6 && strcmp (argv[1], "save") == 0;
  g_autofree char *name = NULL;
  int rc;

  if (!save && (argc != 5 || strcmp (argv[1], "restore") != 0)) {
    fprintf (stderr, "usage: xenferry-sim-helper save DIR DOMID FD LIVE | restore DIR DOMID FD\n");
    return 2;
  }
  signal (SIGPIPE, SIG_IGN);
  prctl (PR_SET_PDEATHSIG, SIGKILL); /* it ends with its daemon */
  helper.dir = argv[2];
  helper.domid = atoi (argv[3]);
  helper.fd = atoi (argv[4]);
  /* As libxl does; libvirtd's sockets, for example, do not block. */
  (void)fcntl (helper.fd, F_SETFL, fcntl (helper.fd, F_GETFL) & ~O_NONBLOCK);
  helper.live = save && atoi (argv[5]);
  helper.block = host_block_map (helper.dir, helper.domid);
  helper.memory = helper.block ? host_memory_map (helper.dir, helper.block, !save) : NULL;
  name = g_strdup (helper.block ? helper.block->name : "");
  helper.name = name;
  helper.synthetic = host_control_number (helper.dir, helper.name, "synthetic", 0) != 0;
  rc = !helper.memory ? ERROR_DOMAIN_NOTFOUND : save ? helper_save (&helper) : helper_restore (&helper);
  helper_report (&helper, "result %d\n", rc);
  return 0;
}
