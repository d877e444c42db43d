/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The server of libvirt's remote program: clients on one side, driver.h on the other. Takes connected sockets, answers
 * their calls through the driver, and tells them its events. What a client may do without authentication, before it
 * has opened, or read-only, stands in the list of procedures (protocol/procs.h).
 */
#pragma once

#include "driver.h"

typedef struct XfRemote XfRemote;

typedef struct {
  guint max_clients;
  guint keepalive_interval_s; /* towards clients that know keepalive; 0: never ask */
  guint keepalive_count;
} XfRemoteConfig;

/* @driver is borrowed and outlives the remote; its events belong to the remote from now on. */
XfRemote *xf_remote_new (XfDriver *driver, const XfRemoteConfig *config);

/* Closes every connection. */
void xf_remote_free (XfRemote *remote);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfRemote, xf_remote_free)

/* Takes @fd, a connected socket. @read_only: it came through the read-only socket. */
void xf_remote_accept (XfRemote *remote, int fd, gboolean read_only);

/* The same for the port where other hosts ask what became of a guest: one who comes there is nobody. */
void xf_remote_accept_peer (XfRemote *remote, int fd);

guint xf_remote_n_clients (const XfRemote *remote);
