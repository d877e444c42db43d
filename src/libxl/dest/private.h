/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The inside of a migration's destination, for dest/dest.c (its life), dest/prepare.c, dest/receive.c (data),
 * dest/back.c (roll back), dest/finish.c, dest/settle.c (answers the source's question) and dest/recover.c.
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
#include "libxl/resource/resource.h"
#include "libxl/migrate/progress.h"
#include "libxl/transport/pump.h"

/* Each state waits for one thing. */
enum {
  FILTERING,  /* for the hook `migrate` */
  CHECKING,   /* for the checks of the guest's resources */
  RESERVING,  /* for the guest's memory */
  RECORDING,  /* for the journal: `prepared`, and what the resources may have to give back */
  PREPARING,  /* for the resources that are taken in advance */
  PREPARED,   /* for the source's connections */
  CONNECTED,  /* for the first bytes of the image */
  RECEIVING,  /* for libxl, which restores the guest; it stays paused */
  RESTORED,   /* for finish */
  ACTIVATING, /* for the resources that are taken last */
  COMMITTING, /* for the journal: `unpausing` */
  UNPAUSING,  /* for libxl, which unpauses the guest */
  ARRIVING,   /* for the journal: `running`, for a guest that stays paused */
  STOPPING,   /* for libxl, whose restore is aborted */
  CANCELLING, /* for the journal: `cancelled`, the tombstone */
  REVOKING,   /* the same, but the disk may say `unpausing`: retried until it is written */
  REMOVING,   /* for the end of the restored domain */
  RELEASING,  /* for the resources, which are given back */
  FAILED,     /* for the finish that asks for the reason */
  RUNNING,
  CANCELLED,
  N_STATES,
};

/* The demand of its client. */
typedef enum {
  XF_DEST_AWAITS_FINISH,
  XF_DEST_START,        /* finish was called */
  XF_DEST_START_UNSEEN, /* and its caller has disconnected */
  XF_DEST_CANCEL,       /* finish(cancelled) was called */
  XF_DEST_LEFT,         /* the client has disconnected, and finish was not called */
} XfDestDemand;

struct XfMigrateDest {
  /* the request */
  XfDriver *driver;
  gconstpointer client; /* called prepare; NULL when it has disconnected, and since a restart */
  XfMigrateParams params;
  char *name; /* the guest's name here */
  char *from; /* the source's host name, for errors */
  guint8 id[XF_UUID_LENGTH];
  XfDomainDef *def;
  GHashTable *facts;       /* of the guest's resources at the source, or NULL */
  char *exact;             /* the guest's libxl configuration, from a xenferry's cookie, or NULL */
  XfDomainDef *persistent; /* from persistent_xml, or NULL */
  XfDomainDef *replaced;   /* the definition that finish replaced, or NULL */

  /* its state */
  XfSm sm;
  XfDestDemand demand;
  XfGuest *guest; /* reserved */
  XfJob job;
  XfMigrateProgress progress;
  XfMigrateListener *listener;
  const XfTunnelOps *tunnel_ops;
  gpointer tunnel;
  XfMigratePlan plan; /* the data */
  guint8 token[XF_TICKET_TOKEN];
  XfPump *pump;  /* between the peer and fd, or NULL */
  int fd;        /* libxl reads the image from it */
  guint look_id; /* the check whether libxl may read from it */
  guint look_ms; /* the time until the next check */
  guint stall_id;
  guint64 stall_bytes; /* received at the last check */
  gint64 stall_since_us;
  XfCtx *ctx;
  XfAo *ao;
  libxl_domain_config config;
  XfMemoryClaim *claim;
  struct XfMigrateFilter *filter; /* the hook `migrate` runs; or NULL */
  XfResources *resources;         /* NULL for a migration of a definition alone */
  char *warnings;                 /* of its resources, since the guest runs; NULL: none */
  XfDone ready;                   /* the prepare that waits for its answer */
  gpointer ready_data;
  uint32_t domid;
  GError *error;      /* the first error */
  char *cancelled_by; /* the reason of a source or client that has cancelled it, for display; NULL: none has */
  guint deadline_id;

  /* for the journal */
  XfJournalEntry *entry; /* NULL: nothing is written */
  char *secret;          /* a xenferry source names it to ask for the result; NULL: the source has no journal */
  guint tombstone_tries;

  /* callers that wait: of finish, and of settle */
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
  XfPurpose purpose;
} XfMigrateSettler;

extern const XfSmState xf_migrate_dest_states[N_STATES];

/* The reason for the end of a migration that did not succeed, for display. */
const char *xf_migrate_dest_why (const XfMigrateDest *dest);

/* Ends the driver's use of the tunnel, if there is one. */
void xf_migrate_dest_release_tunnel (XfMigrateDest *dest);

/* The domid of the domain that libxl restores, or -1. */
gint64 xf_migrate_dest_domid (const XfMigrateDest *dest);

/* Writes @state to the journal; @done (may be NULL) as for xf_journal_write(). */
void xf_migrate_dest_write (XfMigrateDest *dest, int state, XfDone done);

/* Answers the source's questions about the guest; @error (may be NULL): the reason why there is no answer. */
void xf_migrate_dest_tell_settlers (XfMigrateDest *dest, XfVerdict verdict, const GError *error);

/* Continues from `committing` once `unpausing` is written: stores the definition, unpauses the guest. */
void xf_migrate_dest_revive (XfMigrateDest *dest);

/* TRUE if finish was called and the guest is to run. */
gboolean xf_migrate_dest_is_to_start (const XfMigrateDest *dest);

/* The checks of prepare that need no waiting: reads the request into @dest; TRUE if its name and UUID may be taken now;
 * TRUE if @dest gets the
 * configuration of the guest, all of which this host knows. */
gboolean xf_migrate_dest_read_request (XfMigrateDest *dest, const XfMigrateParams *params, GBytes *cookie,
                                       GError **error);
gboolean xf_migrate_dest_may_reserve (XfMigrateDest *dest, GError **error);
gboolean xf_migrate_dest_check_host (XfMigrateDest *dest, GError **error);

/* Makes the set of the guest's resources; @held: NULL, or those that the journal names. */
gboolean xf_migrate_dest_find_resources (XfMigrateDest *dest, const char *held, GError **error);

/* Answers a pending prepare with an error. */
void xf_migrate_dest_refuse (XfMigrateDest *dest);

/* A new object; the caller sets its id and names. */
XfMigrateDest *xf_migrate_dest_new (XfDriver *driver, gconstpointer client);
void xf_migrate_dest_free (XfMigrateDest *dest);

/* The id and name are set; they name its state machine. */
void xf_migrate_dest_identify (XfMigrateDest *dest);

/* Takes the name and UUID of its def, and the guest's job. Fails with the error of the guest that has one of them. */
gboolean xf_migrate_dest_reserve (XfMigrateDest *dest, GError **error);

/* dest/filter.c: runs the hook `migrate`, whose changes become the definition and the configuration of @dest. @done
 * gets
 * @dest, from the loop, or the reason to refuse the guest. */
void xf_migrate_dest_filter (XfMigrateDest *dest, XfDone done);
void xf_migrate_dest_stop_filter (XfMigrateDest *dest);

/* dest/exact.c: replaces the configuration made from XML by the exact one that the source sent. Refused if the two do
 * not describe the same guest, or if this host's libxl does not know parts of it; the error names their paths. */
gboolean xf_migrate_dest_use_exact (XfMigrateDest *dest, GError **error);

/* Removes the migration from the list, answers its callers, and frees it. */
void xf_migrate_dest_end (XfMigrateDest *dest, int final_state, const XfMigrateResult *result, const GError *told);
void xf_migrate_dest_end_job (XfMigrateDest *dest, const GError *failure);

/* Drops data that libxl has not begun to read. */
void xf_migrate_dest_stop_looking (XfMigrateDest *dest);

/* While libxl restores: gives up if no more bytes arrive. */
void xf_migrate_dest_watch_stall (XfMigrateDest *dest);
void xf_migrate_dest_unwatch_stall (XfMigrateDest *dest);

/* Sets the deadline of the present state; 0: none. */
void xf_migrate_dest_arm (XfMigrateDest *dest, guint seconds);

/* The data arrives on @fds, which are taken: libxl restores from it. */
void xf_migrate_dest_receive (XfMigrateDest *dest, const int *fds, guint n);
void xf_migrate_dest_accepted (const int *fds, guint n, gpointer data);

/* Starts to roll back: removes the domain that was built. */
void xf_migrate_dest_roll_back (XfMigrateDest *dest);

/* Continues the roll back: libxl has ended the aborted restore. */
void xf_migrate_dest_restore_stopped (XfMigrateDest *dest);

gboolean xf_migrate_dest_rolls_back (const XfMigrateDest *dest);

/* A source without a journal takes its guest back if finish is not answered: while this is TRUE the guest must not be
 * started here. */
gboolean xf_migrate_dest_source_has_left (const XfMigrateDest *dest);

/* Answers the callers of finish, once. */
void xf_migrate_dest_tell_finishers (XfMigrateDest *dest, const XfMigrateResult *result, const GError *told);

/* Continues in the state that has just begun, if finish has been called. */
void xf_migrate_dest_go_on (XfMigrateDest *dest);
