/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The pump's one waiting point. The data path is straight code over non-blocking descriptors; whatever waits, waits
 * here, and here only are commands read, the pace kept and counters told:
 *
 *   control  lines from the parent: "rate BYTES" (a second, 0: none), "abort", "end" (what ended was all there is); its
 *            end is the parent's
 *   report   a JSON line each half second and a last one with "end" or "error"
 */
#pragma once

#include <glib.h>

typedef struct {
  guint64 in, out;                /* bytes read and written */
  guint64 frames, stored, packed; /* frames; those that went as they were, compressed */
  guint64 zeros;                  /* bytes of zeros that did not travel */
  guint64 stalls_in, stalls_out;  /* times that it had to wait for either side */
  guint64 wait_in_us, wait_out_us, wait_rate_us;
  guint64 records, pages, data_pages, passes;
} XfPumpCounts;

typedef struct {
  int control, report; /* -1: none; not owned */
  guint64 rate;        /* bytes a second; 0: no limit */
  gint64 tokens;       /* bytes that may go now; negative: owed */
  gint64 filled_us;
  gint64 report_due_us, started_us;
  gboolean needs_word, word; /* the end of what comes in is the stream's only with the parent's word for it; given */
  GString *line;             /* of control, incomplete */
  XfPumpCounts own, *counts; /* where it counts: there, or where another process reads it */
  /* Processes that do part of the work (pump/legs.h): their counters are added to the report's, and they keep the pace,
   * each its share of it. Borrowed. */
  const XfPumpCounts *legs;
  const int *paced_legs;
  guint n_legs, n_paced_legs;
} XfPumpLoop;

/* Either may be -1. @rate: bytes a second, 0: no limit. @counts: where to count; NULL: in the loop itself. */
void xf_loop_init (XfPumpLoop *loop, int control, int report, guint64 rate, XfPumpCounts *counts);
void xf_loop_clear (XfPumpLoop *loop);

/* The pace of one of @n processes that share @rate: never 0 unless that is. */
guint64 xf_loop_share (guint64 rate, guint n);

/* Waits until @fd is ready for @events (POLLIN or POLLOUT) or has hung up. FALSE: aborted. */
gboolean xf_loop_wait (XfPumpLoop *loop, int fd, short events, GError **error);

/* Asks for the right to move up to @bytes now, waits for it, and returns how many may go, at least 1; 0: aborted. The
 * bucket holds 50 ms, so a new pace is kept from then on. Give back what was not used. */
gsize xf_loop_take (XfPumpLoop *loop, gsize bytes, GError **error);
void xf_loop_give_back (XfPumpLoop *loop, gsize bytes);

/* Gives a command to the process at the other end of @line. */
void xf_loop_command (int line, const char *command);

/* Waits for the parent's word that the stream has ended, where one is needed. */
#define XF_LOOP_END "end"
gboolean xf_loop_wait_word (XfPumpLoop *loop, GError **error);

/* Commands and the report, without waiting: for stretches of work that never wait. */
gboolean xf_loop_look (XfPumpLoop *loop, GError **error);

/* The last line: @failure NULL for a good end. */
void xf_loop_report_end (XfPumpLoop *loop, const GError *failure);
