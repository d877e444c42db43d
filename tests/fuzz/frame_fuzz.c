/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any bytes as frames; and any bytes as content, which must survive framing.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "pump/frame_private.h"

static void
read_frames (int file)
{
  static const XfFramePlace place = { .count = 1 };
  g_autoptr (XfFrameReader) reader = NULL;
  g_autoptr (GError) error = NULL;
  XfPumpLoop loop;
  XfChannel channel;
  const guint8 *view;
  gsize n = 1;

  xf_loop_init (&loop, -1, -1, 0, NULL);
  g_assert_true (xf_channel_init (&channel, &loop, file, FALSE, &error));
  reader = xf_frame_reader_new (&channel, &place);
  while (n > 0 && xf_frame_read_view (reader, 65536, &view, &n, &error))
    g_assert_cmpuint (n, <=, 65536);
  xf_channel_clear (&channel);
  xf_loop_clear (&loop);
}

static void
cut_and_put (const guint8 *data, gsize size)
{
  g_autofree guint8 *body = g_malloc (FRAME_BODY_MAX), *back = g_malloc (XF_FRAME_CONTENT);
  guint64 zeros = 0;
  gsize length;

  size = MIN (size, XF_FRAME_CONTENT);
  length = xf_frame_cut_zeros (data, size, body, &zeros);
  g_assert_cmpuint (length, <=, FRAME_BODY_MAX);
  if (length > 0) {
    g_assert_true (xf_frame_put_zeros (body, length, back, size));
    g_assert_cmpint (memcmp (back, data, size), ==, 0);
  }
  (void)xf_frame_put_zeros (data, size, back, XF_FRAME_CONTENT);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  int file = memfd_create ("frames", MFD_CLOEXEC);

  g_assert_cmpint (file, >=, 0);
  g_assert_cmpint (pwrite (file, data, size, 0), ==, (gssize)size);
  read_frames (file);
  cut_and_put (data, size);
  return 0;
}
