/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The inside of a migration's source, for source/source.c (its life), source/send.c (perform),
 * source/settle.c (who has it?), source/back.c (the way back) and source/end.c (the way out).
 */
#pragma once

#include "base/sm.h"
#include "libxl/xen/ao.h"
#include "libxl/xen/ctx.h"
#include "libxl/guest/driver_private.h"
#include "libxl/migrate/migrations.h"
#include "libxl/migrate/progress.h"
#include "libxl/source/source.h"

/* Each state waits for one thing. */
enum {
  DESCRIBING,   /* for libxl, which reads the guest's configuration */
  BEGUN,        /* for perform */
  RECORDING,    /* for the journal: `sending` */
  CONNECTING,   /* for the transport */
  SENDING,      /* for libxl, which writes the image */
  DRAINING,     /* for the transport, which hands on the rest */
  COMMITTING,   /* for the journal: `sent` */
  SENT,         /* for confirm */
  SETTLING,     /* for the destination's answer, or a person's decision */
  DECIDING,     /* for the journal: what a person has decided */
  DESTROYING,   /* for the end of the domain, whose guest runs at the destination */
  STOPPING,     /* for libxl, whose writing is aborted */
  ROLLING_BACK, /* for libxl: a guest that was woken is paused again, one that was held is let go */
  RESUMING,     /* for libxl, which resumes the guest */
  STUCK,        /* for the next try to resume it, or a person's decision */
  REMOVING,     /* for the end of the domain, which a person has decided */
  DONE,
  CANCELLED,
  N_STATES,
};

/* What keeps the guest from running while it is sent (source/hold.c). */
typedef enum {
  XF_STAND_RUNS,
  XF_STAND_PAUSED,  /* it was paused before, and arrives paused */
  XF_STAND_PAUSING, /* libxl pauses it for a client */
  XF_STAND_HELD,    /* it was paused meanwhile, and runs when it arrives */
} XfStand;

/* How far libxl's request to suspend is. */
typedef enum {
  XF_REQUEST_NONE,
  XF_REQUEST_MADE,
  XF_REQUEST_WAKING, /* libxl wakes the guest, so that it can answer */
  XF_REQUEST_WOKEN,
} XfRequest;

struct XfMigrateSource {
  /* what was asked */
  XfDriver *driver;
  XfGuest *guest;
  gconstpointer client; /* that asked for it, and drives it unless p2p does; NULL since a restart */
  gboolean p2p;         /* this daemon drives it */
  XfMigrateParams params;
  char *host;
  char *id; /* of the migration */
  XfCookie *cookie;
  char *xml;
  char *unsaid; /* of its exact configuration, what domain XML cannot say, for a person; NULL: nothing */
  struct XfMigrateFetch *fetch;    /* the guest's exact configuration is being read */
  int state_before, reason_before; /* of the guest; paused or unpaused by others since: when it is asked to suspend */

  /* the phase under way: who to tell */
  XfDone done;
  gpointer done_data;
  gboolean (*abort_func) (gpointer data, const GError *reason);
  gpointer abort_data;

  /* where it stands */
  XfSm sm;
  XfMigrateProgress progress;
  XfJob job;
  XfCtx *ctx; /* its own, so that libxl's progress is this guest's */
  XfAo *ao;   /* what the state waits for, where that is libxl */
  XfStand stand;
  XfRequest request;
  XfAo *still_ao; /* pauses or wakes the guest while it is sent */
  guint wake_id;
  XfDone hold_done; /* the client for which it is paused */
  gpointer hold_data;
  XfMigrateTransport *transport;
  int suspend_rc;
  GError *error; /* the first thing that went wrong */
  guint deadline_id;
  guint stall_id;
  guint64 stall_bytes;
  gint64 stall_since_us;

  /* what must not be forgotten */
  XfJournalEntry *entry; /* from perform on; NULL: nothing is written */
  guint throttle;        /* percent by which its processors are capped */

  /* settling */
  XfPeer *peer; /* is being asked */
  guint ask_id; /* it will be asked again */
  guint ask_after_s;
  GError *why;        /* told when the guest stays */
  char *decided_with; /* what a person decided with, or NULL */
  gboolean is_told;   /* the destination, of that, when it has been carried out */

  /* rolling back, when the guest could not be resumed */
  guint again_id; /* it will be tried again */
  guint again_s;
};

extern const XfJobOps xf_migrate_source_job_ops;

extern const XfSmState xf_migrate_source_states[N_STATES];

/* Of the migration @id (XF_UUID_LENGTH bytes) to @host, with its job not begun yet. */
XfMigrateSource *xf_migrate_source_new (XfDriver *driver, XfGuest *guest, const guint8 *id, const char *host);

/* source/check.c: can this guest go, in this way? */
gboolean xf_migrate_source_check (XfDriver *driver, const XfGuest *guest, const XfMigrateParams *params,
                                  GError **error);
/* The XML for the destination: what the client wants it to be there (--xml), checked against what it is, else what
 * it is. With passwords: the destination needs them. */
char *xf_migrate_source_make_xml (XfGuest *guest, const XfMigrateParams *params, GError **error);

/* An error of this side: names guest, host and phase. */
GError *xf_migrate_source_error (XfMigrateSource *source, const char *phase, int code, const char *text);

/* What has been sent by now, from the transport. */
void xf_migrate_source_count (XfMigrateSource *source);

/* Ends the job, keeps its statistics, tells those who listen. @failure: NULL for a migration that succeeded. */
void xf_migrate_source_end_job (XfMigrateSource *source, const GError *failure);

/* Out of the list, told, gone. */
void xf_migrate_source_finish (XfMigrateSource *source, int final_state, const GError *told);

/* The source ends before its guest's configuration was read: whoever waits for that is told @told. */
void xf_migrate_source_drop_fetch (XfMigrateSource *source, const GError *told);

/* The first failure counts; what is under way is stopped, and its end leads on. */
void xf_migrate_source_fail (XfMigrateSource *source, const GError *error);

/* Goes on when libxl does nothing more with the guest that is sent, in success as in failure. */
void xf_migrate_source_check_written (XfMigrateSource *source);

/* source/throttle.c: another pass begins, of pass_total pages; and the end of it. */
void xf_migrate_source_another_pass (XfMigrateSource *source);
void xf_migrate_source_unthrottle (XfMigrateSource *source);

/* source/hold.c: a line of libxl's log. */
void xf_migrate_source_libxl_said (const char *text, gpointer source);

/* Job operations (XfJobOps). */
gboolean xf_migrate_source_decide (XfJob *job, gboolean here, const char *how, XfDone done, gpointer data);
gboolean xf_migrate_source_hold_still (XfJob *job, XfDone done, gpointer data);

/* The guest has stopped for its last pass. */
void xf_migrate_source_mark_suspended (XfMigrateSource *source);

/* The guest runs at the destination: destroys it here; the end is `done`. */
void xf_migrate_source_leave (XfMigrateSource *source);

/* The journal's entry, if there is one, goes. */
void xf_migrate_source_drop_entry (XfMigrateSource *source);

/* A person has decided, and what follows has been done: the destination may wait for just that. */
void xf_migrate_source_tell_decision (const XfMigrateSource *source, gboolean here);

/* Nobody asks any more. */
void xf_migrate_source_stop_asking (XfMigrateSource *source);

/* Brings the guest back to what it was; the end is `cancelled`. */
void xf_migrate_source_roll_back (XfMigrateSource *source);

/* Of a guest that is stuck: tries now to resume it. */
void xf_migrate_source_try_again (XfMigrateSource *source);

/* A person's decision about a guest that is stuck: it is resumed @here, now, or destroyed. */
void xf_migrate_source_decide_stuck (XfMigrateSource *source, gboolean here, const char *how, XfDone done,
                                     gpointer data);

/* It ran before its migration, and was not paused. */
gboolean xf_migrate_source_guest_ran (const XfMigrateSource *source);
