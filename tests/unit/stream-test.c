/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Streams and keepalive over a pair of connections: back-pressure, the order of frames, each way a stream can end.
 */
#include <fcntl.h>
#include <gio/gio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "loop.h"
#include "procs.h"
#include "rpc/stream.h"

typedef struct {
  XfConn *source, *sink; /* client and server */
  XfStream *out, *in;
  int feed;  /* write end of the pipe that the source sends from */
  int drain; /* read end of the pipe that the sink fills */
  guint pings_at_source, pings_at_sink, closed, ended, sent, broken;
  XfStreamEnd how;
} Pair;

static const XfFrameHeader call = { .program = XF_REMOTE_PROGRAM, .version = 1, .procedure = 304, .serial = 9 };

static void
on_call (XfConn *conn, const XfFrameHeader *header, GBytes *payload, gpointer data)
{
}

static gboolean
on_reply (XfConn *conn, const XfFrameHeader *header, GBytes *payload, gpointer data)
{
  return FALSE;
}

static void
on_message (XfConn *conn, const XfFrameHeader *header, GBytes *payload, gpointer data)
{
}

static void
on_closed (XfConn *conn, const GError *error, gpointer data)
{
  ((Pair *)data)->closed++;
}

static void
on_ended (XfStream *stream, XfStreamEnd how, const GError *error, gpointer data)
{
  Pair *pair = data;

  pair->ended++;
  pair->how = how;
  g_assert_cmpint (how == XF_STREAM_FAILED, ==, error != NULL);
}

static void
on_sent (XfStream *stream, gpointer data)
{
  ((Pair *)data)->sent++;
}

static void
on_broken (XfStream *stream, gpointer data)
{
  ((Pair *)data)->broken++;
}

static const XfConnEvents conn_events = { on_call, on_reply, on_message, on_closed };
static const XfStreamEvents stream_events = { on_ended, on_sent, on_broken };

static void
pair_init (Pair *pair)
{
  int sockets[2], feed[2], drain[2];

  memset (pair, 0, sizeof (*pair));
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), ==, 0);
  g_assert_true (xf_pipe_new (feed, 1, NULL));
  g_assert_true (xf_pipe_new (drain, 0, NULL));
  pair->source = xf_conn_new (sockets[0], &conn_events, pair);
  pair->sink = xf_conn_new (sockets[1], &conn_events, pair);
  pair->out = xf_stream_new (pair->source, &call, FALSE, -1, feed[0], &stream_events, pair);
  pair->in = xf_stream_new (pair->sink, &call, TRUE, drain[1], -1, &stream_events, pair);
  pair->feed = feed[1];
  pair->drain = drain[0];
}

static void
pair_clear (Pair *pair)
{
  g_clear_pointer (&pair->out, xf_stream_free);
  g_clear_pointer (&pair->in, xf_stream_free);
  xf_conn_unref (pair->source);
  xf_conn_unref (pair->sink);
  xf_clear_fd (&pair->feed);
  xf_clear_fd (&pair->drain);
}

static guint8
pattern (gsize at)
{
  return at * 2654435761u >> 13;
}

/* Writes as much of the pattern as fits; returns the new position in it. */
static gsize
feed_some (Pair *pair, gsize at, gsize all)
{
  guint8 buffer[60000];
  gsize n = MIN (sizeof (buffer), all - at);
  gssize written;

  for (gsize i = 0; i < n; i++)
    buffer[i] = pattern (at + i);
  written = n ? write (pair->feed, buffer, n) : 0;
  return at + MAX (written, 0);
}

static gsize
drain_some (Pair *pair, gsize at)
{
  guint8 buffer[50000];
  gssize n = read (pair->drain, buffer, sizeof (buffer));

  for (gssize i = 0; i < n; i++)
    g_assert_cmpuint (buffer[i], ==, pattern (at + i));
  return at + MAX (n, 0);
}

static void
move_all (Pair *pair, gsize all)
{
  gsize in = 0, out = 0;

  run_until ((in = feed_some (pair, in, all), out = drain_some (pair, out)) == all);
  g_assert_cmpuint (xf_stream_bytes (pair->out), ==, all);
  g_assert_cmpuint (xf_stream_bytes (pair->in), ==, all);
}

static void
test_moves_and_finishes (void)
{
  Pair pair;

  pair_init (&pair);
  move_all (&pair, 20 * 1024 * 1024 + 17);
  xf_clear_fd (&pair.feed);
  run_until (pair.sent == 1);
  g_assert_cmpuint (pair.ended, ==, 0);
  xf_stream_finish (pair.out);
  run_until (pair.ended == 2); /* the sink by our finish, the source by its acknowledgement */
  g_assert_cmpint (pair.how, ==, XF_STREAM_FINISHED);
  g_assert_cmpuint (pair.closed, ==, 0);
  pair_clear (&pair);
}

/* A reader that stalls stalls the writer and uses no memory; keepalive does not end the connection. */
static void
test_stalled_reader (void)
{
  Pair pair;
  gsize in = 0, out = 0, stalled_at, all = 16 * 1024 * 1024;
  gint64 until = g_get_monotonic_time () + G_USEC_PER_SEC / 2;

  pair_init (&pair);
  xf_conn_set_keepalive (pair.source, 1, 1);
  xf_conn_set_keepalive (pair.sink, 1, 1);
  while (g_get_monotonic_time () < until) {
    in = feed_some (&pair, in, all);
    g_main_context_iteration (NULL, FALSE);
  }
  stalled_at = in;
  /* Two pipes and the socket's buffers. */
  g_assert_cmpuint (stalled_at, <, 4 * 1024 * 1024);
  run_for (4000); /* twice the keepalive timeout */
  g_assert_cmpuint (pair.closed, ==, 0);
  g_assert_cmpuint (feed_some (&pair, in, all), ==, in);
  run_until ((in = feed_some (&pair, in, all), out = drain_some (&pair, out)) == all);
  pair_clear (&pair);
}

static void
test_silent_peer (void)
{
  Pair pair;
  XfConn *mute;
  int sockets[2];

  pair_init (&pair);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), ==, 0);
  mute = xf_conn_new (sockets[0], &conn_events, &pair);
  xf_conn_set_keepalive (mute, 1, 1);
  run_until (pair.closed == 1);
  xf_conn_unref (mute);
  close (sockets[1]);
  pair_clear (&pair);
}

/* Reads and ignores the data: after an abort it has no meaning. */
static gboolean
swallow (Pair *pair)
{
  guint8 buffer[50000];

  return read (pair->drain, buffer, sizeof (buffer)) >= 0 || TRUE;
}

static void
test_abort (void)
{
  Pair pair;
  gsize in = 0;

  pair_init (&pair);
  for (int i = 0; i < 200; i++) {
    in = feed_some (&pair, in, 64 * 1024 * 1024);
    g_main_context_iteration (NULL, FALSE);
  }
  xf_stream_abort (pair.out); /* most likely in the middle of a frame */
  /* The data already sent is read before the abort is seen. */
  run_until (swallow (&pair) && pair.ended == 1);
  g_assert_cmpint (pair.how, ==, XF_STREAM_ABORTED);
  g_assert_cmpuint (pair.closed, ==, 0);
  /* The connection can still be used. */
  g_assert_true (xf_conn_is_open (pair.source) && xf_conn_is_open (pair.sink));
  pair_clear (&pair);
}

static void
test_server_fails (void)
{
  Pair pair;
  char message[] = "no memory";
  XfWireError error = { 9, 41, message, NULL, NULL };

  pair_init (&pair);
  (void)feed_some (&pair, 0, 1000);
  xf_stream_fail (pair.in, &error);
  run_until (pair.ended == 1);
  g_assert_cmpint (pair.how, ==, XF_STREAM_FAILED);
  /* Late data of a stream that has ended is ignored. */
  run_for (50);
  g_assert_cmpuint (pair.closed, ==, 0);
  pair_clear (&pair);
}

static void
test_reader_gone (void)
{
  Pair pair;
  gsize in = 0, all = 12 * 1024 * 1024;

  pair_init (&pair);
  xf_clear_fd (&pair.drain);
  run_until ((in = feed_some (&pair, in, all)) == all);
  run_until (xf_stream_bytes (pair.in) == all);
  g_assert_cmpuint (pair.broken, ==, 1);
  g_assert_cmpuint (pair.ended, ==, 0);
  pair_clear (&pair);
}

static void
test_connection_lost (void)
{
  Pair pair;

  pair_init (&pair);
  (void)feed_some (&pair, 0, 1000);
  xf_conn_close (pair.source, NULL);
  run_until (pair.ended == 2);
  g_assert_cmpint (pair.how, ==, XF_STREAM_FAILED);
  g_assert_cmpuint (pair.closed, ==, 2);
  pair_clear (&pair);
}

static void
test_rate (void)
{
  Pair pair;
  gint64 start = g_get_monotonic_time ();

  pair_init (&pair);
  xf_stream_set_rate (pair.out, 4 * 1024 * 1024);
  move_all (&pair, 2 * 1024 * 1024);
  /* Half a second at this rate; a tenth may be sent at once. No upper bound: the machine may be slow. */
  g_assert_cmpint (g_get_monotonic_time () - start, >, 300 * 1000);
  pair_clear (&pair);
}

/* Whatever bytes arrive, the connection may end and the process must not. */
static void
test_garbage (void)
{
  for (guint seed = 0; seed < 300; seed++) {
    Pair pair = { 0 };
    GRand *random = g_rand_new_with_seed (seed);
    int sockets[2];
    guint8 bytes[256];
    XfConn *conn;

    for (gsize i = 0; i < sizeof (bytes); i++)
      bytes[i] = g_rand_int (random);
    /* Often with a plausible header, so that more than the length is checked. */
    if (seed % 2) {
      XfFrameHeader header = { 28 + seed % 200, XF_REMOTE_PROGRAM, 1, seed % 450, seed % 8, seed, seed % 4 };

      xf_frame_put_header (&header, bytes);
    }
    g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), ==, 0);
    conn = xf_conn_new (sockets[0], &conn_events, &pair);
    g_assert_cmpint (write (sockets[1], bytes, sizeof (bytes)), ==, sizeof (bytes));
    close (sockets[1]);
    run_until (pair.closed == 1);
    xf_conn_unref (conn);
    g_rand_free (random);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  signal (SIGPIPE, SIG_IGN); /* as the daemon does: splice raises it */
  g_test_add_func ("/stream/moves-and-finishes", test_moves_and_finishes);
  g_test_add_func ("/stream/stalled-reader", test_stalled_reader);
  g_test_add_func ("/stream/abort", test_abort);
  g_test_add_func ("/stream/server-fails", test_server_fails);
  g_test_add_func ("/stream/reader-gone", test_reader_gone);
  g_test_add_func ("/stream/connection-lost", test_connection_lost);
  g_test_add_func ("/stream/rate", test_rate);
  g_test_add_func ("/keepalive/silent-peer", test_silent_peer);
  g_test_add_func ("/conn/garbage", test_garbage);
  return g_test_run ();
}
