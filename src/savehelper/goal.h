/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The goal of one live migration, shared by the daemon and the process that saves the guest: a small file in memory,
 * DIR/DOMID. The daemon writes the limits, at any time; the saving process reads them at each decision and writes what
 * it has found. A file counts only for a child of the daemon that has made it: one that a daemon left behind has no
 * effect. Neither side waits for the other, and each value stands alone. No GLib: libxl's save helper loads this code.
 */
#pragma once

#include "savehelper/policy.h"

/* In the environment of the saving process: DIR. */
#define XF_GOAL_ENVIRONMENT "XENFERRY_PRECOPY"

typedef struct XfGoal XfGoal;

/* What the saving process has found. */
typedef struct {
  bool is_used;         /* it asks the policy: the limits are kept */
  bool is_aborted;      /* the policy has ended the save */
  uint64_t passes;      /* complete */
  uint64_t left;        /* pages that were dirty after them */
  uint64_t expected_ms; /* for these pages; UINT64_MAX: not known */
  uint64_t downtime_ms; /* the limit at the last decision */
} XfGoalReport;

/* The daemon's side. Makes DIR if it is missing, and the file; NULL with errno. */
XfGoal *xf_goal_create (const char *dir, uint32_t domid);
void xf_goal_set (XfGoal *goal, const XfPolicyLimits *limits);
void xf_goal_read (const XfGoal *goal, XfGoalReport *report_out);

/* The saving process's side; NULL: this save has no goal. */
XfGoal *xf_goal_open (const char *dir, uint32_t domid);

/* The answer to one of libxenguest's questions: @dirty < 0 after a pass. @left is called then, and returns the number
 * of pages that are dirty now, or -1. */
XfPolicyDecision xf_goal_decide (XfGoal *goal, uint32_t passes, int64_t dirty, int64_t (*left) (void *data),
                                 void *data);

/* Frees; @goal may be NULL. The creator's call removes the file. */
void xf_goal_free (XfGoal *goal);
