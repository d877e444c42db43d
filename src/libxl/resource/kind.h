/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * For the files of this folder: what a kind of resource is.
 */
#pragma once

#include "base/error.h"
#include "conf/wants.h"
#include "libxl/guest/driver_private.h"
#include "libxl/resource/resource.h"

typedef struct XfResource XfResource;

typedef struct XfResourceKind {
  const char *name; /* as people name it: "disk" */
  XfWant want;      /* unless host or guest say otherwise */
  gboolean vital;   /* the guest cannot be built without it: no policy changes that */
  gboolean prudent; /* only a precaution: skipped where the policy is urgent and the migration is --unsafe */

  /* Adds the guest's resources of this kind, with xf_resource_add(). */
  void (*list) (XfResources *set, const struct XfResourceKind *kind);

  /* Each calls xf_resource_done() once, at once or later. NULL: the kind has no such step. */
  void (*verbs[XF_N_VERBS]) (XfResource *resource);

  /* The step takes too long or is not needed any longer: it must not call xf_resource_done() any more. May be NULL for
   * a kind whose steps all end at once. */
  void (*stop) (XfResource *resource);
} XfResourceKind;

struct XfResource {
  const XfResourceKind *kind;
  XfResources *set;
  char *name;   /* "disk:xvda", or the kind's name alone if there is only one */
  guint index;  /* the kind's own: which device */
  char *detail; /* the kind's own text, or NULL */
  XfWant want;
  guint deadline_s; /* the guest's wish; 0: none */
  gpointer work;    /* the kind's own, while a step is under way */
  gboolean held;    /* it may have something to give back */

  /* the runner's */
  gboolean busy;
  guint deadline_id;
};

extern const XfResourceKind *const xf_resource_kinds[];
extern const guint xf_n_resource_kinds;

/* The inside of a set, for kinds to read. */
const XfResourceGuest *xf_resource_guest (const XfResource *resource);
XfDriver *xf_resources_driver (const XfResources *set);

/* @what: NULL, or what distinguishes it from others of its kind. */
XfResource *xf_resource_add (XfResources *set, const XfResourceKind *kind, const char *what, guint index);

/* The step has ended; @error NULL: well. The caller keeps @error. */
void xf_resource_done (XfResource *resource, const GError *error);

/* The same, with a new error. */
void xf_resource_fail (XfResource *resource, int code, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* Something that people should know and that is no failure. */
void xf_resource_warn (XfResource *resource, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* A fact about the resource for the other side, and the other side's; NULL: it told none. */
void xf_resource_tell (XfResource *resource, const char *key, const char *value);
const char *xf_resource_told (const XfResource *resource, const char *key);

/* Runs @func (@input) in a thread of its own, for system calls that may block (a path on a server that does not
 * answer), and ends the step with its result. @func touches nothing but @input, and returns an error or NULL;
 * @finish (may be NULL) is called in the loop after @func, unless the step was stopped, and ends the step instead.
 * @input is freed in either case, by the thread if need be. Kinds that use it have xf_resource_stop_thread as `stop`.
 */
typedef GError *(*XfBlocking) (gpointer input);
typedef void (*XfBlocked) (XfResource *resource, gpointer input, const GError *error);
void xf_resource_in_thread (XfResource *resource, XfBlocking func, XfBlocked finish, gpointer input,
                            GDestroyNotify free_input);
void xf_resource_stop_thread (XfResource *resource);

/* The @input of the resource's thread that has not ended yet; NULL: there is none. */
gpointer xf_resource_thread_input (const XfResource *resource);

/* The name of this host, and of the other one, for errors; borrowed. */
const char *xf_resource_host (const XfResource *resource);
const char *xf_resource_peer (const XfResource *resource);
