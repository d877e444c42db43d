/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * xenferry-sim-helper: the simulator's libxl-save-helper. It works, blocking, on the stream's descriptor and reports to
 * the daemon in lines on a pipe:
 *
 *   progress DONE TOTAL WHAT        libxc's arguments of xentoollog's progress hook
 *   running                     the first line of a restore
 *   too-early                   the stream of a restore ends or is invalid before libxl would have started its helper
 *   asking                      the guest is asked to suspend
 *   acknowledged                the guest acknowledged the request and has not stopped in time
 *   suspended
 *   result RC
 *
 *   xenferry-sim-helper save DIR DOMID FD LIVE      (descriptor 3 is the pipe)
 *   xenferry-sim-helper restore DIR DOMID FD
 */
#pragma once

#include "sim/host.h"

typedef struct {
  const char *dir;
  const char *name; /* the guest's name */
  guint32 domid;
  SimBlock *block;
  guint8 *memory;
  int fd;     /* the stream */
  int report; /* to the daemon */
  gboolean live;
  gboolean synthetic; /* synthetic.h */
} Helper;

/* Each returns libxl's return code. */
int helper_save (Helper *helper);
int helper_restore (Helper *helper);

void helper_report (Helper *helper, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* A named point of the work, where the control file may pause it, make it fail (returns a code other than 0), or kill
 * it. */
int helper_point (Helper *helper, const char *point);

/* Adds "WORD NAME sha256 HEX" to the trace if the control file says hash=1. */
void helper_trace_hash (Helper *helper, const char *word);
