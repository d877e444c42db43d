/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * When a live save stops its guest. libxenguest asks before each pass over the dirty pages, whose number it knows, and
 * after each pass. A pass, once begun, is always sent while the guest runs, so what the guest waits for is what it has
 * dirtied during the last pass: the answer after a pass decides. Pure: no clock, no I/O, no GLib, because this code
 * also runs inside libxl's save helper.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define XF_POLICY_PAGE_SIZE 4096

/* libxenguest's own rule: at most so many passes, or as soon as fewer pages than that were dirty. */
#define XF_POLICY_OWN_PASSES 5
#define XF_POLICY_FEW_PAGES 50

/* The values are libxenguest's (XGS_POLICY_*). */
typedef enum {
  XF_POLICY_ABORT = -1,
  XF_POLICY_CONTINUE = 0,
  XF_POLICY_STOP = 1,
} XfPolicyDecision;

typedef struct {
  uint64_t downtime_ms; /* the longest that the last pass may take; 0: libxenguest's own rule decides */
  uint64_t passes;      /* after so many passes it is not going to get shorter */
  bool abort;           /* then: the save fails, and the guest runs on; else the guest is stopped all the same */
  uint64_t rate;        /* bytes that the destination takes a second; 0: not known yet */
} XfPolicyLimits;

/* What the passes so far have shown. All zero at the start. */
typedef struct {
  uint64_t pass_pages;  /* of the pass under way, or just ended */
  uint64_t expected_ms; /* what the last pass would take if the guest were stopped now; UINT64_MAX: not known */
} XfPolicy;

/* The time in ms for @pages at @rate bytes a second, rounded up; UINT64_MAX if the rate is 0. */
uint64_t xf_policy_expected_ms (uint64_t pages, uint64_t rate);

/* A pass over @dirty pages is about to begin, after @passes complete ones. */
XfPolicyDecision xf_policy_before_pass (XfPolicy *policy, const XfPolicyLimits *limits, uint32_t passes,
                                        uint64_t dirty);

/* @passes passes are complete. @left: pages that are dirty now; -1: not known, and then no more than in the pass that
 * has just ended is assumed. */
XfPolicyDecision xf_policy_after_pass (XfPolicy *policy, const XfPolicyLimits *limits, uint32_t passes, int64_t left);
