/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a client has asked to be done with a guest: it holds the guest's job from the call to its answer. Every function
 * that is given one makes the next step; the last is xf_operation_finish().
 */
#pragma once

#include "libxl/xen/ao.h"
#include "libxl/guest/guest.h"
#include "libxl/guest/memory.h"

typedef struct XfOperation XfOperation;

struct XfOperation {
  XfGuest *guest;
  XfJob job;
  XfDone done;
  XfRefDone ref_done;
  gpointer data;
  const char *what; /* "start", for errors */
  XfAo *ao;         /* libxl's present step */

  /* start */
  libxl_domain_config config;
  gboolean has_config;
  XfMemoryClaim *claim;
  struct XfMoved *moved; /* the host it has moved to is asked */
  XfDomainDef *def;
  uint32_t domid;
  gboolean paused;
  GError *failure; /* of a step whose remains are being removed */

  /* an end: what is told */
  int reason, detail;
  gboolean again;
  gboolean keeps;                        /* the ended domain is kept under another name */
  gboolean dumps;                        /* its memory is being written to a file */
  char *note;                            /* what a person should know afterwards, or NULL */
  void (*next) (XfOperation *operation); /* after the step that is under way */

  /* a restart, restart.c's */
  gboolean (*failed) (XfOperation *operation, GError *error); /* TRUE: it has taken @error, and goes on */
  libxl_domain_config kept;                                   /* of the ended domain */
  gboolean has_kept, stopped;
  guint tries, pause_s, again_id;
};

/* Takes the guest's job, or refuses. @what: "start", for errors. One of @done and @ref_done is answered, or none. */
XfOperation *xf_operation_begin (XfGuest *guest, XfJobKind kind, const char *what, XfDone done, XfRefDone ref_done,
                                 gpointer data, GError **error);

/* Ends the job and answers; takes @error. The guest may be gone after it. */
void xf_operation_finish (XfOperation *operation, GError *error);

/* What libxl's code @rc means for it; the caller's. */
GError *xf_operation_error (const XfOperation *operation, int rc);

/* Finishes with that. */
void xf_operation_finish_rc (XfOperation *operation, int rc);

/* For its next step at libxl. */
XfAo *xf_operation_ao (XfOperation *operation, XfAoDone done);
libxl_ctx *xf_operation_libxl (XfOperation *operation);

/* Answers through the loop where there is no operation; takes @error and @ref. */
void xf_operation_answer (XfDone done, XfRefDone ref_done, gpointer data, GError *error, XfDomainRef *ref);

/* An error when the guest does not run, or is Domain-0. */
gboolean xf_operation_check_active (XfGuest *guest, GError **error);
