/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A migration at its source: one object from begin to confirm, whether a client drives it (managed mode) or
 * phases/p2p.c (peer-to-peer mode), and with any transport (transport/transport.h). It holds the guest's job all the
 * time.
 *
 *   describing ──► begun ──perform──► recording ──written──► connecting ──connected──► sending
 *
 *   sending ─libxl has written─► draining ─all passed on─► committing ─written─► sent ─confirm─► destroying ─► done
 *
 *   sent ──► settling ──┬──runs there──────────► destroying      confirm is no answer, or client or peer is gone
 *                       ├──will not run there──► rolling back
 *                       └──decision──► deciding ──┬──it ends here──► destroying
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
 * Rolling back resumes a guest that was suspended. No confirm follows a failed perform, so the source does this by
 * itself. Exception: if the guest never acknowledged the suspend, a resume would damage it.
 *
 * From `sent` on the source does not decide. It resumes the guest on the destination's promise that the guest does
 * not and will not run there, and destroys the guest when the destination says that it runs there. A client's confirm
 * is not such an answer: a client also says cancelled if the answer to finish was lost, and a confirm that says that
 * the guest runs there may be about another migration. So the source itself asks the destination (source/settle.c)
 * until it has an answer, and again after a restart (source/recover.c). An administrator who knows better uses virsh
 * resume or virsh destroy, once: the first decision counts.
 *
 * A resume that fails is retried until it succeeds or the guest is gone. Meanwhile an administrator may retry it at
 * once, or destroy the guest.
 *
 * A migration has an owner: the client that began it, or, peer to peer, this daemon. perform and confirm of other
 * clients do not reach it. `destroying` lasts until Xen does not have the domain any longer, across restarts too.
 */
#pragma once

#include "conf/cookie.h"
#include "libxl/xen/ctx.h"
#include "libxl/guest/guest.h"
#include "libxl/journal/journal.h"
#include "libxl/migrate/params.h"
#include "libxl/transport/transport.h"

typedef struct XfMigrateSource XfMigrateSource;

/* Begins: checks that the guest can migrate, takes its job, arms the deadline. @params is taken on success. @client
 * has requested it and drives it; if @p2p, this daemon drives it. @host: the destination's name in errors. */
XfMigrateSource *xf_migrate_source_begin (XfDriver *driver, XfGuest *guest, gconstpointer client, gboolean p2p,
                                          XfMigrateParams *params, const char *host, GError **error);

/* FALSE with an error if another client than @client drives this migration, or if @cookie (may be NULL), a phase's,
 * belongs to another one. */
gboolean xf_migrate_source_check_caller (const XfMigrateSource *source, gconstpointer client, const XfCookie *cookie,
                                         const char *phase, GError **error);

/* The migration whose source is @guest, or NULL. */
XfMigrateSource *xf_migrate_source_find (const XfGuest *guest);

/* The cookie and XML of begin; the caller frees them. */
GBytes *xf_migrate_source_cookie (const XfMigrateSource *source);
/* Adds what does not work at the destination (may be NULL) to the warnings of the job's statistics. */
void xf_migrate_source_take_warnings (XfMigrateSource *source, const char *warnings);

/* The cookie for finish: the measurements until everything was sent. The caller frees it. */
GBytes *xf_migrate_source_sent_cookie (const XfMigrateSource *source);
const char *xf_migrate_source_xml (const XfMigrateSource *source);
const XfMigrateParams *xf_migrate_source_params (const XfMigrateSource *source);
const char *xf_migrate_source_id (const XfMigrateSource *source);
const char *xf_migrate_source_state (const XfMigrateSource *source);
XfGuest *xf_migrate_source_guest (const XfMigrateSource *source);
const char *xf_migrate_source_guest_name (const XfMigrateSource *source);
gboolean xf_migrate_source_is_begun (const XfMigrateSource *source);
gboolean xf_migrate_source_guest_paused (const XfMigrateSource *source);

/* Sets the destination's name in errors. */
void xf_migrate_source_set_host (XfMigrateSource *source, const char *host);

/* The rest of begin: surveys the guest (source/survey.h), for the cookie. If @done gets an error, @source has been
 * freed. */
void xf_migrate_source_describe (XfMigrateSource *source, XfDone done, gpointer data);

/* Call it after describe. FALSE with an error if the guest has properties that a libvirtd would not learn of, and the
 * client did not set --unsafe. */
gboolean xf_migrate_source_fits_libvirtd (const XfMigrateSource *source, GError **error);

/* source/check.c: FALSE with an error if this guest cannot migrate with these parameters. */
gboolean xf_migrate_source_check (XfDriver *driver, const XfGuest *guest, const XfMigrateParams *params,
                                  GError **error);
/* The XML for the destination: the client's XML (--xml), checked against the guest's, else the guest's. With
 * passwords: the destination needs them. */
char *xf_migrate_source_make_xml (XfGuest *guest, const XfMigrateParams *params, GError **error);

/* The error for a guest that would lose @unsaid (survey.h) on a libvirtd; the caller frees it. */
GError *xf_migrate_unsaid_error (const char *name, const char *host, const char *unsaid);

/* The driving code in this daemon has deadlines of its own: cancels that of begin. */
void xf_migrate_source_hold (XfMigrateSource *source);

/* TRUE if confirm is allowed in the present state; else an error. */
gboolean xf_migrate_source_may_confirm (const XfMigrateSource *source, gboolean cancelled, GError **error);

/* The transport for the data, according to the destination's @answer to prepare: to @port of @host, or through the
 * stream that prepare_tunnel opened on @tunnel. */
XfMigrateTransport *xf_migrate_source_way (XfMigrateSource *source, const XfCookie *answer, const char *host,
                                           guint port, XfPeer *tunnel, GError **error);

/* Sends the guest; takes @transport. If @done gets an error, either the guest is in its former state, the job has
 * ended and @source has been freed; or the guest could not be resumed, and @source continues to try by itself. */
void xf_migrate_source_perform (XfMigrateSource *source, XfMigrateTransport *transport, XfDone done, gpointer data);

/* The result as a client reports it. After `sent` this is not the destination's own answer: a destination that can be
 * asked is asked, and for a libvirtd only the report that the guest runs there is accepted. @done gets an error if
 * the guest is not in the reported state, or not yet. */
void xf_migrate_source_confirm (XfMigrateSource *source, gboolean cancelled, XfDone done, gpointer data);

/* Stops a migration that is not yet `sent`; FALSE if it is too late. @reason becomes the error of the perform under
 * way; without one (state begun) @source has been freed. */
gboolean xf_migrate_source_abort (XfMigrateSource *source, const GError *reason);

/* Records how to ask the destination, from its answer to prepare. @uri: of its daemon as the source itself has
 * reached or will reach it, or NULL. @cookie NULL: a peer without a journal. */
void xf_migrate_source_set_peer (XfMigrateSource *source, const XfCookie *cookie, const char *uri);

/* After `sent`, without an answer from the destination: asks it. @done gets NULL if the guest runs there; @why (may
 * be NULL, as may @done) if it stays here; and, if there is no answer at once, an error that says so, while the
 * source continues to ask. The guest stays suspended meanwhile. */
void xf_migrate_source_settle (XfMigrateSource *source, const GError *why, XfDone done, gpointer data);

/* The end by the destination's own answer to finish, peer to peer: @runs is that answer. FALSE before `sent`. @why (may
 * be NULL): the reason if it does not, for display. */
void xf_migrate_source_conclude (XfMigrateSource *source, gboolean runs, const GError *why, XfDone done, gpointer data);

/* TRUE if the destination has a journal and so can be asked: it is a xenferry. */
gboolean xf_migrate_source_can_be_asked (const XfMigrateSource *source);

/* Caps a domain at @percent of one CPU; 0: no cap. Returns libxl's code. */
int xf_migrate_source_set_cap (XfCtx *ctx, guint32 domid, int percent);

/* Continues a migration that the last daemon left in the journal. */
void xf_migrate_source_recover (XfDriver *driver, XfJournalEntry *entry, XfGuest *guest);

/* The client with token @client has disconnected. */
void xf_migrate_source_client_gone (XfMigrateSource *source, gconstpointer client);

/* It is rolled back, and the guest could not be resumed: that is repeated. */
gboolean xf_migrate_source_is_stuck (const XfMigrateSource *source);

/* The destination's name in errors. */
const char *xf_migrate_source_host (const XfMigrateSource *source);

/* The daemon ends: a migration that is not sent rolls back; one that is sent is left to the journal. */
void xf_migrate_source_daemon_ends (XfMigrateSource *source);

/* The destination has answered that the guest runs there: the end of its downtime. */
void xf_migrate_source_guest_resumed (XfMigrateSource *source);

/* Sets p2p's abort function, used until everything is sent. With a @reason it ends the migration within the call,
 * else the next answer of the destination does. */
void xf_migrate_source_set_abort (XfMigrateSource *source, gboolean (*func) (gpointer data, const GError *reason),
                                  gpointer data);
