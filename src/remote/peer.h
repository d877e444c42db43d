/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The driver's peer-to-peer connections (XfPeerOps of driver.h) over the RPC client: how a source daemon drives a
 * destination, xenferryd or libvirtd, in libvirt's own calls.
 */
#pragma once

#include "driver.h"

typedef struct {
  char *local_socket; /* where "xen:///system", the local daemon, listens; borrowed */
  guint keepalive_interval_s;
  guint keepalive_count;
} XfPeerConfig;

/* peers_data of these is a const XfPeerConfig, which outlives every peer. */
const XfPeerOps *xf_peer_ops (void);
