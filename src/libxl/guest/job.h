/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A guest's job: at most one at a time changes it. A second asks, and is refused at once with the name of the first;
 * nobody waits in a queue, and what only looks never asks.
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

/* What a long job can tell and be told; NULL members where it cannot. */
typedef struct {
  void (*info) (XfJob *job, XfJobInfo *info_out);
  void (*stats) (XfJob *job, XfTypedParams *params);
  gboolean (*abort) (XfJob *job, GError **error);
  void (*set_rate) (XfJob *job, guint64 bytes_per_s);
  char *(*describe) (XfJob *job); /* "being migrated to 'b' (sending)" */

  /* Of a migration, which holds its guest for long, and other commands for the guest are about it meanwhile. */
  gboolean (*decide) (XfJob *job, gboolean here, const char *how, XfDone done, gpointer data);
  gboolean (*hold_still) (XfJob *job, XfDone done, gpointer data);
  void (*guest_suspended) (XfJob *job);
  void (*guest_ended) (XfJob *job, const char *how);
  gboolean (*needs_definition) (const XfJob *job);
} XfJobOps;

struct XfJob {
  XfJobKind kind;
  const XfJobOps *ops; /* NULL for a short one */
  gpointer owner;
  gint64 started_us;
};

void xf_job_init (XfJob *job, XfJobKind kind, const XfJobOps *ops, gpointer owner);

/* Takes the guest for @job, which the caller keeps alive until xf_job_end(). */
gboolean xf_job_begin (XfGuest *guest, XfJob *job, GError **error);

/* A person decides, with @how, for a guest whose job waits for that: it goes on @here, or ends here. @done is called
 * when that is done, or with an error when another decision was first. FALSE: there is nothing to decide. */
gboolean xf_job_decide (XfGuest *guest, gboolean here, const char *how, XfDone done, gpointer data);

/* A guest that is being sent is paused: it dirties nothing any more, and its migration comes to an end; there it runs.
 * FALSE: it is not being sent, or is about to stop anyway. */
gboolean xf_job_hold_still (XfGuest *guest, XfDone done, gpointer data);

/* libxl says that the guest has stopped for its last pass; that it has ended, or is gone, @how in a sentence. */
void xf_job_guest_suspended (XfGuest *guest);
void xf_job_guest_ended (XfGuest *guest, const char *how);

/* The job needs the guest's definition: it may be all that is left of the guest here. */
gboolean xf_job_needs_definition (const XfGuest *guest);

/* Calls @func from the loop once the guest with the job of now has none any more. */
void xf_job_when_ended (XfGuest *guest, GSourceFunc func, gpointer data);

/* Calls them now: the job has come to where a person may step in. Each looks for itself whether there is a job. */
void xf_job_wake_waiters (XfGuest *guest);

/* Ends it; @completed (may be NULL): kept as the guest's last completed job. The guest may be gone afterwards. */
void xf_job_end (XfGuest *guest, const XfTypedParams *completed);
