/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pump/pass.h"

#include "base/error.h"
#include "pump/legs.h"

G_STATIC_ASSERT (XF_PASS_BUFFER >= XF_GUARD_PIECE_MAX);

void
xf_pass_clear (XfPass *pass)
{
  g_clear_pointer (&pass->writer, xf_frame_writer_free);
  g_clear_pointer (&pass->reader, xf_frame_reader_free);
  g_clear_pointer (&pass->guard, xf_guard_free);
  g_clear_pointer (&pass->buffer, g_free);
  for (guint i = 0; i < pass->in.n; i++)
    xf_channel_clear (&pass->in.channels[i]);
  for (guint i = 0; i < pass->out.n; i++)
    xf_channel_clear (&pass->out.channels[i]);
  xf_loop_clear (&pass->loop);
  g_clear_pointer (&pass->legs_in, xf_legs_free);
  g_clear_pointer (&pass->legs_out, xf_legs_free);
}

/* ---- in and out ------------------------------------------------------------------------------------------- */

/* Reads what has arrived, up to @size bytes; @n_out: 0 at the end, which must be confirmed by every leg. */
static gboolean
read_some (XfPass *pass, guint8 *data, gsize size, gsize *n_out, GError **error)
{
  gsize most;
  XfChannel *channel = xf_turns_channel (&pass->in, &most);

  if (!xf_channel_read_some (channel, data, MIN (size, most), n_out, error))
    return FALSE;
  xf_turns_moved (&pass->in, *n_out);
  return *n_out > 0 || size == 0 || !pass->legs_in || xf_legs_finish (pass->legs_in, error);
}

/* Reads exactly @size bytes, fewer only at the end. */
static gboolean
read_exactly (XfPass *pass, guint8 *data, gsize size, gsize *n_out, GError **error)
{
  if (pass->reader)
    return xf_frame_read (pass->reader, data, size, n_out, error);
  *n_out = 0;
  while (*n_out < size) {
    gsize n;

    if (!read_some (pass, data + *n_out, size - *n_out, &n, error))
      return FALSE;
    if (n == 0)
      return TRUE;
    *n_out += n;
  }
  return TRUE;
}

static gboolean
write_all (XfPass *pass, const guint8 *data, gsize size, GError **error)
{
  if (pass->writer)
    return xf_frame_write (pass->writer, data, size, error);
  while (size > 0) {
    gsize most;
    XfChannel *channel = xf_turns_channel (&pass->out, &most);
    gsize n = MIN (size, most);

    if (!xf_channel_write (channel, data, n, error))
      return pass->legs_out && xf_legs_failed (pass->legs_out, error);
    xf_turns_moved (&pass->out, n);
    data += n;
    size -= n;
  }
  return TRUE;
}

static gboolean
can_splice (const XfPass *pass)
{
  const XfChannel *in = &pass->in.channels[0], *out = &pass->out.channels[0];

  return !pass->reader && !pass->writer && !in->tls && !out->tls && (in->is_pipe || out->is_pipe);
}

static gboolean
splice_some (XfPass *pass, guint64 size, gsize *n_out, GError **error)
{
  gsize most_in, most_out, least = pass->guard ? size : 1; /* the guard knows the length of a record */
  XfChannel *in = xf_turns_channel (&pass->in, &most_in), *out = xf_turns_channel (&pass->out, &most_out);

  if (!xf_channel_splice (in, out, MIN (size, MIN (most_in, most_out)), least, n_out, error))
    return pass->legs_out && xf_legs_failed (pass->legs_out, error);
  xf_turns_moved (&pass->in, *n_out);
  xf_turns_moved (&pass->out, *n_out);
  return *n_out > 0 || !pass->legs_in || xf_legs_finish (pass->legs_in, error);
}

/* Moves up to @size bytes that no stage must see; @n_out: 0 at the end. */
static gboolean
move_some (XfPass *pass, guint64 size, gsize *n_out, GError **error)
{
  const guint8 *view = pass->buffer;
  guint8 *space;
  gsize most;

  if (can_splice (pass))
    return splice_some (pass, size, n_out, error);
  if (pass->reader)
    return xf_frame_read_view (pass->reader, MIN (size, XF_PASS_BUFFER), &view, n_out, error)
           && write_all (pass, view, *n_out, error);
  if (pass->writer)
    return xf_frame_write_space (pass->writer, &space, &most, error)
           && read_some (pass, space, MIN (size, most), n_out, error)
           && xf_frame_write_filled (pass->writer, *n_out, error);
  return read_some (pass, pass->buffer, MIN (size, XF_PASS_BUFFER), n_out, error)
         && write_all (pass, view, *n_out, error);
}

/* ---- the guard -------------------------------------------------------------------------------------------- */

/* Called before the last record is passed on, so that the next reader never gets the end of an invalid stream. */
static gboolean
check_nothing_follows (XfPass *pass, GError **error)
{
  guint8 more;
  gsize n = 0;

  if ((pass->reader || pass->legs_in) && !read_exactly (pass, &more, 1, &n, error))
    return FALSE;
  /* Without frames the source need not close its end, so only bytes that have already arrived can be found. Later bytes
   * are not read. */
  if (!pass->reader && !pass->legs_in)
    n = xf_channel_waiting (&pass->in.channels[0]);
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

  if (!read_exactly (pass, pass->buffer, length, &n, error))
    return FALSE;
  if (n < length)
    return cut_short (pass, error);
  if (!xf_guard_check (pass->guard, pass->buffer, error)
      || (xf_guard_is_last (pass->guard) && !check_nothing_follows (pass, error)))
    return FALSE;
  return write_all (pass, pass->buffer, length, error);
}

static void
tell_counts (XfPass *pass)
{
  const XfGuardCounts *guard = xf_guard_counts (pass->guard);
  XfPumpCounts *counts = pass->loop.counts;

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
    /* On a fast path the pump may never wait: read commands and report anyway. */
    if (++records % 64 == 0 && !xf_loop_look (&pass->loop, error))
      return FALSE;
  }
  return TRUE;
}

/* ---- all of it -------------------------------------------------------------------------------------------- */

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
  if (!xf_loop_wait_word (&pass->loop, error))
    return FALSE;
  return (!pass->writer || xf_frame_write_end (pass->writer, error))
         && (!pass->legs_out || xf_legs_finish (pass->legs_out, error));
}
