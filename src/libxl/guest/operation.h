/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A client's operation on a guest: it holds the guest's job from the call to the answer. Every function that gets one
 * performs the next step; the last is xf_operation_finish().
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
  struct XfMoved *moved; /* asks the host it has moved to */
  XfDomainDef *def;
  uint32_t domid;
  gboolean paused;
  GError *failure; /* the error of a step whose remains are being removed */

  /* the end of a guest: what is reported */
  int reason, detail;
  gboolean again;
  gboolean keeps;                        /* the ended domain is kept under another name */
  gboolean dumps;                        /* the domain's memory is being written to a file */
  char *note;                            /* a message for the guest afterwards, or NULL */
  void (*next) (XfOperation *operation); /* called after the present step */

  /* Ends the present step early, for a destroy or an abort; the operation then goes on with an error. NULL: libxl's
   * operation is aborted. */
  void (*stop) (XfOperation *operation);

  /* the hooks, used by hooked.c */
  struct XfHook *hook; /* runs, or NULL */
  void (*hooked) (XfOperation *operation, const GError *error), (*then) (XfOperation *operation, const GError *error);
  char *release_xml;
  gboolean prepared; /* the hooks of a start are called, and so are those of its end */

  /* for a restart, used by restart.c */
  gboolean (*failed) (XfOperation *operation, GError *error); /* TRUE: it has taken @error and continues */
  libxl_domain_config kept;                                   /* of the ended domain */
  gboolean has_kept, stopped;
  guint tries, pause_s, again_id;
};

/* Takes the guest's job, or refuses. @what: "start", for errors. At most one of @done and @ref_done is set; that one
 * gets the answer. */
XfOperation *xf_operation_begin (XfGuest *guest, XfJobKind kind, const char *what, XfDone done, XfRefDone ref_done,
                                 gpointer data, GError **error);

/* Ends the job and answers; takes @error. The guest may be freed. */
void xf_operation_finish (XfOperation *operation, GError *error);

/* The error for libxl's code @rc; the caller frees it. */
GError *xf_operation_error (const XfOperation *operation, int rc);

/* Finishes with the error for @rc. */
void xf_operation_finish_rc (XfOperation *operation, int rc);

/* For the operation's next call of libxl. */
XfAo *xf_operation_ao (XfOperation *operation, XfAoDone done);
libxl_ctx *xf_operation_libxl (XfOperation *operation);

/* Answers through the loop if there is no operation; takes @error and @ref. */
void xf_operation_answer (XfDone done, XfRefDone ref_done, gpointer data, GError *error, XfDomainRef *ref);

/* FALSE with an error if the guest does not run, or is Domain-0. */
gboolean xf_operation_check_active (XfGuest *guest, GError **error);
