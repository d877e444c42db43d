/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The inside of the driver object.
 */
#pragma once

#include "driver.h"
#include "libxl/xen/ctx.h"
#include "libxl/guest/guest.h"
#include "libxl/journal/journal.h"

struct XfDriver {
  XfDriverConfig config; /* own copies */
  const XfPeerOps *peers;
  gpointer peers_data;
  XfCtx *ctx;
  GPtrArray *guests; /* of XfGuest, owned */
  char *hostname;
  GQueue libxl_events; /* of libxl_event, death.c's */
  guint libxl_events_id;
  gboolean (*client_is_there) (gconstpointer client);
  XfEventFunc listener;
  gpointer listener_data;
  struct XfDiscover *discover;
  XfJournal *journal;
  struct XfMigrateDoor *door;
  struct XfRecord *record; /* record.c's; NULL: none */
  GPtrArray *autostarts;   /* uuids, autostart.c's */
  guint autostart_id;
  GPtrArray *claims;       /* of XfMemoryClaim */
  GPtrArray *tellings;     /* telling.c's; NULL: none */
  GPtrArray *removals;     /* of XfRemoval, removal.c's */
  GPtrArray *dumps;        /* of XfDump, dump.c's */
  GPtrArray *hooks;        /* of XfHook, hook.c's, in the order of the calls */
  GPtrArray *checks;       /* of XfCheck, check.c's; NULL: none */
  GPtrArray *retries;      /* retry.c's; NULL: none */
  GPtrArray *leftovers;    /* leftover.c's; NULL: none */
  gboolean ends;           /* the daemon ends: nothing is retried */
  GPtrArray *sources;      /* of XfMigrateSource */
  GPtrArray *destinations; /* of XfMigrateDest */
};
