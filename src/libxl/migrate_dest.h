/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A migration as its destination sees it: one object from prepare to finish, whether the data comes through a port
 * of its own or through a tunnel.
 *
 *   prepared ──data──► receiving ──restored by libxl──► restored ──finish──► unpausing ──► running
 *      │                   │                                │                    │
 *      │ finish(cancelled),│ restore failed,                │ finish(cancelled), │ fails
 *      │ deadline,         │ finish(cancelled),             │ client gone        │
 *      │ client gone       │ client gone                    ▼                    │
 *      ├───────────────────┴──────────────────────► rolling back ◄──────────────┘
 *      ▼                                                    │
 *   cancelled ◄───────── nobody will ask ───────────────────┤
 *                                                           └── finish will ask ──► failed ──finish──► cancelled
 *
 * Nothing of the guest is visible here before `running`: its name and uuid are reserved, a definition that exists is
 * untouched. Finish may come while data still arrives (a libvirtd source sends it early): it is answered when libxl
 * has found the end of the image, never before. Finish(cancelled) waits for nothing: it cuts the data.
 */
#pragma once

#include "libxl/guest.h"
#include "libxl/migrate_params.h"

typedef struct XfMigrateDest XfMigrateDest;

/* Prepares for data on a port: checks, reserves, listens. Takes @params on success. @uri_out: the caller's. */
XfMigrateDest *xf_migrate_dest_prepare (XfDriver *driver, gconstpointer client, XfMigrateParams *params,
                                        GBytes *cookie, char **uri_out, GError **error);

/* Prepares for data through a tunnel; @sink_out: where its bytes go. */
XfMigrateDest *xf_migrate_dest_prepare_tunnel (XfDriver *driver, gconstpointer client, XfMigrateParams *params,
                                               GBytes *cookie, const XfTunnelOps *ops, gpointer tunnel,
                                               XfTunnelSink *sink_out, GError **error);

/* Calls @done when the memory for the guest is there, at once or when dom0 has given it; or with an error, and then the
 * preparation is undone. Then only may prepare be answered. */
void xf_migrate_dest_when_ready (XfMigrateDest *dest, XfDone done, gpointer data);

/* The cookie for the source, or NULL when the source would stumble over one. */
GBytes *xf_migrate_dest_cookie (const XfMigrateDest *dest);

/* The migration under way here for the guest of that name, or NULL. */
XfMigrateDest *xf_migrate_dest_find (XfDriver *driver, const char *name);

/* Takes over what the source has measured, from finish's cookie; one that cannot be read is not an error here. */
void xf_migrate_dest_take_progress (XfMigrateDest *dest, GBytes *cookie);

/* Takes @params. @dest is gone when done was called. */
void xf_migrate_dest_finish (XfMigrateDest *dest, XfMigrateParams *params, gboolean cancelled, XfMigrateDone done,
                             gpointer data);

/* Finish has been called and not yet answered. */
gboolean xf_migrate_dest_is_finishing (const XfMigrateDest *dest);

void xf_migrate_dest_client_gone (XfMigrateDest *dest, gconstpointer client);

/* The daemon ends: rolls back what finish has not been called for. */
void xf_migrate_dest_daemon_ends (XfMigrateDest *dest);
