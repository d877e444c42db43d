/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pump/pass.h"

#include "base/error.h"

G_STATIC_ASSERT (XF_PASS_BUFFER >= XF_GUARD_PIECE_MAX);

static gboolean
pass_read (XfPass *pass, guint8 *data, gsize size, gsize *n_out, GError **error)
{
  if (pass->reader)
    return xf_frame_read (pass->reader, data, size, n_out, error);
  return xf_channel_read (&pass->in[0], data, size, n_out, error);
}

static gboolean
pass_write (XfPass *pass, const guint8 *data, gsize size, GError **error)
{
  if (pass->writer)
    return xf_frame_write (pass->writer, data, size, error);
  return xf_channel_write (&pass->out[0], data, size, error);
}

static gboolean
can_splice (const XfPass *pass)
{
  return !pass->reader && !pass->writer && !pass->in[0].tls && !pass->out[0].tls
         && (pass->in[0].is_pipe || pass->out[0].is_pipe);
}

/* Up to @size bytes that nobody looks at; @n_out: 0 at the end. */
static gboolean
move_some (XfPass *pass, guint64 size, gsize *n_out, GError **error)
{
  gsize most = MIN (size, XF_PASS_BUFFER);
  gboolean ok;

  if (can_splice (pass))
    return xf_channel_splice (&pass->in[0], &pass->out[0], size, n_out, error);
  ok = pass->reader ? xf_frame_read_some (pass->reader, pass->buffer, most, n_out, error)
                    : xf_channel_read_some (&pass->in[0], pass->buffer, most, n_out, error);
  return ok && pass_write (pass, pass->buffer, *n_out, error);
}

/* Called before the last record is handed on: whoever waits for it never sees an end that was not one. */
static gboolean
check_nothing_follows (XfPass *pass, GError **error)
{
  guint8 more;
  gsize n = 0;

  if (pass->reader && !xf_frame_read (pass->reader, &more, 1, &n, error))
    return FALSE;
  /* Without frames the source need not close its end, so only what is there already can be seen. What comes later goes
   * nowhere. */
  if (!pass->reader)
    n = xf_channel_waiting (&pass->in[0]);
  if (n == 0)
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_INVALID_STREAM, "migration stream refused: bytes follow its end");
  return FALSE;
}

static gboolean
cut_short (XfPass *pass, GError **error)
{
  g_propagate_error (error, xf_guard_cut_short (pass->guard));
  return FALSE;
}

static gboolean
guard_piece (XfPass *pass, gsize length, GError **error)
{
  gsize n;

  if (!pass_read (pass, pass->buffer, length, &n, error))
    return FALSE;
  if (n < length)
    return cut_short (pass, error);
  if (!xf_guard_check (pass->guard, pass->buffer, error)
      || (xf_guard_is_last (pass->guard) && !check_nothing_follows (pass, error)))
    return FALSE;
  return pass_write (pass, pass->buffer, length, error);
}

static void
tell_counts (XfPass *pass)
{
  const XfGuardCounts *guard = xf_guard_counts (pass->guard);
  XfPumpCounts *counts = &pass->loop.counts;

  counts->records = guard->records;
  counts->pages = guard->pages;
  counts->data_pages = guard->data_pages;
  counts->passes = guard->passes;
}

static gboolean
guard_all (XfPass *pass, GError **error)
{
  guint64 length;
  XfGuardWant want;
  guint64 records = 0;
  gsize n;

  while ((want = xf_guard_want (pass->guard, &length)) != XF_GUARD_DONE) {
    if (want == XF_GUARD_CHECK && !guard_piece (pass, length, error))
      return FALSE;
    if (want == XF_GUARD_PASS) {
      if (!move_some (pass, length, &n, error))
        return FALSE;
      if (n == 0)
        return cut_short (pass, error);
      xf_guard_passed (pass->guard, n);
    }
    tell_counts (pass);
    /* On a fast way nothing may ever wait: commands and the report are looked after all the same. */
    if (++records % 64 == 0 && !xf_loop_look (&pass->loop, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
move_all (XfPass *pass, GError **error)
{
  guint64 moves = 0;
  gsize n;

  do {
    if (!move_some (pass, G_MAXINT32, &n, error))
      return FALSE;
    if (++moves % 64 == 0 && !xf_loop_look (&pass->loop, error))
      return FALSE;
  } while (n > 0);
  return TRUE;
}

gboolean
xf_pass_run (XfPass *pass, GError **error)
{
  if (!(pass->guard ? guard_all (pass, error) : move_all (pass, error)))
    return FALSE;
  return !pass->writer || xf_frame_write_end (pass->writer, error);
}
