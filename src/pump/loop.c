/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pump/loop.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

#define REPORT_US (G_USEC_PER_SEC / 2)
#define BURST_PER_S 20 /* the bucket holds a twentieth of a second */
#define LINE_MAX_BYTES 256

void
xf_loop_init (XfPumpLoop *loop, int control, int report, guint64 rate, XfPumpCounts *counts)
{
  *loop = (XfPumpLoop){ .control = control, .report = report, .rate = rate };
  loop->counts = counts ? counts : &loop->own;
  loop->line = g_string_new (NULL);
  loop->started_us = loop->filled_us = g_get_monotonic_time ();
  loop->report_due_us = loop->started_us + REPORT_US;
}

void
xf_loop_clear (XfPumpLoop *loop)
{
  g_string_free (loop->line, TRUE);
  loop->line = NULL;
}

/* ---- report ----------------------------------------------------------------------------------------------- */

/* All counters have the same size; those of a leg may be slightly old. */
static XfPumpCounts
sum (const XfPumpLoop *loop)
{
  XfPumpCounts all = *loop->counts;

  for (guint i = 0; i < loop->n_legs; i++) {
    for (gsize word = 0; word < sizeof (all) / sizeof (guint64); word++)
      ((guint64 *)&all)[word] += ((const guint64 *)&loop->legs[i])[word];
  }
  return all;
}

static void
write_report (XfPumpLoop *loop, const char *tail)
{
  const XfPumpCounts all = sum (loop), *c = &all;
  g_autofree char *line = g_strdup_printf (
    "{\"ms\":%" G_GINT64_FORMAT ",\"in\":%" G_GUINT64_FORMAT ",\"out\":%" G_GUINT64_FORMAT
    ",\"frames\":%" G_GUINT64_FORMAT ",\"stored\":%" G_GUINT64_FORMAT ",\"packed\":%" G_GUINT64_FORMAT
    ",\"zeros\":%" G_GUINT64_FORMAT ",\"records\":%" G_GUINT64_FORMAT ",\"pages\":%" G_GUINT64_FORMAT
    ",\"data_pages\":%" G_GUINT64_FORMAT ",\"passes\":%" G_GUINT64_FORMAT ",\"stalls_in\":%" G_GUINT64_FORMAT
    ",\"stalls_out\":%" G_GUINT64_FORMAT ",\"wait_in_ms\":%" G_GUINT64_FORMAT ",\"wait_out_ms\":%" G_GUINT64_FORMAT
    ",\"wait_rate_ms\":%" G_GUINT64_FORMAT ",\"rate\":%" G_GUINT64_FORMAT "%s}\n",
    (g_get_monotonic_time () - loop->started_us) / 1000, c->in, c->out, c->frames, c->stored, c->packed, c->zeros,
    c->records, c->pages, c->data_pages, c->passes, c->stalls_in, c->stalls_out, c->wait_in_us / 1000,
    c->wait_out_us / 1000, c->wait_rate_us / 1000, loop->rate, tail);

  /* If the reader is gone or slow, a line is lost, never the stream. */
  if (write (loop->report, line, strlen (line)) < 0 && errno != EAGAIN && errno != EINTR)
    loop->report = -1;
}

static void
report_if_due (XfPumpLoop *loop)
{
  gint64 now = g_get_monotonic_time ();

  if (loop->report < 0 || now < loop->report_due_us)
    return;
  loop->report_due_us = now + REPORT_US;
  write_report (loop, "");
}

void
xf_loop_report_end (XfPumpLoop *loop, const GError *failure)
{
  g_autoptr (GString) tail = g_string_new (failure ? ",\"error\":\"" : ",\"end\":true");

  if (loop->report < 0)
    return;
  for (const char *p = failure ? failure->message : ""; *p; p++) {
    if (*p == '"' || *p == '\\')
      g_string_append_c (tail, '\\');
    g_string_append_c (tail, (guchar)*p < 0x20 ? ' ' : *p);
  }
  if (failure)
    g_string_append_c (tail, '"');
  write_report (loop, tail->str);
}

/* ---- control ---------------------------------------------------------------------------------------------- */

guint64
xf_loop_share (guint64 rate, guint n)
{
  return rate ? MAX (rate / n, 1) : 0;
}

void
xf_loop_command (int line, const char *command)
{
  g_autofree char *text = g_strconcat (command, "\n", NULL);

  if (write (line, text, strlen (text)) < 0)
    return; /* a leg that has ended is noticed elsewhere */
}

static void
set_rate (XfPumpLoop *loop, guint64 rate)
{
  loop->rate = rate;
  loop->tokens = 0;
  loop->filled_us = g_get_monotonic_time ();
  for (guint i = 0; i < loop->n_paced_legs; i++) {
    g_autofree char *command = g_strdup_printf ("rate %" G_GUINT64_FORMAT, xf_loop_share (rate, loop->n_paced_legs));

    xf_loop_command (loop->paced_legs[i], command);
  }
}

static gboolean
obey (XfPumpLoop *loop, const char *command, GError **error)
{
  guint64 rate;

  if (g_str_has_prefix (command, "rate ") && g_ascii_string_to_unsigned (command + 5, 10, 0, G_MAXINT64, &rate, NULL)) {
    set_rate (loop, rate);
    return TRUE;
  }
  if (loop->needs_word && strcmp (command, XF_LOOP_END) == 0) {
    loop->word = TRUE;
    return TRUE;
  }
  if (strcmp (command, "abort") == 0)
    g_set_error (error, XF_ERROR, XF_ERROR_ABORTED, "the stream was aborted");
  else
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "unknown command '%s' on the control descriptor", command);
  return FALSE;
}

static gboolean
read_control (XfPumpLoop *loop, GError **error)
{
  char buffer[LINE_MAX_BYTES];
  ssize_t n = read (loop->control, buffer, sizeof (buffer));

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return TRUE;
  if (n <= 0) {
    g_set_error (error, XF_ERROR, XF_ERROR_ABORTED, "the process that started the pump is gone");
    return FALSE;
  }
  for (ssize_t i = 0; i < n; i++) {
    if (buffer[i] != '\n' && loop->line->len < LINE_MAX_BYTES) {
      g_string_append_c (loop->line, buffer[i]);
      continue;
    }
    if (!obey (loop, loop->line->str, error))
      return FALSE;
    g_string_truncate (loop->line, 0);
  }
  return TRUE;
}

/* ---- waiting ---------------------------------------------------------------------------------------------- */

/* @fds has room for one more after its @n. Returns after at most @timeout_ms; -1: no limit. */
static gboolean
poll_once (XfPumpLoop *loop, struct pollfd *fds, guint n, int timeout_ms, gboolean *ready_out, GError **error)
{
  int due_ms = loop->report < 0 ? -1 : MAX (0, (loop->report_due_us - g_get_monotonic_time ()) / 1000 + 1);
  int found;

  if (timeout_ms >= 0 && (due_ms < 0 || due_ms > timeout_ms))
    due_ms = timeout_ms;
  fds[n] = (struct pollfd){ .fd = loop->control, .events = POLLIN };
  found = poll (fds, n + 1, due_ms);
  if (found < 0 && errno != EINTR)
    return xf_error_set_errno (error, errno, "cannot wait for data");
  if (found > 0 && fds[n].revents && !read_control (loop, error))
    return FALSE;
  report_if_due (loop);
  *ready_out = FALSE;
  for (guint i = 0; found > 0 && i < n; i++)
    *ready_out |= fds[i].revents != 0;
  return TRUE;
}

gboolean
xf_loop_look (XfPumpLoop *loop, GError **error)
{
  struct pollfd none[1];
  gboolean ready;

  return poll_once (loop, none, 0, 0, &ready, error);
}

static void
count_wait (XfPumpLoop *loop, short events, gint64 since)
{
  gint64 waited = g_get_monotonic_time () - since;

  if (events & POLLOUT) {
    loop->counts->stalls_out++;
    loop->counts->wait_out_us += waited;
  } else {
    loop->counts->stalls_in++;
    loop->counts->wait_in_us += waited;
  }
}

gboolean
xf_loop_wait (XfPumpLoop *loop, int fd, short events, GError **error)
{
  struct pollfd fds[2] = { { .fd = fd, .events = events } };
  gint64 since = g_get_monotonic_time ();
  gboolean ready = FALSE;

  while (!ready) {
    if (!poll_once (loop, fds, 1, -1, &ready, error))
      return FALSE;
  }
  count_wait (loop, events, since);
  return TRUE;
}

gboolean
xf_loop_wait_word (XfPumpLoop *loop, GError **error)
{
  struct pollfd none[1];
  gboolean ready;

  while (loop->needs_word && !loop->word) {
    if (!poll_once (loop, none, 0, -1, &ready, error))
      return FALSE;
  }
  return TRUE;
}

/* ---- pace ------------------------------------------------------------------------------------------------- */

static void
fill (XfPumpLoop *loop)
{
  gint64 now = g_get_monotonic_time (), burst = MAX (4096, (gint64)(loop->rate / BURST_PER_S));
  gint64 elapsed = MIN (now - loop->filled_us, G_USEC_PER_SEC);
  gint64 more = (gint64)((double)loop->rate * elapsed / G_USEC_PER_SEC);

  if (more == 0)
    return;
  loop->filled_us = now;
  loop->tokens = MIN (burst, loop->tokens + more);
}

gsize
xf_loop_take (XfPumpLoop *loop, gsize bytes, GError **error)
{
  struct pollfd none[1];
  gboolean ready;
  gsize granted;

  for (;;) {
    gint64 since = g_get_monotonic_time ();

    if (loop->rate == 0)
      return bytes;
    fill (loop);
    /* Enough for a system call: the bytes of a hundredth of a second, or all that are requested. */
    if (loop->tokens >= (gint64)MIN (bytes, MAX (1024, loop->rate / 100)))
      break;
    if (!poll_once (loop, none, 0, 10, &ready, error))
      return 0;
    loop->counts->wait_rate_us += g_get_monotonic_time () - since;
  }
  granted = MIN (bytes, (gsize)loop->tokens);
  loop->tokens -= granted;
  return granted;
}

void
xf_loop_give_back (XfPumpLoop *loop, gsize bytes)
{
  if (loop->rate)
    loop->tokens += bytes;
}
