/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A migration as its source sees it: one object from begin to confirm, whoever drives it (a client in managed mode,
 * phases/p2p.c in peer-to-peer mode) and however the bytes go (transport/transport.h). It holds the guest's job all
 * the time.
 *
 *   describing ──► begun ──perform──► recording ──written──► connecting ──connected──► sending
 *
 *   sending ──libxl has written──► draining ──all handed on──► committing ──written──► sent ──confirm──► destroying ──►
 * done
 *
 *   sent ──► settling ──┬──runs there──────────► destroying      confirm is no answer, or client or peer is gone
 *                       ├──will not run there──► rolling back
 *                       └──a person──► deciding ──┬──it ends here──► destroying
 *                                                 └──it goes on here──► rolling back
 *
 *   describing, begun ──► cancelled                              abort, deadline, client gone, confirm(cancelled)
 *   sending ──► stopping ──► rolling back                        libxl still writes
 *   recording, connecting, sending, draining, committing, sent ──► rolling back
 *
 *   rolling back ──┬──► resuming ──► cancelled                   the guest was suspended
 *                  └──► cancelled
 *   resuming ──► stuck ──┬──again──► resuming                    it cannot be resumed
 *                        ├──virsh destroy──► removing ──► cancelled
 *                        └──► cancelled                          it has gone, or runs
 *
 * Each state waits for one thing. An offline migration, of a definition alone, goes from begun to done.
 *
 * Rolling back resumes a guest that was suspended: no confirm follows a failed perform, so the source does it by
 * itself; except after a suspend that the guest never acknowledged, where resuming would damage it. From `sent` on
 * the source does not decide: it resumes on the destination's promise that the guest does not and will not run there,
 * and destroys on its word that it does. A client's confirm is no such word: cancelled, it says the same when the
 * answer to finish was lost; and one that says that the guest runs there may be about another migration. So the source
 * asks by itself (source/settle.c), until it is answered, and after a restart again (source/recover.c);
 * a person who knows better says virsh resume or virsh destroy, once: the first decision counts. A resume that fails is
 * tried until it succeeds or the guest is gone; a person may try it at once, or destroy the guest, meanwhile.
 *
 * A migration has an owner: the client that began it, or this daemon, peer to peer. No other client's perform or
 * confirm reaches it. `destroying` lasts until Xen does not have the domain any more, over restarts too.
 */
#pragma once

#include "conf/cookie.h"
#include "libxl/xen/ctx.h"
#include "libxl/guest/guest.h"
#include "libxl/journal/journal.h"
#include "libxl/migrate/params.h"
#include "libxl/transport/transport.h"

typedef struct XfMigrateSource XfMigrateSource;

/* Begins: checks that the guest can move, takes its job, arms the deadline. @params is taken on success. @client has
 * asked for it and drives it, unless it is @p2p: then this daemon does. @host: what to call the destination in errors.
 */
XfMigrateSource *xf_migrate_source_begin (XfDriver *driver, XfGuest *guest, gconstpointer client, gboolean p2p,
                                          XfMigrateParams *params, const char *host, GError **error);

/* Is @client the one that drives this migration, and does @cookie (may be NULL), a phase's, mean it and no other? */
gboolean xf_migrate_source_check_caller (const XfMigrateSource *source, gconstpointer client, const XfCookie *cookie,
                                         const char *phase, GError **error);

/* The migration whose source is @guest, or NULL. */
XfMigrateSource *xf_migrate_source_find (const XfGuest *guest);

/* Begin's cookie and XML, the caller's. */
GBytes *xf_migrate_source_cookie (const XfMigrateSource *source);
/* The cookie for finish, the caller's: what was measured until all was sent. */
GBytes *xf_migrate_source_sent_cookie (const XfMigrateSource *source);
const char *xf_migrate_source_xml (const XfMigrateSource *source);
const XfMigrateParams *xf_migrate_source_params (const XfMigrateSource *source);
const char *xf_migrate_source_id (const XfMigrateSource *source);
const char *xf_migrate_source_state (const XfMigrateSource *source);
XfGuest *xf_migrate_source_guest (const XfMigrateSource *source);
const char *xf_migrate_source_guest_name (const XfMigrateSource *source);
gboolean xf_migrate_source_is_begun (const XfMigrateSource *source);
gboolean xf_migrate_source_guest_paused (const XfMigrateSource *source);

/* What to call the destination from now on. */
void xf_migrate_source_set_host (XfMigrateSource *source, const char *host);

/* The rest of begin: reads the guest's exact configuration into the cookie. When done is told an error, @source is
 * gone. */
void xf_migrate_source_describe (XfMigrateSource *source, XfDone done, gpointer data);

/* After that: FALSE when the guest has something that a libvirtd would not be told of, and nobody said --unsafe. */
gboolean xf_migrate_source_fits_libvirtd (const XfMigrateSource *source, GError **error);

/* Somebody here drives it who has deadlines of its own: begin's does not count. */
void xf_migrate_source_hold (XfMigrateSource *source);

/* TRUE when confirm has its place now; else an error. */
gboolean xf_migrate_source_may_confirm (const XfMigrateSource *source, gboolean cancelled, GError **error);

/* How its data goes: as the destination's @answer to prepare says, to @port of @host, or through the stream that
 * prepare_tunnel opened on @tunnel. */
XfMigrateTransport *xf_migrate_source_way (XfMigrateSource *source, const XfCookie *answer, const char *host,
                                           guint port, XfPeer *tunnel, GError **error);

/* Sends the guest; takes @transport. When done is told an error, the guest is as it was before, the job has ended and
 * @source is gone; or the guest could not be resumed, and @source goes on trying by itself. */
void xf_migrate_source_perform (XfMigrateSource *source, XfMigrateTransport *transport, XfDone done, gpointer data);

/* The end as a client says it. After `sent` that is not the destination's word: a destination that can be asked is
 * asked, and a libvirtd is believed only that the guest runs there. Done is told an error when the guest is not in the
 * state it should be in, or not yet. */
void xf_migrate_source_confirm (XfMigrateSource *source, gboolean cancelled, XfDone done, gpointer data);

/* Stops a migration that is not yet `sent`, and FALSE when it is too late. @reason becomes the error of the perform
 * under way; without one (state begun) @source is gone. */
gboolean xf_migrate_source_abort (XfMigrateSource *source, const GError *reason);

/* What the destination's answer to prepare says about asking it; @uri: where the source itself has reached or will
 * reach its daemon, or NULL. @cookie NULL: a peer without a journal. */
void xf_migrate_source_set_peer (XfMigrateSource *source, const XfCookie *cookie, const char *uri);

/* After `sent`, when nobody has brought the destination's word: asks it. @done is told NULL when the guest runs there;
 * @why (may be NULL, and so may @done) when it stays here; and, when there is no answer at once, an error that says so,
 * while the asking goes on. The guest stays suspended meanwhile. */
void xf_migrate_source_settle (XfMigrateSource *source, const GError *why, XfDone done, gpointer data);

/* The end on the destination's own word, peer to peer: @runs is what its answer to finish said; before `sent`, FALSE.
 */
void xf_migrate_source_conclude (XfMigrateSource *source, gboolean runs, XfDone done, gpointer data);

/* The destination has a journal, and so can be asked: it is a xenferry. */
gboolean xf_migrate_source_can_be_asked (const XfMigrateSource *source);

/* Lets the scheduler give a domain no more than @percent of one processor; 0: as much as it likes. Returns libxl's
 * code. */
int xf_migrate_source_set_cap (XfCtx *ctx, guint32 domid, int percent);

/* What the daemon before us left behind: goes on with it. */
void xf_migrate_source_recover (XfDriver *driver, XfJournalEntry *entry, XfGuest *guest);

/* The client whose token is @client has gone. */
void xf_migrate_source_client_gone (XfMigrateSource *source, gconstpointer client);

/* The daemon ends: what is not sent rolls back, what is sent is left to the journal. */
void xf_migrate_source_daemon_ends (XfMigrateSource *source);

/* The destination answered that the guest runs there: the end of its downtime. */
void xf_migrate_source_guest_resumed (XfMigrateSource *source);

/* Gives the migration's abort to p2p, as long as nothing is sent: with a @reason the migration ends within the call,
 * else with the next answer of the destination. */
void xf_migrate_source_set_abort (XfMigrateSource *source, gboolean (*func) (gpointer data, const GError *reason),
                                  gpointer data);
