/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The upper bound of the machine: copies BYTES over one TCP connection on the loopback, with one process for the writer
 * and one for the reader, in 4 MiB pieces. Prints the rate in MB/s, and the CPU seconds of the relays, if any. With
 * --relay the data path is that of a tunnel: a pipe, a relay that splices it into the connection in framed pieces of 1
 * MiB, and a second relay that splices them into another pipe. It bounds a tunnelled migration, without its protocol.
 *
 *   tcpcopy [--relay] BYTES
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIECE (4 * 1024 * 1024)
#define PIPE_SIZE (1024 * 1024)
#define FRAME_HEADER 28

static void
die (const char *what)
{
  perror (what);
  exit (1);
}

static void
write_all (int fd, const char *data, gsize length)
{
  while (length) {
    gssize n = write (fd, data, length);

    if (n < 0)
      die ("write");
    data += n;
    length -= (gsize)n;
  }
}

static gboolean
read_all (int fd, char *data, gsize length)
{
  while (length) {
    gssize n = read (fd, data, length);

    if (n < 0)
      die ("read");
    if (n == 0)
      return FALSE;
    data += n;
    length -= (gsize)n;
  }
  return TRUE;
}

static void
splice_all (int from, int to, gsize length)
{
  while (length) {
    gssize n = splice (from, NULL, to, NULL, length, SPLICE_F_MOVE | SPLICE_F_MORE);

    if (n <= 0)
      die ("splice");
    length -= (gsize)n;
  }
}

static void
produce (int fd, guint64 bytes)
{
  char *piece = g_malloc (PIECE);

  memset (piece, 0x5a, PIECE);
  for (guint64 left = bytes; left;) {
    gsize n = MIN (left, PIECE);

    write_all (fd, piece, n);
    left -= n;
  }
  close (fd);
  g_free (piece);
}

static void
consume (int fd)
{
  char *piece = g_malloc (PIECE);
  gssize n;

  do
    n = read (fd, piece, PIECE);
  while (n > 0);
  if (n < 0)
    die ("read");
  g_free (piece);
}

/* Pipe to connection: a header, then as much as one splice moves, as a tunnel's sender does. */
static void
relay_out (int from, int to, guint64 bytes)
{
  while (bytes) {
    guint32 length = (guint32)MIN (bytes, PIPE_SIZE);
    char header[FRAME_HEADER] = { 0 };

    memcpy (header, &length, sizeof length);
    write_all (to, header, sizeof header);
    splice_all (from, to, length);
    bytes -= length;
  }
  close (to);
}

static void
relay_in (int from, int to)
{
  char header[FRAME_HEADER];
  guint32 length;

  while (read_all (from, header, sizeof header)) {
    memcpy (&length, header, sizeof length);
    splice_all (from, to, length);
  }
  close (to);
}

static void
connect_pair (int pair[2])
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t length = sizeof address;
  int door = socket (AF_INET, SOCK_STREAM, 0);
  int one = 1;

  if (door < 0 || bind (door, (struct sockaddr *)&address, length) || listen (door, 1)
      || getsockname (door, (struct sockaddr *)&address, &length))
    die ("listen");
  pair[0] = socket (AF_INET, SOCK_STREAM, 0);
  if (pair[0] < 0 || connect (pair[0], (struct sockaddr *)&address, length))
    die ("connect");
  pair[1] = accept (door, NULL, NULL);
  if (pair[1] < 0)
    die ("accept");
  close (door);
  setsockopt (pair[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static void
big_pipe (int ends[2])
{
  if (pipe (ends))
    die ("pipe");
  (void)fcntl (ends[0], F_SETPIPE_SZ, PIPE_SIZE);
}

static pid_t
child (void)
{
  pid_t pid = fork ();

  if (pid < 0)
    die ("fork");
  return pid;
}

static void
copy (guint64 bytes)
{
  int pair[2];

  connect_pair (pair);
  if (!child ()) {
    close (pair[1]);
    produce (pair[0], bytes);
    _exit (0);
  }
  close (pair[0]);
  consume (pair[1]);
}

static void
relay (guint64 bytes, pid_t relays_out[2])
{
  int pair[2], out[2], in[2];

  connect_pair (pair);
  big_pipe (out);
  big_pipe (in);
  if (!child ()) {
    produce (out[1], bytes);
    _exit (0);
  }
  close (out[1]);
  if (!(relays_out[0] = child ())) {
    close (pair[1]);
    relay_out (out[0], pair[0], bytes);
    _exit (0);
  }
  close (out[0]);
  close (pair[0]);
  if (!(relays_out[1] = child ())) {
    relay_in (pair[1], in[1]);
    _exit (0);
  }
  close (pair[1]);
  close (in[1]);
  consume (in[0]);
}

static double
seconds (const struct timeval *time)
{
  return time->tv_sec + time->tv_usec / 1e6;
}

/* Waits for all children. Returns the CPU seconds of @relays. */
static double
reap (const pid_t relays[2])
{
  struct rusage usage;
  double spent = 0;
  pid_t pid;

  while ((pid = wait4 (-1, NULL, 0, &usage)) > 0) {
    if (pid == relays[0] || pid == relays[1])
      spent += seconds (&usage.ru_utime) + seconds (&usage.ru_stime);
  }
  return spent;
}

int
main (int argc, char **argv)
{
  gboolean relayed = argc > 2 && strcmp (argv[1], "--relay") == 0;
  const char *text = argc > 1 ? argv[argc - 1] : "";
  pid_t relays[2] = { 0, 0 };
  guint64 bytes;
  gint64 start;
  double rate;

  if (argc != (relayed ? 3 : 2) || !g_ascii_string_to_unsigned (text, 10, 1, G_MAXINT64, &bytes, NULL)) {
    fprintf (stderr, "usage: tcpcopy [--relay] BYTES\n");
    return 2;
  }
  start = g_get_monotonic_time ();
  if (relayed)
    relay (bytes, relays);
  else
    copy (bytes);
  rate = (double)bytes / (double)(g_get_monotonic_time () - start);
  printf ("%.0f %.3f\n", rate, reap (relays));
  return 0;
}
