/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The inside of a migration's source, for source/source.c (its life), source/send.c (perform), source/settle.c (asks
 * the destination), source/back.c (roll back) and source/end.c (the end after success).
 */
#pragma once

#include "base/sm.h"
#include "libxl/xen/ao.h"
#include "libxl/xen/ctx.h"
#include "libxl/guest/driver_private.h"
#include "libxl/migrate/migrations.h"
#include "libxl/migrate/progress.h"
#include "libxl/source/source.h"
#include "libxl/source/survey.h"

/* Each state waits for one thing. */
enum {
  DESCRIBING,   /* for libxl, which reads the guest's configuration, and the checks of the guest's resources */
  BEGUN,        /* for perform */
  RECORDING,    /* for the journal: `sending` */
  CONNECTING,   /* for the transport */
  SENDING,      /* for libxl, which writes the image */
  DRAINING,     /* for the transport, which passes on the rest */
  COMMITTING,   /* for the journal: `sent` */
  SENT,         /* for confirm */
  SETTLING,     /* for the destination's answer, or an administrator's decision */
  DECIDING,     /* for the journal: the administrator's decision */
  DESTROYING,   /* for the end of the domain whose guest runs at the destination */
  STOPPING,     /* for libxl, whose write is aborted */
  ROLLING_BACK, /* for libxl: a guest that was woken is paused again, a held one is unpaused */
  RESUMING,     /* for libxl, which resumes the guest */
  STUCK,        /* for the next attempt to resume it, or an administrator's decision */
  REMOVING,     /* for the end of the domain, which an administrator has decided */
  DONE,
  CANCELLED,
  N_STATES,
};

/* The reason why the guest does not run while it is sent (source/hold.c). */
typedef enum {
  XF_STAND_RUNS,
  XF_STAND_PAUSED,  /* it was paused before the migration, and arrives paused */
  XF_STAND_PAUSING, /* libxl pauses it for a client */
  XF_STAND_HELD,    /* it was paused during the migration, and runs when it arrives */
} XfStand;

/* The state of libxl's request to suspend. */
typedef enum {
  XF_REQUEST_NONE,
  XF_REQUEST_MADE,
  XF_REQUEST_WAKING, /* libxl wakes the guest, so that it can answer */
  XF_REQUEST_WOKEN,
} XfRequest;

struct XfMigrateSource {
  /* the request */
  XfDriver *driver;
  XfGuest *guest;
  gconstpointer client; /* the client that began it, and drives it unless p2p is set; NULL since a restart */
  gboolean p2p;         /* this daemon drives it */
  XfMigrateParams params;
  char *name; /* of the guest at the begin: the end of its job may free a guest that is not defined here */
  char *host;
  char *host_name; /* as the destination names itself, for display; NULL: not known, or the name of this host */
  char *id;        /* of the migration */
  XfCookie *cookie;
  char *xml;
  char *unsaid;     /* the parts of its exact configuration that domain XML cannot express, for messages; NULL: none */
  char *warnings;   /* about its resources; NULL: none */
  XfSurvey *survey; /* while the source is describing */
  int state_before,
    reason_before; /* of the guest; updated at the suspend request if another toolstack has paused or unpaused it */

  /* the phase under way: its callback */
  XfDone done;
  gpointer done_data;
  gboolean (*abort_func) (gpointer data, const GError *reason);
  gpointer abort_data;

  /* its state */
  XfSm sm;
  XfMigrateProgress progress;
  XfJob job;
  XfCtx *ctx; /* its own, so that libxl's progress reports are about this guest */
  XfAo *ao;   /* the operation of libxl for which the state waits */
  XfStand stand;
  XfRequest request;
  XfAo *still_ao; /* pauses or wakes the guest while it is sent */
  guint wake_id;
  XfDone hold_done; /* answers the client for which it is paused */
  gpointer hold_data;
  XfMigrateTransport *transport;
  int suspend_rc;
  GError *error;  /* the first error */
  char *ended_by; /* why it ends, if that is no error of this side; NULL: none */
  guint deadline_id;
  guint stall_id;
  guint64 stall_bytes;
  gint64 stall_since_us;

  /* for the journal */
  XfJournalEntry *entry; /* from perform on; NULL: nothing is written */
  guint throttle;        /* the cap of its vCPUs in percent */
  guint lift_id;         /* lifts it */
  struct XfGoal *goal;   /* the limits for libxl's save helper; NULL: it decides alone */
  guint cannot_id;

  /* settling */
  XfPeer *peer; /* used to ask the destination */
  guint ask_id; /* the next attempt to ask */
  guint ask_after_s;
  GError *why;        /* the error for the waiting caller if the guest stays */
  char *decided_with; /* the command of an administrator's decision, or NULL */
  gboolean is_told;   /* report the decision to the destination when it was carried out */

  /* roll back, if the guest could not be resumed */
  guint again_id; /* the next attempt */
  guint again_s;
};

extern const XfJobOps xf_migrate_source_job_ops;

extern const XfSmState xf_migrate_source_states[N_STATES];

/* For the migration @id (XF_UUID_LENGTH bytes) to @host. Its job is not begun yet. */
XfMigrateSource *xf_migrate_source_new (XfDriver *driver, XfGuest *guest, const guint8 *id, const char *host);

/* An error of this side: names guest, host and phase. */
GError *xf_migrate_source_error (XfMigrateSource *source, const char *phase, int code, const char *text);

/* Reads the number of sent bytes from the transport. */
void xf_migrate_source_count (XfMigrateSource *source);

/* Ends the job, keeps its statistics, sends the event. @failure: NULL for a migration that succeeded. */
void xf_migrate_source_end_job (XfMigrateSource *source, const GError *failure);

/* Removes the migration from the list, answers its caller with @told, and frees it. */
void xf_migrate_source_finish (XfMigrateSource *source, int final_state, const GError *told);

/* Records the first failure and stops the operation in progress; the end of that operation continues the roll back. */
void xf_migrate_source_fail (XfMigrateSource *source, const GError *error);

/* Continues when libxl has no more operations on the guest, after success and after failure. */
void xf_migrate_source_check_written (XfMigrateSource *source);

/* source/throttle.c: another pass of pass_total pages begins; the passes have ended. */
void xf_migrate_source_another_pass (XfMigrateSource *source);
void xf_migrate_source_unthrottle (XfMigrateSource *source);
/* The guest is asked to suspend. May be called from within libxl. */
void xf_migrate_source_let_answer (XfMigrateSource *source);

/* source/converge.c: the maximum downtime of a live migration. begin() before libxl starts to write. update() whenever
 * a limit may have changed or libxl reports. failure(): the error if the migration was ended because the maximum cannot
 * be kept, else NULL. end() when libxl no longer writes. */
void xf_migrate_source_converge_begin (XfMigrateSource *source);
void xf_migrate_source_converge_update (XfMigrateSource *source);
GError *xf_migrate_source_converge_failure (XfMigrateSource *source);
void xf_migrate_source_converge_end (XfMigrateSource *source);

/* The longest wanted last pass in ms; 0: none is wanted. */
guint64 xf_migrate_source_wanted_downtime (const XfMigrateSource *source);

/* source/hold.c: takes a line of libxl's log. */
void xf_migrate_source_libxl_said (const char *text, gpointer source);

/* Job operations (XfJobOps). */
gboolean xf_migrate_source_decide (XfJob *job, gboolean here, const char *how, XfDone done, gpointer data);
gboolean xf_migrate_source_hold_still (XfJob *job, XfDone done, gpointer data);

/* The guest has stopped for its last pass. */
void xf_migrate_source_mark_suspended (XfMigrateSource *source);

/* The guest runs at the destination: destroys it here; the final state is `done`. */
void xf_migrate_source_leave (XfMigrateSource *source);

/* The other host's name, for display: its own name if it is known and not the name of this host, else the client's. */
const char *xf_migrate_source_shown_host (const XfMigrateSource *source);

/* Sets the reason for the end, for display. The first one counts. */
void xf_migrate_source_set_ended_by (XfMigrateSource *source, const char *reason);

/* Removes the journal's entry, if there is one. */
void xf_migrate_source_drop_entry (XfMigrateSource *source);

/* An administrator's decision was carried out: reports it to the destination, which may wait for it. */
void xf_migrate_source_tell_decision (const XfMigrateSource *source, gboolean here);

/* Stops asking the destination. */
void xf_migrate_source_stop_asking (XfMigrateSource *source);

/* Restores the guest's former state; the final state is `cancelled`. */
void xf_migrate_source_roll_back (XfMigrateSource *source);

/* For a guest that is stuck: tries now to resume it. */
void xf_migrate_source_try_again (XfMigrateSource *source);

/* Applies an administrator's decision about a guest that is stuck: resumes it @here, now, or destroys it. */
void xf_migrate_source_decide_stuck (XfMigrateSource *source, gboolean here, const char *how, XfDone done,
                                     gpointer data);

/* TRUE if the guest ran before its migration and was not paused. */
gboolean xf_migrate_source_guest_ran (const XfMigrateSource *source);
