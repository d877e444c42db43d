/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The inside of a migration's destination, for migrate_dest.c (its life), migrate_dest_prepare.c,
 * migrate_dest_receive.c (data, and the way back) and migrate_dest_finish.c.
 */
#pragma once

#include "base/sm.h"
#include "libxl/ao.h"
#include "libxl/ctx.h"
#include "libxl/driver_private.h"
#include "libxl/memory.h"
#include "libxl/migrate.h"
#include "libxl/migrate_dest.h"
#include "libxl/migrate_listen.h"
#include "libxl/migrate_progress.h"

enum {
  PREPARED,
  RECEIVING,
  RESTORED,
  UNPAUSING,
  ROLLING_BACK,
  FAILED,
  RUNNING,
  CANCELLED,
  N_STATES,
};

struct XfMigrateDest {
  /* what was asked */
  XfDriver *driver;
  gconstpointer client;
  XfMigrateParams params;
  char *name; /* the guest's here */
  char *from; /* the source's host name, for errors */
  gboolean from_xenferry;
  guint8 id[XF_UUID_LENGTH];
  XfDomainDef *def;
  char *exact;             /* the guest's libxl configuration, from a xenferry's cookie, or NULL */
  XfDomainDef *persistent; /* from persistent_xml, or NULL */
  XfDomainDef *replaced;   /* the definition that finish replaced, or NULL */
  gboolean persisted;      /* finish has stored one */

  /* where it stands */
  XfSm sm;
  XfGuest *guest; /* reserved */
  XfJob job;
  XfMigrateProgress progress;
  XfMigrateListener *listener;
  const XfTunnelOps *tunnel_ops;
  gpointer tunnel;
  int fd; /* libxl reads the image from it */
  XfCtx *ctx;
  XfAo *ao;
  libxl_domain_config config;
  XfMemoryClaim *claim;
  XfDone ready; /* prepare waits for its memory */
  gpointer ready_data;
  uint32_t domid;
  GError *error; /* the first thing that went wrong */
  guint deadline_id;
  gboolean client_is_gone;

  /* finish, when it has been called */
  XfMigrateDone done;
  gpointer done_data;
  gboolean finish_asked, finish_cancelled;
};

extern const XfSmState xf_migrate_dest_states[N_STATES];

/* An error of this side: names guest, hosts and phase. */
GError *xf_migrate_dest_error (XfMigrateDest *dest, const char *phase, int code, const char *text);

/* The driver's hold on the tunnel, if there is one, ends. */
void xf_migrate_dest_release_tunnel (XfMigrateDest *dest);

/* Whoever waits for prepare learns that it has failed. */
void xf_migrate_dest_drop_ready (XfMigrateDest *dest);

void xf_migrate_dest_free (XfMigrateDest *dest);

/* Out of the list, told, gone. */
void xf_migrate_dest_end (XfMigrateDest *dest, int final_state, const XfMigrateResult *result, const GError *told);
void xf_migrate_dest_end_job (XfMigrateDest *dest, const GError *failure);

/* The deadline of the state under way; 0: none. */
void xf_migrate_dest_arm (XfMigrateDest *dest, guint seconds);

/* The data is there, on dest->fd: libxl restores from it. */
void xf_migrate_dest_receive (XfMigrateDest *dest);
void xf_migrate_dest_accepted (int fd, gpointer data);

/* Removes what was built; also called again when what it waited for has ended. */
void xf_migrate_dest_roll_back (XfMigrateDest *dest);

/* Does what finish wants, if it has been called, in the state under way. */
void xf_migrate_dest_go_on (XfMigrateDest *dest);
