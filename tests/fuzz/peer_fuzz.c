/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any bytes as the answers of a destination: the source drives a migration through its calls as far as the answers
 * allow, or only asks for a check. An answer gets its call's number, so that a fuzzer gets beyond the first call.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuzz.h"
#include "remote/peer.h"

#define TURNS_MAX 2000
#define HEADER 28

enum { FEATURE = 13 };

typedef struct {
  XfPeer *peer;
  gboolean answered, tunnel, check;
} Caller;

static void
drop (Caller *caller)
{
  if (caller->peer)
    xf_peer_ops ()->close (g_steal_pointer (&caller->peer));
}

static void
finished (const XfMigrateResult *result, const GError *error, gpointer data)
{
  g_assert_true (result || error);
  ((Caller *)data)->answered = TRUE;
}

static void
prepared (const XfMigrateResult *result, const GError *error, gpointer data)
{
  Caller *caller = data;
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();

  g_assert_true (result || error);
  if (error && error->code == 0)
    return;
  xf_peer_ops ()->finish (caller->peer, params, NULL, 0, error != NULL, finished, caller);
}

static void
checked (const GPtrArray *findings, const GError *error, gpointer data)
{
  g_assert_true (!findings != !error);
  for (guint i = 0; findings && i < findings->len; i++) {
    const XfCheckFinding *finding = findings->pdata[i];

    g_assert_true (finding->host && finding->resource && finding->text);
  }
  ((Caller *)data)->answered = TRUE;
}

static void
feature (gboolean supported, const GError *error, gpointer data)
{
  Caller *caller = data;
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();

  if (error)
    return;
  if (caller->check)
    xf_peer_ops ()->check (caller->peer, params, NULL, 0, checked, caller);
  else if (caller->tunnel)
    xf_peer_ops ()->prepare_tunnel (caller->peer, params, NULL, 0, prepared, caller);
  else
    xf_peer_ops ()->prepare (caller->peer, params, NULL, 0, prepared, caller);
}

static void
opened (XfPeer *peer, const GError *error, gpointer data)
{
  if (!error)
    xf_peer_ops ()->supports_feature (peer, FEATURE, feature, data);
}

static void
lost (const GError *error, gpointer data)
{
}

static void
run_loop (int fd)
{
  char drop_bytes[4096];

  for (guint i = 0; i < TURNS_MAX && g_main_context_iteration (NULL, FALSE); i++) {
    while (fd >= 0 && recv (fd, drop_bytes, sizeof (drop_bytes), MSG_DONTWAIT) > 0)
      ;
  }
}

static int
listen_at (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  g_strlcpy (address.sun_path, path, sizeof (address.sun_path));
  (void)g_unlink (path);
  g_assert_cmpint (bind (fd, (struct sockaddr *)&address, sizeof (address)), ==, 0);
  g_assert_cmpint (listen (fd, 1), ==, 0);
  return fd;
}

/* Reads the header of the next call and drops the rest. */
static gboolean
read_call (int fd, guint8 header_out[HEADER])
{
  char rest[4096];
  gsize left;

  if (recv (fd, header_out, HEADER, MSG_DONTWAIT) != HEADER)
    return FALSE;
  left = (gsize)header_out[2] << 8 | header_out[3];
  left = left > HEADER ? left - HEADER : 0;
  while (left > 0) {
    ssize_t n = recv (fd, rest, MIN (left, sizeof (rest)), MSG_DONTWAIT);

    if (n <= 0)
      return FALSE;
    left -= (gsize)n;
  }
  return TRUE;
}

/* Reads the next call and answers with as many bytes as the next bytes of @data say; serial and procedure are the
 * call's. */
static gboolean
answer (int fd, const guint8 **data, gsize *size)
{
  guint8 call[HEADER], frame[HEADER + 255];
  gsize n;

  if (*size < 2 || !read_call (fd, call))
    return FALSE;
  n = MIN ((*data)[0], *size - 2);
  memcpy (frame, call, HEADER);
  memset (frame, 0, 3);
  frame[2] = (guint8)((HEADER + n) >> 8);
  frame[3] = (guint8)(HEADER + n);
  frame[19] = (*data)[1] & 3;  /* type: REPLY is 1 */
  frame[27] = (*data)[1] >> 4; /* status */
  memcpy (frame + HEADER, *data + 2, n);
  (void)send (fd, frame, HEADER + n, MSG_DONTWAIT | MSG_NOSIGNAL);
  *data += 2 + n;
  *size -= 2 + n;
  return TRUE;
}

static void
serve (int fd, const guint8 *data, gsize size)
{
  do
    run_loop (-1);
  while (answer (fd, &data, &size));
  (void)send (fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  run_loop (fd);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  static char local[] = "/nonexistent";
  static const XfPeerConfig config = { local, 0, 5 };
  g_autofree char *path = g_strdup_printf ("%s/xf-fuzz-%d", g_get_tmp_dir (), getpid ());
  g_autofree char *uri = g_strconcat ("xen+unix:///system?socket=", path, NULL);
  xf_autofd listener = -1, fd = -1;
  Caller caller = { .tunnel = size > 0 && *data & 1, .check = size > 0 && *data & 2 };

  if (size == 0)
    return 0;
  listener = listen_at (path);
  caller.peer = xf_peer_ops ()->open ((gpointer)&config, uri, 5, opened, lost, &caller);
  for (guint i = 0; fd < 0 && i < TURNS_MAX; i++) {
    g_main_context_iteration (NULL, FALSE);
    fd = accept4 (listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
      g_usleep (100);
  }
  if (fd >= 0)
    serve (fd, data + 1, size - 1);
  drop (&caller);
  xf_clear_fd (&fd);
  run_loop (-1);
  (void)g_unlink (path);
  return 0;
}
