/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pump/legs.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

#define REASON_MAX 400

/* The report of a leg, written only by the leg, in shared memory: it survives a leg that is killed. */
typedef struct {
  XfPumpCounts counts[XF_FRAME_CONNECTIONS_MAX];
  struct {
    gboolean done;
    int code;
    char reason[REASON_MAX]; /* empty: none */
  } ends[XF_FRAME_CONNECTIONS_MAX];
} Told;

struct XfLegs {
  XfTurns *turns;
  gboolean output;
  guint n;
  int lines[XF_FRAME_CONNECTIONS_MAX]; /* commands to a leg; closing it ends the leg */
  Told *told;
};

/* ---- in the leg ------------------------------------------------------------------------------------------- */

static void
tell_end (Told *told, guint index, const GError *failure)
{
  if (failure) {
    told->ends[index].code = failure->code;
    g_strlcpy (told->ends[index].reason, failure->message, REASON_MAX);
  } else {
    told->ends[index].done = TRUE;
  }
}

static gboolean
leg_run (const XfLegs *legs, XfPass *leg, guint index, int in, int out, XfLegWork work, gpointer data, GError **error)
{
  if (!xf_channel_init (&leg->in.channels[0], &leg->loop, in, FALSE, error)
      || !xf_channel_init (&leg->out.channels[0], &leg->loop, out, TRUE, error))
    return FALSE;
  leg->in.n = leg->out.n = 1;
  (legs->output ? &leg->in : &leg->out)->channels[0].inner = TRUE;
  leg->loop.needs_word = legs->output;
  return work (leg, index, legs->turns->n, data, error);
}

/* Never returns. The work closes the other descriptors: it knows which the sandbox may keep. */
static void G_GNUC_NORETURN
leg_main (XfLegs *legs, guint index, int connection, int pipe, int line, guint64 rate, XfLegWork work, gpointer data)
{
  g_autoptr (GError) error = NULL;
  XfPass leg = { 0 };

  xf_loop_init (&leg.loop, line, -1, rate, &legs->told->counts[index]);
  leg_run (legs, &leg, index, legs->output ? pipe : connection, legs->output ? connection : pipe, work, data, &error);
  tell_end (legs->told, index, error);
  _exit (error ? 1 : 0);
}

/* ---- starting --------------------------------------------------------------------------------------------- */

static gboolean
start_leg (XfLegs *legs, guint index, guint64 rate, XfLegWork work, gpointer data, GError **error)
{
  XfChannel *channel = &legs->turns->channels[index];
  XfPumpLoop *loop = channel->loop;
  xf_autofd ours = -1, theirs = -1, our_line = -1, their_line = -1;
  int pair[2], line[2];
  pid_t pid;

  if (!xf_pipe_new (pair, legs->output ? 1 : 0, error))
    return FALSE;
  ours = pair[legs->output ? 1 : 0];
  theirs = pair[legs->output ? 0 : 1];
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) < 0)
    return xf_error_set_errno (error, errno, "cannot make a line to a process");
  our_line = line[0];
  their_line = line[1];
  pid = fork ();
  if (pid < 0)
    return xf_error_set_errno (error, errno, "cannot start a process for connection %u", index);
  if (pid == 0)
    leg_main (legs, index, channel->fd, theirs, their_line, rate, work, data);
  xf_channel_clear (channel);
  legs->lines[legs->n++] = xf_steal_fd (&our_line);
  if (!xf_channel_init (channel, loop, xf_steal_fd (&ours), legs->output, error))
    return FALSE;
  channel->inner = TRUE;
  return TRUE;
}

XfLegs *
xf_legs_start (XfTurns *turns, gboolean output, guint64 rate, XfLegWork work, gpointer data, GError **error)
{
  g_autoptr (XfLegs) legs = g_new0 (XfLegs, 1);
  XfPumpLoop *loop = turns->channels[0].loop;

  legs->turns = turns;
  legs->output = output;
  legs->told = mmap (NULL, sizeof (Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (legs->told == MAP_FAILED) {
    legs->told = NULL;
    xf_error_set_errno (error, errno, "no memory for %u connections", turns->n);
    return NULL;
  }
  for (guint i = 0; i < turns->n; i++) {
    if (!start_leg (legs, i, output ? xf_loop_share (rate, turns->n) : 0, work, data, error))
      return NULL;
  }
  loop->legs = legs->told->counts;
  loop->n_legs = legs->n;
  if (output) {
    loop->paced_legs = legs->lines;
    loop->n_paced_legs = legs->n;
  }
  return g_steal_pointer (&legs);
}

void
xf_legs_free (XfLegs *legs)
{
  for (guint i = 0; i < legs->n; i++)
    xf_clear_fd (&legs->lines[i]);
  if (legs->told)
    munmap (legs->told, sizeof (Told));
  g_free (legs);
}

guint
xf_legs_descriptors (const XfLegs *legs, int *fds_out)
{
  memcpy (fds_out, legs->lines, legs->n * sizeof (*fds_out));
  return legs->n;
}

/* ---- the end ---------------------------------------------------------------------------------------------- */

static gboolean
is_gone (const XfLegs *legs, guint i)
{
  char nothing;

  return recv (legs->lines[i], &nothing, 1, MSG_DONTWAIT) >= 0 || (errno != EAGAIN && errno != EINTR);
}

/* Waits until the leg's process has ended, which it does after its last report. */
static gboolean
wait_for (XfLegs *legs, guint i, GError **error)
{
  XfChannel *channel = &legs->turns->channels[i];

  while (!is_gone (legs, i)) {
    if (!xf_loop_wait (channel->loop, legs->lines[i], POLLIN, error))
      return FALSE;
  }
  return TRUE;
}

/* The process that writes this memory has read a peer's bytes, so the text may lack its end. */
static gboolean
told_failure (const XfLegs *legs, guint i, GError **error)
{
  g_autofree char *reason = g_strndup (legs->told->ends[i].reason, REASON_MAX - 1);
  int code = legs->told->ends[i].code;

  if (!*reason)
    return FALSE;
  g_set_error (error, XF_ERROR, CLAMP (code, 0, (int)XF_ERROR_GUEST_TIMEDOUT), "connection %u: %s", i, reason);
  return TRUE;
}

static gboolean
nothing_left (XfLegs *legs, guint i, GError **error)
{
  guint8 more;
  gsize n;

  if (!xf_channel_read_some (&legs->turns->channels[i], &more, 1, &n, error))
    return FALSE;
  if (n == 0)
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_INVALID_STREAM, "connection %u carries on where the stream has ended", i);
  return FALSE;
}

/* A pipe also ends when we are killed, and a stream that was cut off must not look complete. */
static void
give_end (XfLegs *legs, guint i)
{
  xf_loop_command (legs->lines[i], XF_LOOP_END);
  xf_channel_clear (&legs->turns->channels[i]);
}

/* For a leg whose process has ended: TRUE when it has completed its work. */
static gboolean
ended_well (const XfLegs *legs, guint i, GError **error)
{
  if (legs->told->ends[i].done)
    return TRUE;
  if (!told_failure (legs, i, error))
    g_set_error (error, XF_ERROR, XF_ERROR_SYSTEM, "the process of connection %u has died", i);
  return FALSE;
}

static gboolean
is_done (XfLegs *legs, guint i, GError **error)
{
  return wait_for (legs, i, error) && ended_well (legs, i, error);
}

gboolean
xf_legs_finish (XfLegs *legs, GError **error)
{
  guint first = legs->turns->at;

  /* The leg that has ended knows the reason. */
  if (!legs->output && !is_done (legs, first, error))
    return FALSE;
  for (guint i = 0; i < legs->n; i++) {
    if (legs->output)
      give_end (legs, i);
    else if (!nothing_left (legs, i, error))
      return FALSE;
  }
  for (guint i = 0; i < legs->n; i++) {
    if (!is_done (legs, i, error))
      return FALSE;
  }
  return TRUE;
}

gboolean
xf_legs_failed (XfLegs *legs, GError **error)
{
  guint at = legs->turns->at;
  struct pollfd pipe = { .fd = legs->turns->channels[at].fd };
  g_autoptr (GError) reason = NULL;

  /* A leg that ends closes the pipe before its process ends; only then is its report complete. */
  if (poll (&pipe, 1, 0) <= 0 || !(pipe.revents & POLLERR) || is_done (legs, at, &reason))
    return FALSE;
  g_clear_error (error);
  g_propagate_error (error, g_steal_pointer (&reason));
  return FALSE;
}
