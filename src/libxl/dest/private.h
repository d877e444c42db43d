/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The inside of a migration's destination, for dest/dest.c (its life), dest/prepare.c,
 * dest/receive.c (data), dest/back.c (the way back), dest/finish.c, dest/settle.c (who
 * asks what became of it) and dest/recover.c.
 */
#pragma once

#include "base/sm.h"
#include "libxl/xen/ao.h"
#include "libxl/xen/ctx.h"
#include "libxl/guest/driver_private.h"
#include "libxl/guest/memory.h"
#include "libxl/migrate/migrations.h"
#include "libxl/dest/dest.h"
#include "libxl/transport/listen.h"
#include "libxl/migrate/plan.h"
#include "libxl/migrate/progress.h"
#include "libxl/transport/pump.h"

/* Each state waits for one thing. */
enum {
  RESERVING,  /* for the guest's memory */
  RECORDING,  /* for the journal: `prepared` */
  PREPARED,   /* for the source's connections */
  CONNECTED,  /* for the first bytes of the image */
  RECEIVING,  /* for libxl, which restores the guest, paused */
  RESTORED,   /* for finish */
  COMMITTING, /* for the journal: `unpausing` */
  UNPAUSING,  /* for libxl, which lets the guest run */
  ARRIVING,   /* for the journal: `running`, of a guest that stays paused */
  STOPPING,   /* for libxl, whose restore is aborted */
  CANCELLING, /* for the journal: `cancelled`, the tombstone */
  REVOKING,   /* the same, and the disk may say `unpausing`: tried until it is written */
  REMOVING,   /* for the end of the domain that was restored */
  FAILED,     /* for the finish that asks why */
  RUNNING,
  CANCELLED,
  N_STATES,
};

/* What its client wants. */
typedef enum {
  XF_DEST_AWAITS_FINISH,
  XF_DEST_START,        /* finish was called */
  XF_DEST_START_UNSEEN, /* and its caller is gone */
  XF_DEST_CANCEL,       /* finish(cancelled) was called */
  XF_DEST_LEFT,         /* the client is gone, and finish was not called */
} XfDestDemand;

struct XfMigrateDest {
  /* what was asked */
  XfDriver *driver;
  gconstpointer client; /* that called prepare; NULL when it is gone, and since a restart */
  XfMigrateParams params;
  char *name; /* the guest's here */
  char *from; /* the source's host name, for errors */
  guint8 id[XF_UUID_LENGTH];
  XfDomainDef *def;
  char *exact;             /* the guest's libxl configuration, from a xenferry's cookie, or NULL */
  XfDomainDef *persistent; /* from persistent_xml, or NULL */
  XfDomainDef *replaced;   /* the definition that finish replaced, or NULL */

  /* where it stands */
  XfSm sm;
  XfDestDemand demand;
  XfGuest *guest; /* reserved */
  XfJob job;
  XfMigrateProgress progress;
  XfMigrateListener *listener;
  const XfTunnelOps *tunnel_ops;
  gpointer tunnel;
  XfMigratePlan plan; /* how the data comes */
  guint8 token[XF_TICKET_TOKEN];
  XfPump *pump;  /* between the peer and fd, or NULL */
  int fd;        /* libxl reads the image from it */
  guint look_id; /* until libxl may read from it */
  guint look_ms; /* how long to the next look */
  guint stall_id;
  guint64 stall_bytes; /* received when it was looked last */
  gint64 stall_since_us;
  XfCtx *ctx;
  XfAo *ao;
  libxl_domain_config config;
  XfMemoryClaim *claim;
  XfDone ready; /* prepare waits for its memory */
  gpointer ready_data;
  uint32_t domid;
  GError *error; /* the first thing that went wrong */
  guint deadline_id;

  /* what must not be forgotten */
  XfJournalEntry *entry; /* NULL: nothing is written */
  char *secret;          /* a xenferry source asks with it what became of us; NULL: the source has no journal */
  guint tombstone_tries;

  /* those who wait: callers of finish, and of settle */
  GArray *finishers; /* of XfMigrateFinisher */
  GArray *settlers;  /* of XfMigrateSettler */
};

typedef struct {
  XfMigrateDone done;
  gpointer data;
} XfMigrateFinisher;

typedef struct {
  XfVerdictDone done;
  gpointer data;
} XfMigrateSettler;

extern const XfSmState xf_migrate_dest_states[N_STATES];

/* The driver's hold on the tunnel, if there is one, ends. */
void xf_migrate_dest_release_tunnel (XfMigrateDest *dest);

/* Of the domain that libxl restores, or -1. */
gint64 xf_migrate_dest_domid (const XfMigrateDest *dest);

/* Writes that it is in @state; @done (may be NULL) as xf_journal_write(). */
void xf_migrate_dest_write (XfMigrateDest *dest, int state, XfDone done);

/* The answer to whoever asks what became of the guest; @error (may be NULL): why there is none. */
void xf_migrate_dest_tell_settlers (XfMigrateDest *dest, XfVerdict verdict, const GError *error);

/* What follows `committing` once `unpausing` is written: the definition is stored, the guest runs. */
void xf_migrate_dest_revive (XfMigrateDest *dest);

/* Finish was called, and wants the guest to run. */
gboolean xf_migrate_dest_is_to_start (const XfMigrateDest *dest);

/* Prepare, which has not been answered, is answered with an error. */
void xf_migrate_dest_refuse (XfMigrateDest *dest);

/* As yet of nobody: id and names are the caller's to fill. */
XfMigrateDest *xf_migrate_dest_new (XfDriver *driver, gconstpointer client);
void xf_migrate_dest_free (XfMigrateDest *dest);

/* It has id and name now, which its state machine goes by. */
void xf_migrate_dest_identify (XfMigrateDest *dest);

/* Takes name and uuid of its def, and the job of the guest that they are; the error of whoever has one of them. */
gboolean xf_migrate_dest_reserve (XfMigrateDest *dest, GError **error);

/* dest/exact.c: the exact configuration that the source sent takes the place of the one from the XML. Refused
 * when they do not mean the same guest, and, by its paths, for what this host's libxl does not know of it. */
gboolean xf_migrate_dest_use_exact (XfMigrateDest *dest, GError **error);

/* Out of the list, told, gone. */
void xf_migrate_dest_end (XfMigrateDest *dest, int final_state, const XfMigrateResult *result, const GError *told);
void xf_migrate_dest_end_job (XfMigrateDest *dest, const GError *failure);

/* Data that libxl has not begun to read is given up. */
void xf_migrate_dest_stop_looking (XfMigrateDest *dest);

/* While libxl restores: bytes must come, or it is given up. */
void xf_migrate_dest_watch_stall (XfMigrateDest *dest);
void xf_migrate_dest_unwatch_stall (XfMigrateDest *dest);

/* The deadline of the state under way; 0: none. */
void xf_migrate_dest_arm (XfMigrateDest *dest, guint seconds);

/* The data comes on @fds, which are taken: libxl restores from it. */
void xf_migrate_dest_receive (XfMigrateDest *dest, const int *fds, guint n);
void xf_migrate_dest_accepted (const int *fds, guint n, gpointer data);

/* The way back begins: what was built is removed. */
void xf_migrate_dest_roll_back (XfMigrateDest *dest);

/* It goes on: libxl has ended the restore that was aborted. */
void xf_migrate_dest_restore_stopped (XfMigrateDest *dest);

gboolean xf_migrate_dest_rolls_back (const XfMigrateDest *dest);

/* A source without a journal takes its guest back when finish is not answered: while this says so the guest must not
 * be started here. */
gboolean xf_migrate_dest_source_has_left (const XfMigrateDest *dest);

/* Those who called finish are told, and not again. */
void xf_migrate_dest_tell_finishers (XfMigrateDest *dest, const XfMigrateResult *result, const GError *told);

/* Does what finish wants, if it has been called, in the state that has just begun. */
void xf_migrate_dest_go_on (XfMigrateDest *dest);
