/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A migration as its source sees it: one object from begin to confirm, whoever drives it (a client in managed mode,
 * migrate_p2p.c in peer-to-peer mode) and however the bytes go (migrate_transport.h). It holds the guest's job all
 * the time.
 *
 *   begun ──perform──► connecting ──► sending ──► sent ──confirm──► destroying ──► done
 *     │                    │             │          │
 *     │ confirm(cancelled),│ cannot      │ broken,  ├─confirm(cancelled)─┐
 *     │ deadline, abort,   │ connect,    │ abort    │                    ▼
 *     │ client gone        └─ abort ─────┴──────────┼──────────► rolling back ──► cancelled
 *     └────────────────────────► cancelled          │
 *                                                   └─ client or peer gone ──► unresolved
 *
 * Rolling back resumes a guest that was suspended: no confirm follows a failed perform, so the source does it by
 * itself; except after a suspend that the guest never acknowledged, where resuming would damage it. From `sent` on
 * the source does not decide alone: it resumes on the destination's word that the guest does not run there, and
 * destroys on its word that it does. With nobody left to bring that word the guest stays suspended, unresolved, and
 * says so; a person resumes or destroys it. In managed mode the client brings the word, and says confirm(cancelled) also
 * when the destination's answer was lost: ARCHITECTURE.md says what that means.
 */
#pragma once

#include "libxl/guest.h"
#include "libxl/migrate_params.h"
#include "libxl/migrate_transport.h"

typedef struct XfMigrateSource XfMigrateSource;

/* Begins: checks that the guest can move, takes its job, arms the deadline. @params is taken on success.
 * @host: what to call the destination in errors. */
XfMigrateSource *xf_migrate_source_begin (XfDriver *driver, XfGuest *guest, gconstpointer client,
                                          XfMigrateParams *params, const char *host, GError **error);

/* The migration whose source is @guest, or NULL. */
XfMigrateSource *xf_migrate_source_find (const XfGuest *guest);

/* Begin's cookie and XML, the caller's. */
GBytes *xf_migrate_source_cookie (const XfMigrateSource *source);
/* The cookie for finish, the caller's: what was measured until all was sent. */
GBytes *xf_migrate_source_sent_cookie (const XfMigrateSource *source);
const char *xf_migrate_source_xml (const XfMigrateSource *source);
const XfMigrateParams *xf_migrate_source_params (const XfMigrateSource *source);
const char *xf_migrate_source_id (const XfMigrateSource *source);
const char *xf_migrate_source_guest_name (const XfMigrateSource *source);
gboolean xf_migrate_source_is_begun (const XfMigrateSource *source);
gboolean xf_migrate_source_guest_paused (const XfMigrateSource *source);

/* What to call the destination from now on. */
void xf_migrate_source_set_host (XfMigrateSource *source, const char *host);

/* The rest of begin: reads the guest's exact configuration into the cookie. When done is told an error, @source is
 * gone. */
void xf_migrate_source_describe (XfMigrateSource *source, XfDone done, gpointer data);

/* Somebody here drives it who has deadlines of its own: begin's does not count. */
void xf_migrate_source_hold (XfMigrateSource *source);

/* TRUE when confirm has its place now; else an error. */
gboolean xf_migrate_source_may_confirm (const XfMigrateSource *source, gboolean cancelled, GError **error);

/* Sends the guest; takes @transport. When done is told an error, the guest is as it was before, the job has ended and
 * @source is gone. */
void xf_migrate_source_perform (XfMigrateSource *source, XfMigrateTransport *transport, XfDone done, gpointer data);

/* The end. Done is told an error only when the guest could not be brought to the state it should be in. @source is
 * gone then. */
void xf_migrate_source_confirm (XfMigrateSource *source, gboolean cancelled, XfDone done, gpointer data);

/* Stops a migration that is not yet `sent`, and FALSE when it is too late. @reason becomes the error of the perform
 * under way; without one (state begun) @source is gone. */
gboolean xf_migrate_source_abort (XfMigrateSource *source, const GError *reason);

/* After `sent`: nobody can say any more what became of the guest at the destination. Ends the job, leaves the guest
 * suspended with @message for a person. @source is gone. */
void xf_migrate_source_unresolved (XfMigrateSource *source, const char *message);

/* The client whose token is @client has gone. */
void xf_migrate_source_client_gone (XfMigrateSource *source, gconstpointer client);

/* The daemon ends: what is not sent rolls back, what is sent is left for a person. */
void xf_migrate_source_daemon_ends (XfMigrateSource *source);

/* libxl says that the guest has stopped for its last pass. */
void xf_migrate_source_guest_suspended (XfGuest *guest);

/* The destination answered that the guest runs there: the end of its downtime. */
void xf_migrate_source_guest_resumed (XfMigrateSource *source);

/* Gives the migration's abort to somebody else: a peer-to-peer migration can be stopped when nothing is sent yet. */
void xf_migrate_source_set_abort (XfMigrateSource *source, gboolean (*func) (gpointer data, GError **error), gpointer data);
