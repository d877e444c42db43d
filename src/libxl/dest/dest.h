/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A migration at its destination: one object from prepare to finish, for data through a port of its own and through a
 * tunnel.
 *
 *   filtering ──hook──► checking ──► reserving ──memory──► recording ──written──► preparing ──► prepared
 *
 *   prepared ──data──► connected ──first bytes──► receiving ──restored by libxl──► restored
 *
 *   restored ──finish──► activating ──► committing ──written──┬──► unpausing ──► running
 *                                                             └──► arriving ───► running  (paused)
 *
 *   filtering, checking, reserving, recording ──► cancelled  prepare is answered with an error
 *   preparing ──► releasing ──► cancelled                    the same
 *   receiving ──► stopping ──► cancelling                    libxl ends its restore first
 *   prepared, connected, receiving, restored, activating ──► cancelling ──┐
 *   committing, unpausing, arriving ──► revoking ─────────────────────────┴──► removing ──► releasing ──┬──► cancelled
 *                                                                                       └──► failed ──► cancelled
 *
 * Each state waits for one thing. An offline migration, of a definition alone, is filtering, prepared, running.
 *
 * Clients do not see the guest here before `running`: its name and UUID are reserved, and an existing definition is
 * unchanged. Finish may be called while data still arrives (a libvirtd source sends it early): it is answered when
 * libxl has read to the end of the image, never before. Finish(cancelled) does not wait: it closes the data
 * connection.
 *
 * `unpausing` is durable before the guest runs. `cancelled`, the tombstone, is durable before the restored domain is
 * destroyed and before the source gets that answer: once the source has sent everything, this journal decides the
 * answer to its question (xf_driver_settle()). An answer is a promise.
 */
#pragma once

#include "conf/cookie.h"
#include "libxl/guest/guest.h"
#include "libxl/journal/journal.h"
#include "libxl/migrate/params.h"

typedef struct XfMigrateDest XfMigrateDest;

/* Prepares for data on a port: checks, reserves, listens. Takes @params on success. The caller frees @uri_out. */
XfMigrateDest *xf_migrate_dest_prepare (XfDriver *driver, gconstpointer client, XfMigrateParams *params, GBytes *cookie,
                                        char **uri_out, GError **error);

/* Prepares for data through a tunnel; its bytes go into @fd_out, the caller's. */
XfMigrateDest *xf_migrate_dest_prepare_tunnel (XfDriver *driver, gconstpointer client, XfMigrateParams *params,
                                               GBytes *cookie, const XfTunnelOps *ops, gpointer tunnel, int *fd_out,
                                               GError **error);

/* Calls @done when the memory for the guest is available, at once or when dom0 has given it; or with an error, and
 * then the preparation is undone. prepare may be answered only then. */
void xf_migrate_dest_when_ready (XfMigrateDest *dest, XfDone done, gpointer data);

/* The cookie for the source, or NULL if the source does not accept one. */
GBytes *xf_migrate_dest_cookie (const XfMigrateDest *dest);

/* The migration in progress here for the guest of that name, or with that id, or NULL. */
XfMigrateDest *xf_migrate_dest_find (XfDriver *driver, const char *name);
XfMigrateDest *xf_migrate_dest_find_id (XfDriver *driver, const guint8 *id);
const char *xf_migrate_dest_state (const XfMigrateDest *dest);

/* An error of this side: names guest, hosts and phase. The caller frees it. */
GError *xf_migrate_dest_error (XfMigrateDest *dest, const char *phase, int code, const char *text);

/* TRUE if its source is a xenferry, which asks for the result. */
gboolean xf_migrate_dest_can_be_asked (const XfMigrateDest *dest);

/* TRUE if the migration has failed, and only waits to report the reason. */
gboolean xf_migrate_dest_has_failed (const XfMigrateDest *dest);

/* TRUE if @client called prepare. */
gboolean xf_migrate_dest_is_of (const XfMigrateDest *dest, gconstpointer client);

/* Adopts the source's measurements; @cookie: finish's, or NULL. */
void xf_migrate_dest_take_progress (XfMigrateDest *dest, const XfCookie *cookie);

/* Records the reason of a source or client that cancels the migration, for display. @cookie: finish's, or NULL. */
void xf_migrate_dest_take_cancel (XfMigrateDest *dest, const XfCookie *cookie);

/* The source knows the guest's state at the suspend. That state takes precedence over the flags of prepare and
 * finish, whose client has read the state earlier. Changes @params, finish's. */
void xf_migrate_dest_take_state (XfMigrateDest *dest, const XfCookie *cookie, XfMigrateParams *params);

/* @dest has been freed when @done is called, or it is rolling back, and the answer says so. A second call meanwhile,
 * after the answer was lost, gets the same answer. */
void xf_migrate_dest_finish (XfMigrateDest *dest, const XfMigrateParams *params, gboolean cancelled, XfMigrateDone done,
                             gpointer data);

/* Continues a migration that the last daemon left restored and paused as @domid: it waits for finish, or, if that is
 * decided, starts the guest. FALSE: it cannot continue, because of @error. */
gboolean xf_migrate_dest_recover (XfDriver *driver, XfJournalEntry *entry, guint32 domid, GError **error);

void xf_migrate_dest_client_gone (XfMigrateDest *dest, gconstpointer client);

/* The daemon ends: rolls back unless finish was called. */
void xf_migrate_dest_daemon_ends (XfMigrateDest *dest);
