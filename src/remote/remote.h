/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The server of libvirt's remote program: clients on one side, driver.h on the other. Takes connected sockets, answers
 * their calls through the driver, and tells them its events. What a client may do without authentication, before it
 * has opened, or read-only, stands in the list of procedures (protocol/procs.h).
 */
#pragma once

#include "driver.h"

typedef struct XfRemote XfRemote;

/* Through which kind of socket a client came. */
typedef enum {
  XF_DOOR_PRIVATE,   /* the unix socket for root */
  XF_DOOR_READ_ONLY, /* the one for everybody */
  XF_DOOR_TCP,
  XF_DOOR_PEER, /* where other hosts ask what became of a guest: one who comes there is nobody */
  XF_N_DOORS,
} XfDoor;

typedef struct {
  guint max_clients;             /* of each door but the last */
  guint max_clients_per_user;    /* of the read-only socket's */
  guint max_clients_per_address; /* of TCP's */
  guint open_timeout_s;          /* from the connection to CONNECT_OPEN */
  guint keepalive_interval_s;    /* towards clients that know keepalive; 0: never ask */
  guint keepalive_count;
} XfRemoteConfig;

/* @driver is borrowed and outlives the remote; its events belong to the remote from now on. */
XfRemote *xf_remote_new (XfDriver *driver, const XfRemoteConfig *config);

/* Closes every connection. */
void xf_remote_free (XfRemote *remote);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfRemote, xf_remote_free)

/* Other bounds from now on, for those who come and those who open. */
void xf_remote_set_config (XfRemote *remote, const XfRemoteConfig *config);

/* Takes @fd, a connected socket. */
void xf_remote_accept (XfRemote *remote, int fd, XfDoor door);

guint xf_remote_n_clients (const XfRemote *remote);
