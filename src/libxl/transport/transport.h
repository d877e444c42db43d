/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How a migration's bytes leave the source: the one thing in which the modes differ, behind one table. libxl writes
 * its stream, blocking, into the descriptor that open() brings; the source's state machine knows nothing else.
 *
 *   direct     a TCP connection to the destination's data port: libxl gets the socket itself
 *   tunnelled  a pipe whose other end the RPC side moves into a stream of the peer connection
 *   packed     a pipe whose other end a pump reads, which writes into one or several of the former
 *
 * Order: open, opened once; then set_rate and sent at any time; finish_writing once, when libxl has written
 * everything; drained once: all of it has been handed on, or the way is broken (this may come at any time after
 * opened). abort ends everything at once, so that a writer that is blocked in the descriptor fails; after it no
 * callback comes. free implies abort.
 */
#pragma once

#include "driver.h"
#include "libxl/transport/door.h"
#include "libxl/transport/ticket.h"
#include "libxl/transport/pump.h"

typedef struct XfMigrateTransport XfMigrateTransport;

typedef struct {
  /* @fd: for libxl, stays the transport's; -1 with @error. */
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
  GError *(*reason) (XfMigrateTransport *transport);  /* why writing into it failed, or NULL; NULL: it never knows */
  guint64 (*content) (XfMigrateTransport *transport); /* of libxl's stream, that makes; NULL: the same */
  void (*free) (XfMigrateTransport *transport);
} XfMigrateTransportOps;

/* The first member of each kind. */
struct XfMigrateTransport {
  const XfMigrateTransportOps *ops;
  XfMigrateTransportEvents events;
  gpointer data;
};

/* To @host (a name or address without brackets) and @port; connecting ends after @timeout_s. @ticket: what the
 * connection begins with, or NULL. @door: this host's own, which must not be where it leads. */
XfMigrateTransport *xf_migrate_direct_new (XfMigrateDoor *door, const char *host, guint port, guint timeout_s,
                                           const XfTicket *ticket);

/* Through a pump that does @job (its descriptors are not looked at), over @transports (taken, the array is not). */
XfMigrateTransport *xf_migrate_packed_new (const XfDriverConfig *settings, const XfPumpJob *job, GPtrArray *transports);

/* Through the stream that prepare_tunnel opened on @peer. */
XfMigrateTransport *xf_migrate_tunnel_new (const XfPeerOps *peers, XfPeer *peer);

static inline void
xf_migrate_transport_free (XfMigrateTransport *transport)
{
  transport->ops->free (transport);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfMigrateTransport, xf_migrate_transport_free)
