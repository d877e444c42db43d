/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The transport of a migration's data from the source: the only difference between the modes, behind one table. libxl
 * writes its stream, blocking, into the descriptor of opened(); the source's state machine knows nothing else.
 *
 *   direct     a TCP connection to the destination's data port: libxl gets the socket itself
 *   tunnelled  a pipe whose other end the RPC side moves into a stream of the peer connection
 *   packed     a pipe whose other end a pump reads, which writes into one or several of the former
 *
 * Order: open, then opened once; set_rate and sent at any time afterwards; finish_writing once, when libxl has
 * written everything; drained once: all data has been passed on, or the transport has failed (possible at any time
 * after opened). abort ends everything at once, so that a blocked write into the descriptor fails; no callback is
 * called after it. free implies abort.
 */
#pragma once

#include "driver.h"
#include "libxl/transport/door.h"
#include "libxl/transport/ticket.h"
#include "libxl/transport/pump.h"

typedef struct XfMigrateTransport XfMigrateTransport;

typedef struct {
  /* @fd: for libxl, owned by the transport; -1 with @error. */
  void (*opened) (int fd, const GError *error, gpointer data);
  void (*drained) (const GError *error, gpointer data);
} XfMigrateTransportEvents;

typedef struct {
  const char *name;
  void (*open) (XfMigrateTransport *transport);
  void (*finish_writing) (XfMigrateTransport *transport);
  void (*abort) (XfMigrateTransport *transport);
  void (*set_rate) (XfMigrateTransport *transport, guint64 bytes_per_s); /* 0: no limit */
  guint64 (*sent) (XfMigrateTransport *transport);                       /* bytes that have left */
  GError *(*reason) (
    XfMigrateTransport *transport); /* the reason why a write into it failed, or NULL; op NULL: it never knows */
  guint64 (*content) (
    XfMigrateTransport *transport); /* the bytes of libxl's stream in those that have left; NULL: the same number */
  void (*free) (XfMigrateTransport *transport);
} XfMigrateTransportOps;

/* The first member of each kind. */
struct XfMigrateTransport {
  const XfMigrateTransportOps *ops;
  XfMigrateTransportEvents events;
  gpointer data;
};

/* Connects to @host (a name or address without brackets) and @port, for at most @timeout_s. @ticket: sent first, or
 * NULL. @door: this host's own, which must not be the destination. */
XfMigrateTransport *xf_migrate_direct_new (XfMigrateDoor *door, const char *host, guint port, guint timeout_s,
                                           const XfTicket *ticket);

/* Through a pump with task @job (its descriptors are ignored), over @transports (the elements are taken, the array is
 * not). */
XfMigrateTransport *xf_migrate_packed_new (const XfDriverConfig *settings, const XfPumpJob *job, GPtrArray *transports);

/* Through the stream that prepare_tunnel opened on @peer. */
XfMigrateTransport *xf_migrate_tunnel_new (const XfPeerOps *peers, XfPeer *peer);

static inline void
xf_migrate_transport_free (XfMigrateTransport *transport)
{
  transport->ops->free (transport);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfMigrateTransport, xf_migrate_transport_free)
