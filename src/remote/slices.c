/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remote/slices.h"

typedef struct {
  XfSliceStep step;
  GDestroyNotify free_data;
  gpointer data;
} Slice;

static void
slice_free (gpointer data)
{
  Slice *slice = data;

  slice->free_data (slice->data);
  g_free (slice);
}

static gboolean
work (gpointer data)
{
  XfRemote *remote = data;
  gint64 until = g_get_monotonic_time () + XF_SLICE_US;
  Slice *slice;

  do {
    slice = g_queue_pop_head (&remote->slices);
    if (slice->step (slice->data))
      slice_free (slice);
    else
      g_queue_push_tail (&remote->slices, slice);
  } while (!g_queue_is_empty (&remote->slices) && g_get_monotonic_time () < until);
  if (!g_queue_is_empty (&remote->slices))
    return G_SOURCE_CONTINUE;
  remote->slices_id = 0;
  return G_SOURCE_REMOVE;
}

void
xf_slices_add (XfRemote *remote, XfSliceStep step, GDestroyNotify free_data, gpointer data)
{
  Slice *slice = g_new0 (Slice, 1);

  *slice = (Slice){ step, free_data, data };
  g_queue_push_tail (&remote->slices, slice);
  /* The priority of sockets: a busy loop must not delay this for ever. */
  if (!remote->slices_id)
    remote->slices_id = g_idle_add_full (G_PRIORITY_DEFAULT, work, remote, NULL);
}

void
xf_slices_clear (XfRemote *remote)
{
  g_clear_handle_id (&remote->slices_id, g_source_remove);
  g_queue_clear_full (&remote->slices, slice_free);
}
