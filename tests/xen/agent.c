/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The command agent in a test host's dom0: a TCP port that takes shell scripts from the test's machine. Each connection
 * is one command. In: the script, until the writer shuts down. Out: its output (both descriptors), then one line
 * "\n@@EXIT N@@". The agent kills the script's process group when the connection ends, so no process outlives its test
 * unless it starts a session of its own (setsid).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCRIPT_MAX (1024 * 1024)

static char *
read_script (int fd)
{
  char *script = malloc (SCRIPT_MAX + 1);
  size_t length = 0;
  ssize_t got;
  while (script && length < SCRIPT_MAX && (got = read (fd, script + length, SCRIPT_MAX - length)) > 0)
    length += (size_t)got;
  if (script)
    script[length] = '\0';
  return script;
}

static pid_t
start (const char *script, int output)
{
  pid_t child = fork ();
  if (child != 0)
    return child;
  setpgid (0, 0);
  signal (SIGPIPE, SIG_DFL);
  int null = open ("/dev/null", O_RDONLY);
  dup2 (null, 0);
  dup2 (output, 1);
  dup2 (output, 2);
  for (int fd = 3; fd < 64; fd++)
    close (fd);
  execl ("/bin/bash", "bash", "-c", script, (char *)NULL);
  _exit (127);
}

/* Copies from @from to @to until the writers have closed. Returns -1 if @to is closed. */
static int
relay (int from, int to)
{
  char piece[65536];
  for (;;) {
    struct pollfd wait[2] = { { .fd = from, .events = POLLIN }, { .fd = to, .events = 0 } };
    poll (wait, 2, -1);
    if (wait[1].revents & (POLLHUP | POLLERR))
      return -1;
    ssize_t got = read (from, piece, sizeof piece);
    if (got <= 0)
      return 0;
    for (ssize_t done = 0, put; done < got; done += put)
      if ((put = write (to, piece + done, (size_t)(got - done))) <= 0)
        return -1;
  }
}

static void
serve (int connection)
{
  int output[2];
  char *script = read_script (connection);
  if (!script || pipe (output) != 0)
    return;
  pid_t child = start (script, output[1]);
  close (output[1]);
  if (relay (output[0], connection) != 0)
    kill (-child, SIGKILL);
  int status = 0;
  waitpid (child, &status, 0);
  dprintf (connection, "\n@@EXIT %d@@", WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status));
}

int
main (int argc, char **argv)
{
  struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons ((uint16_t)atoi (argc > 1 ? argv[1] : "0")) };
  int one = 1, listener = socket (AF_INET, SOCK_STREAM, 0);
  setsockopt (listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind (listener, (struct sockaddr *)&here, sizeof here) != 0 || listen (listener, 64) != 0) {
    perror ("agent");
    return 1;
  }
  signal (SIGCHLD, SIG_IGN);
  signal (SIGPIPE, SIG_IGN);
  for (;;) {
    int connection = accept (listener, NULL, NULL);
    if (connection < 0)
      continue;
    if (fork () == 0) {
      signal (SIGCHLD, SIG_DFL);
      serve (connection);
      _exit (0);
    }
    close (connection);
  }
}
