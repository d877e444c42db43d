/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The driver's peer-to-peer connections (XfPeerOps of driver.h) over the RPC client: a source daemon calls the phases
 * of a destination, xenferryd or libvirtd, with libvirt's own calls.
 */
#pragma once

#include "conf/migrate_uri.h"
#include "driver.h"

typedef struct {
  char *local_socket; /* socket of the local daemon, "xen:///system"; borrowed */
  guint keepalive_interval_s;
  guint keepalive_count;
} XfPeerConfig;

/* The socket address of a connection URI, the caller's. @local_socket: where transport "unix" goes without a socket of
 * its own; NULL: nowhere. Errors: a transport or driver that is not served. */
GSocketConnectable *xf_peer_address (const XfConnectUri *uri, const char *local_socket, GError **error);

/* The table. Its peers_data is a const XfPeerConfig, which outlives every peer. */
const XfPeerOps *xf_peer_ops (void);
