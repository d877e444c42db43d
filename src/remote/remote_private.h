/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The members of the remote program's server, for the files of handlers.
 */
#pragma once

#include "base/crowd.h"
#include "base/log.h"
#include "procs.h"
#include "remote/remote.h"
#include "rpc/call.h"

/* A registration for an event. */
typedef struct {
  int callback;
  int event;
  gboolean legacy;    /* without callback id, with the old number */
  gboolean one_guest; /* only events of @uuid */
  guint8 uuid[XF_UUID_LENGTH];
} XfRegistration;

/* One connection. Its pointer is the token by which the driver identifies the owner of a migration. */
typedef struct {
  XfRemote *remote;
  XfConn *conn;
  XfCallRights rights;
  XfDoor door;
  char *origin; /* connections with the same origin are counted together */
  XfCrowdSeat seat;
  gboolean entered;      /* accepted and counted */
  guint deadline_id;     /* until CONNECT_OPEN; on the peer port, until the end */
  GArray *registrations; /* of XfRegistration */
} XfRemoteClient;

struct XfRemote {
  XfDriver *driver;
  XfRemoteConfig config;
  GPtrArray *clients; /* of XfRemoteClient, owned */
  guint n_clients[XF_N_DOORS];
  GHashTable *origins; /* origin → number of clients */
  XfConnPool pools[XF_N_DOORS];
  XfLogRate refusals;
  GQueue slices; /* of long calls; the head is the next (slices.h) */
  guint slices_id;
  GPtrArray *gone; /* closed clients, kept until no handler of theirs can be on the stack */
  guint sweep_id;
  int next_callback;
};

/* procedures.c: the lists with their handlers. */
#define XF_N_PROGRAMS 2
extern const XfProgram xf_programs[XF_N_PROGRAMS];

/* admission.c */
void xf_admission_start (XfRemote *remote);
/* Counts @client, whose door and connection are set, and sets its bounds. FALSE: there is no place for it. */
gboolean xf_admission_enter (XfRemote *remote, XfRemoteClient *client);
void xf_admission_opened (XfRemoteClient *client);
void xf_admission_leave (XfRemoteClient *client);

/* events.c */
void xf_events_deliver (const XfEvent *event, gpointer remote);

/* Every procedure of the list has one handler, typed by the list. Its subject says which file has it:
 * connect.c, domain_look.c, domain_change.c, domain_stats.c, jobs.c, migrate.c, events.c, console.c, migrations.c,
 * check.c. */
#define P(number, name, args, ret, policy)                                                                             \
  void xf_handle_##name (XfCall *call, const args *arguments, XfRemoteClient *client);
XF_REMOTE_PROCEDURES (P)
XF_XENFERRY_PROCEDURES (P)
#undef P

static inline XfDriver *
xf_driver_of (const XfRemoteClient *client)
{
  return client->remote->driver;
}

static inline const guint8 *
xf_uuid_of (const xf_domain *dom)
{
  return (const guint8 *)dom->uuid;
}
