/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The only place where the pump waits. The data path is straight code over non-blocking descriptors. While it waits
 * here, the pump reads commands, keeps the pace and reports counters:
 *
 *   control  lines from the parent: "rate BYTES" (per second, 0: none), "abort", "end" (the input is complete);
 *            end of file: the parent has ended
 *   report   a JSON line every half second and a last one with "end" or "error"
 */
#pragma once

#include <glib.h>

typedef struct {
  guint64 in, out;                /* bytes read and written */
  guint64 frames, stored, packed; /* frames; of them stored, compressed */
  guint64 zeros;                  /* bytes of zeros that were not sent */
  guint64 stalls_in, stalls_out;  /* how often it waited for either side */
  guint64 wait_in_us, wait_out_us, wait_rate_us;
  guint64 records, pages, data_pages, passes;
} XfPumpCounts;

typedef struct {
  int control, report; /* -1: none; not owned */
  guint64 rate;        /* bytes per second; 0: no limit */
  gint64 tokens;       /* bytes that may be moved now; negative: owed */
  gint64 filled_us;
  gint64 report_due_us, started_us;
  gboolean needs_word, word; /* the input's end counts only after the parent's "end"; got it */
  GString *line;             /* an incomplete line of control */
  XfPumpCounts own, *counts; /* the counters: own, or memory that another process reads */
  /* Processes that do part of the work (pump/legs.h): their counters are added to the report's, and each keeps its
   * share of the pace. Borrowed. */
  const XfPumpCounts *legs;
  const int *paced_legs;
  guint n_legs, n_paced_legs;
} XfPumpLoop;

/* Either descriptor may be -1. @rate: bytes per second, 0: no limit. @counts: the counters; NULL: the loop's own. */
void xf_loop_init (XfPumpLoop *loop, int control, int report, guint64 rate, XfPumpCounts *counts);
void xf_loop_clear (XfPumpLoop *loop);

/* The pace of one of @n processes that share @rate: 0 only if @rate is 0. */
guint64 xf_loop_share (guint64 rate, guint n);

/* Waits until @fd is ready for @events (POLLIN or POLLOUT) or has hung up. FALSE: aborted. */
gboolean xf_loop_wait (XfPumpLoop *loop, int fd, short events, GError **error);

/* Waits until bytes may be moved within the pace, and returns their number: 1 to @bytes; 0: aborted. The bucket holds
 * 50 ms, so a new pace applies at once. Return unused bytes with xf_loop_give_back(). */
gsize xf_loop_take (XfPumpLoop *loop, gsize bytes, GError **error);
void xf_loop_give_back (XfPumpLoop *loop, gsize bytes);

/* Sends a command to the process at the other end of @line. */
void xf_loop_command (int line, const char *command);

/* Waits for the parent's "end" for the stream, if one is needed. */
#define XF_LOOP_END "end"
gboolean xf_loop_wait_word (XfPumpLoop *loop, GError **error);

/* Reads commands and reports without waiting: for long work that never waits. */
gboolean xf_loop_look (XfPumpLoop *loop, GError **error);

/* Writes the last line; @failure NULL: success. */
void xf_loop_report_end (XfPumpLoop *loop, const GError *failure);
