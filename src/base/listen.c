/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"

static int
bind_and_listen (const struct addrinfo *where, int backlog)
{
  xf_autofd fd = socket (where->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int on = 1, off = 0;

  if (fd < 0)
    return -1;
  (void)setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof (on));
  if (where->ai_family == AF_INET6)
    (void)setsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof (off));
  if (bind (fd, where->ai_addr, where->ai_addrlen) < 0 || listen (fd, backlog) < 0)
    return -1;
  return xf_steal_fd (&fd);
}

/* -1 and errno; or -1 and @error when @address is not an address. */
static int
listen_at (const char *address, guint port, int backlog, GError **error)
{
  struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_STREAM };
  g_autofree char *service = g_strdup_printf ("%u", port);
  struct addrinfo *found = NULL;
  int rc = getaddrinfo (address, service, &hints, &found);
  int fd, failure;

  if (rc != 0) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG,
                 "'%s' is not an address to listen on: %s; give one of this host's addresses as a number", address,
                 gai_strerror (rc));
    return -1;
  }
  fd = bind_and_listen (found, backlog);
  failure = errno;
  freeaddrinfo (found);
  errno = failure;
  return fd;
}

/* The errors of a kernel that was built or started without IPv6. */
static gboolean
is_without_ipv6 (int failure)
{
  return failure == EAFNOSUPPORT || failure == EADDRNOTAVAIL || failure == EPROTONOSUPPORT;
}

int
xf_listen_tcp (const char *address, guint port, int backlog, GError **error)
{
  g_autoptr (GError) wrong = NULL;
  int fd = listen_at (address ? address : "::", port, backlog, &wrong);

  if (fd < 0 && !wrong && !address && is_without_ipv6 (errno)) {
    g_message ("this kernel has no IPv6: listening on TCP port %u of IPv4 alone", port);
    fd = listen_at ("0.0.0.0", port, backlog, &wrong);
  }
  if (wrong)
    g_propagate_error (error, g_steal_pointer (&wrong));
  else if (fd < 0)
    g_set_error (error, XF_ERROR, errno == EADDRINUSE ? XF_ERROR_RESOURCE_BUSY : XF_ERROR_SYSTEM,
                 "cannot listen on TCP port %u of '%s': %s", port, address ? address : "all addresses",
                 g_strerror (errno));
  return fd;
}

/* Both families have the port at the same offset. */
guint
xf_listen_port (int fd)
{
  struct sockaddr_in6 bound = { 0 };
  socklen_t length = sizeof (bound);

  return getsockname (fd, (struct sockaddr *)&bound, &length) == 0 ? ntohs (bound.sin6_port) : 0;
}
