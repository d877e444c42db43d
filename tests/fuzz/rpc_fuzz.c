/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any bytes from a client: the first byte chooses the socket (read-write, read-only, peer port) and whether it has
 * opened a connection before the rest. A fake driver answers at once.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "fake_driver.h"
#include "fuzz.h"
#include "procs.h"
#include "remote/remote.h"
#include "rpc/frame.h"

static const XfDoor doors[] = { XF_DOOR_PRIVATE, XF_DOOR_READ_ONLY, XF_DOOR_PEER };
#define TURNS_MAX 1000

/* AUTH_LIST and CONNECT_OPEN of "xen:///system". */
static const guint8 opening[] = {
  0,  0,   0,   28,  0x20, 0,   0x80, 0x86, 0,   0,   0,   1,    0,   0,    0,    66, 0, 0, 0, 0, 0,
  0,  0,   1,   0,   0,    0,   0,    0,    0,   0,   52,  0x20, 0,   0x80, 0x86, 0,  0, 0, 1, 0, 0,
  0,  1,   0,   0,   0,    0,   0,    0,    0,   2,   0,   0,    0,   0,    0,    0,  0, 1, 0, 0, 0,
  13, 'x', 'e', 'n', ':',  '/', '/',  '/',  's', 'y', 's', 't',  'e', 'm',  0,    0,  0, 0, 0, 0, 0,
};

/* Reads and drops the answers while the loop runs. */
static void
run_loop (int fd)
{
  char drop[4096];

  for (guint i = 0; i < TURNS_MAX && g_main_context_iteration (NULL, FALSE); i++) {
    while (recv (fd, drop, sizeof (drop), MSG_DONTWAIT) > 0)
      ;
  }
}

static void
say (int fd, const guint8 *data, gsize size)
{
  while (size > 0) {
    ssize_t n = send (fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

    run_loop (fd);
    if (n <= 0)
      return;
    data += n;
    size -= (gsize)n;
  }
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  const XfRemoteConfig config = {
    .max_clients = 2, .max_clients_per_user = 2, .max_clients_per_address = 2, .open_timeout_s = 5
  };
  XfDriver *driver;
  XfRemote *remote;
  int pair[2];

  if (size == 0)
    return 0;
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  driver = fake_driver_new ();
  remote = xf_remote_new (driver, &config);
  xf_remote_accept (remote, pair[0], doors[*data % G_N_ELEMENTS (doors)]);
  if (*data / G_N_ELEMENTS (doors) % 2)
    say (pair[1], opening, sizeof (opening));
  say (pair[1], data + 1, size - 1);
  close (pair[1]);
  run_loop (-1);
  xf_remote_free (remote);
  fake_driver_free (driver);
  run_loop (-1);
  return 0;
}
