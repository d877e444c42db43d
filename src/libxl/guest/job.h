/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A guest's job: at most one at a time changes the guest. A second one is refused at once, with the name of the
 * first; there is no queue. Read-only calls do not take a job.
 */
#pragma once

#include "driver.h"

typedef struct XfJob XfJob;
typedef struct XfGuest XfGuest;

typedef enum {
  XF_JOB_START,
  XF_JOB_DESTROY,
  XF_JOB_SUSPEND,
  XF_JOB_RESUME,
  XF_JOB_SHUTDOWN,
  XF_JOB_MIGRATION_OUT,
  XF_JOB_MIGRATION_IN,
} XfJobKind;

/* The operations of a long job; NULL members where it has none. */
typedef struct {
  void (*info) (XfJob *job, XfJobInfo *info_out);
  void (*stats) (XfJob *job, XfTypedParams *params);
  gboolean (*abort) (XfJob *job, GError **error);
  void (*set_rate) (XfJob *job, guint64 bytes_per_s);
  void (*downtime_changed) (XfJob *job); /* the guest's maximum */
  char *(*describe) (XfJob *job);        /* "being migrated to 'b' (sending)" */

  /* For a migration. It holds its guest for long; these apply other commands for the guest to it meanwhile. */
  gboolean (*decide) (XfJob *job, gboolean here, const char *how, XfDone done, gpointer data);
  gboolean (*hold_still) (XfJob *job, XfDone done, gpointer data);
  void (*guest_suspended) (XfJob *job);
  void (*guest_ended) (XfJob *job, const char *how);
  gboolean (*needs_definition) (const XfJob *job);
} XfJobOps;

struct XfJob {
  XfJobKind kind;
  const XfJobOps *ops; /* NULL for a short job */
  gpointer owner;
  gint64 started_us;
};

void xf_job_init (XfJob *job, XfJobKind kind, const XfJobOps *ops, gpointer owner);

/* FALSE with an error that names the guest's present job, if there is one. */
gboolean xf_job_may_begin (XfGuest *guest, GError **error);

/* Takes the guest for @job. The caller keeps @job alive until xf_job_end(). */
gboolean xf_job_begin (XfGuest *guest, XfJob *job, GError **error);

/* Applies an administrator's decision, @how, to a guest whose job waits for one: it continues @here, or ends here.
 * @done is called when that is done, or with an error if another decision was made first. FALSE: there is nothing to
 * decide. */
gboolean xf_job_decide (XfGuest *guest, gboolean here, const char *how, XfDone done, gpointer data);

/* Pauses a guest that is being sent, so that it dirties no more memory and its migration ends; it runs at the
 * destination. FALSE: it is not being sent, or will stop anyway. */
gboolean xf_job_hold_still (XfGuest *guest, XfDone done, gpointer data);

/* libxl reports that the guest has stopped for its last pass; that it has ended or is gone, @how in a sentence. */
void xf_job_guest_suspended (XfGuest *guest);
void xf_job_guest_ended (XfGuest *guest, const char *how);

/* TRUE if the job needs the guest's definition: it may be all that is left of the guest here. */
gboolean xf_job_needs_definition (const XfGuest *guest);

/* Calls @func from the loop once the guest's present job has ended. */
void xf_job_when_ended (XfGuest *guest, GSourceFunc func, gpointer data);

/* Calls @act with @done and @data from the loop once the guest's present job has ended. By then there may be no guest
 * with its uuid. */
typedef void (*XfGuestAct) (XfDriver *driver, const guint8 *uuid, XfDone done, gpointer data);
void xf_job_act_when_ended (XfGuest *guest, XfGuestAct act, XfDone done, gpointer data);

/* Calls the waiters now: the job has reached a state in which a command may act. Each checks for itself whether there
 * is a job. */
void xf_job_wake_waiters (XfGuest *guest);

/* Ends the job. @completed (may be NULL) becomes the statistics of the guest's last job. The guest may be freed. */
void xf_job_end (XfGuest *guest, const XfTypedParams *completed);
