/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any bytes as frames; and any bytes as content, which must come back.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "pump/frame_private.h"

static void
read_frames (int file)
{
  static const guint8 id[XF_FRAME_ID_SIZE];
  g_autoptr (XfFrameReader) reader = NULL;
  g_autoptr (GError) error = NULL;
  XfPumpLoop loop;
  XfChannel channel;
  guint8 *buffer = g_malloc (65536);
  gsize n = 1;

  xf_loop_init (&loop, -1, -1, 0);
  g_assert_true (xf_channel_init (&channel, &loop, file, FALSE, &error));
  reader = xf_frame_reader_new (&channel, 1, id);
  while (n > 0 && xf_frame_read_some (reader, buffer, 65536, &n, &error))
    g_assert_cmpuint (n, <=, 65536);
  xf_channel_clear (&channel);
  xf_loop_clear (&loop);
  g_free (buffer);
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
