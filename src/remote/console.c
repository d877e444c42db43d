/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A guest's console as a stream in both directions: the pty's output to the client, its keystrokes to the pty. When
 * the guest ends, the client gets an empty frame and finishes the stream; when the client ends, the pty is closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "remote/reply.h"

static void
stream_ended (XfStream *stream, XfStreamEnd how, const GError *error, gpointer data)
{
  xf_stream_free (stream);
}

/* Keystrokes to a closed console are lost, as on a real one. */
static void
stream_broken (XfStream *stream, gpointer data)
{
}

void
xf_handle_DOMAIN_OPEN_CONSOLE (XfCall *call, const xf_dom_console_args *arguments, XfRemoteClient *client)
{
  static const XfStreamEvents events = { .ended = stream_ended, .broken = stream_broken };
  g_autoptr (GError) error = NULL;
  xf_void nothing = { 0 };
  xf_autofd from = -1;
  xf_autofd into = -1;

  from = xf_driver_domain_open_console (xf_driver_of (client), xf_uuid_of (&arguments->dom),
                                        arguments->device ? *arguments->device : NULL, arguments->flags, &error);
  if (from < 0) {
    xf_reply_error (call, error);
    return;
  }
  into = fcntl (from, F_DUPFD_CLOEXEC, 3);
  if (into < 0) {
    xf_error_set_errno (&error, errno, "cannot keep the console open");
    xf_reply_error (call, error);
    return;
  }
  /* The stream takes it; without a stream it is closed here. */
  if (xf_call_reply_stream (call, &nothing, into, from, &events, NULL)) {
    xf_steal_fd (&into);
    xf_steal_fd (&from);
  }
}
