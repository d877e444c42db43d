/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * xenferry-sim-helper: what libxl-save-helper is to libxl. It works, blocking, on the stream's descriptor and tells
 * the daemon by lines on a pipe:
 *
 *   progress DONE TOTAL WHAT        libxc's words for xentoollog's progress hook
 *   running                     a restore's first
 *   too-early                   a restore's stream ends or is wrong before libxl would have started its helper
 *   asking                      the guest, to suspend
 *   acknowledged                by the guest, which has not stopped in time
 *   suspended
 *   result RC
 *
 *   xenferry-sim-helper save DIR DOMID FD LIVE      with the pipe as descriptor 3
 *   xenferry-sim-helper restore DIR DOMID FD
 */
#pragma once

#include "sim/host.h"

typedef struct {
  const char *dir;
  const char *name; /* the guest's */
  guint32 domid;
  SimBlock *block;
  guint8 *memory;
  int fd;     /* the stream */
  int report; /* to the daemon */
  gboolean live;
  gboolean synthetic; /* synthetic.h */
} Helper;

/* Each returns libxl's code. */
int helper_save (Helper *helper);
int helper_restore (Helper *helper);

void helper_report (Helper *helper, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* A named point of the work: it may be told to wait here, to fail (then a code other than 0), or to die. */
int helper_point (Helper *helper, const char *point);

/* "WORD NAME sha256 HEX" into the trace, when the control file says hash=1. */
void helper_trace_hash (Helper *helper, const char *word);
