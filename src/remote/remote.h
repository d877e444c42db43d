/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The server of libvirt's remote program: clients on one side, driver.h on the other. It takes connected sockets,
 * answers their calls through the driver, and sends them its events. The list of procedures (protocol/procs.h) says
 * what a client may call without authentication, before CONNECT_OPEN, or read-only.
 */
#pragma once

#include "driver.h"

typedef struct XfRemote XfRemote;

/* The kind of socket by which a client connects. */
typedef enum {
  XF_DOOR_PRIVATE,   /* the unix socket for root */
  XF_DOOR_READ_ONLY, /* the unix socket for every local user */
  XF_DOOR_TCP,
  XF_DOOR_PEER, /* the peer port, for questions about a migration: connections to it have no rights */
  XF_N_DOORS,
} XfDoor;

typedef struct {
  guint max_clients;             /* of each kind except the last */
  guint max_clients_per_user;    /* on the read-only socket */
  guint max_clients_per_address; /* on TCP */
  guint open_timeout_s;          /* from the connection to CONNECT_OPEN */
  guint keepalive_interval_s;    /* for clients that know keepalive; 0: send no requests */
  guint keepalive_count;
} XfRemoteConfig;

/* @driver is borrowed and outlives the remote. The remote becomes the listener of its events. */
XfRemote *xf_remote_new (XfDriver *driver, const XfRemoteConfig *config);

/* Closes every connection. */
void xf_remote_free (XfRemote *remote);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfRemote, xf_remote_free)

/* Changes the bounds, for new connections and for those that open later. */
void xf_remote_set_config (XfRemote *remote, const XfRemoteConfig *config);

/* Takes @fd, a connected socket. */
void xf_remote_accept (XfRemote *remote, int fd, XfDoor door);

guint xf_remote_n_clients (const XfRemote *remote);
