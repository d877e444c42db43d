/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A migration as its destination sees it: one object from prepare to finish, whether the data comes through a port
 * of its own or through a tunnel.
 *
 *   reserving ──memory──► recording ──written──► prepared ──data──► connected ──first bytes──► receiving
 *
 *   receiving ──restored by libxl──► restored ──finish──► committing ──written──┬──► unpausing ──► running
 *                                                                               └──► arriving ───► running  (paused)
 *
 *   reserving, recording ──► cancelled                       prepare is answered with an error
 *   receiving ──► stopping ──► cancelling                    libxl ends its restore first
 *   prepared, connected, receiving, restored ──► cancelling ──┐
 *   committing, unpausing, arriving ──► revoking ─────────────┴──► removing ──┬──► cancelled
 *                                                                             └──► failed ──finish──► cancelled
 *
 * Each state waits for one thing. An offline migration, of a definition alone, is reserving, prepared, running.
 *
 * Nothing of the guest is visible here before `running`: its name and uuid are reserved, a definition that exists is
 * untouched. Finish may come while data still arrives (a libvirtd source sends it early): it is answered when libxl
 * has found the end of the image, never before. Finish(cancelled) waits for nothing: it cuts the data.
 *
 * `unpausing` is durable before the guest runs, and `cancelled`, the tombstone, before what was restored is destroyed
 * and before anybody hears of it: from the moment that the source has sent everything, this journal is the truth that
 * it asks for (xf_driver_settle()). An answer is a promise.
 */
#pragma once

#include "conf/cookie.h"
#include "libxl/guest/guest.h"
#include "libxl/journal/journal.h"
#include "libxl/migrate/params.h"

typedef struct XfMigrateDest XfMigrateDest;

/* Prepares for data on a port: checks, reserves, listens. Takes @params on success. @uri_out: the caller's. */
XfMigrateDest *xf_migrate_dest_prepare (XfDriver *driver, gconstpointer client, XfMigrateParams *params, GBytes *cookie,
                                        char **uri_out, GError **error);

/* Prepares for data through a tunnel; @sink_out: where its bytes go. */
XfMigrateDest *xf_migrate_dest_prepare_tunnel (XfDriver *driver, gconstpointer client, XfMigrateParams *params,
                                               GBytes *cookie, const XfTunnelOps *ops, gpointer tunnel,
                                               XfTunnelSink *sink_out, GError **error);

/* Calls @done when the memory for the guest is there, at once or when dom0 has given it; or with an error, and then the
 * preparation is undone. Then only may prepare be answered. */
void xf_migrate_dest_when_ready (XfMigrateDest *dest, XfDone done, gpointer data);

/* The cookie for the source, or NULL when the source would stumble over one. */
GBytes *xf_migrate_dest_cookie (const XfMigrateDest *dest);

/* The migration under way here for the guest of that name, or with that id, or NULL. */
XfMigrateDest *xf_migrate_dest_find (XfDriver *driver, const char *name);
XfMigrateDest *xf_migrate_dest_find_id (XfDriver *driver, const guint8 *id);
const char *xf_migrate_dest_state (const XfMigrateDest *dest);

/* An error of this side: names guest, hosts and phase. The caller's. */
GError *xf_migrate_dest_error (XfMigrateDest *dest, const char *phase, int code, const char *text);

/* Its source is a xenferry, which asks what became of it. */
gboolean xf_migrate_dest_can_be_asked (const XfMigrateDest *dest);

/* It only waits to say why. */
gboolean xf_migrate_dest_has_failed (const XfMigrateDest *dest);

/* @client called prepare. */
gboolean xf_migrate_dest_is_of (const XfMigrateDest *dest, gconstpointer client);

/* Takes over what the source has measured; @cookie: finish's, or NULL. */
void xf_migrate_dest_take_progress (XfMigrateDest *dest, const XfCookie *cookie);

/* The source knows how the guest was when it was suspended: that counts, whatever prepare and finish have said, whose
 * client has looked at it before. Changes @params, finish's. */
void xf_migrate_dest_take_state (XfMigrateDest *dest, const XfCookie *cookie, XfMigrateParams *params);

/* @dest is gone when done was called, or rolls back and says so. Called again meanwhile, after the answer was lost, it
 * gets the same one. */
void xf_migrate_dest_finish (XfMigrateDest *dest, const XfMigrateParams *params, gboolean cancelled, XfMigrateDone done,
                             gpointer data);

/* What the daemon before us left behind, restored and paused as @domid: it waits for its finish, or, when that has been
 * decided, begins to live. FALSE: it cannot be taken up, because of @error. */
gboolean xf_migrate_dest_recover (XfDriver *driver, XfJournalEntry *entry, guint32 domid, GError **error);

void xf_migrate_dest_client_gone (XfMigrateDest *dest, gconstpointer client);

/* The daemon ends: rolls back what finish has not been called for. */
void xf_migrate_dest_daemon_ends (XfMigrateDest *dest);
