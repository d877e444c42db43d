/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Listening TCP sockets: for the clients' port, the peer port and the ports of single migrations.
 */
#pragma once

#include <glib.h>

/* A non-blocking socket that listens. @address: a numeric address; NULL for all of both families, or of IPv4 alone
 * where the kernel has no IPv6. @port 0: any free one. -1 and @error on failure, with the reason of the failed call in
 * the text; XF_ERROR_RESOURCE_BUSY: another socket has the port. */
int xf_listen_tcp (const char *address, guint port, int backlog, GError **error);

/* The port that the socket @fd is bound to, of either family; 0: none. */
guint xf_listen_port (int fd);
