/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The resources of a guest that migrates: what it needs of its host, one by one, and the way back of each.
 *
 *   tell      source, begin: facts about the resource for the destination's check
 *   check     either side, before anything is changed: everything that is wrong is collected
 *   prepare   destination, before a byte is sent: takes what can be taken in advance
 *   commit    destination, finish: the guest is restored and still paused, and the source can still take it back
 *   rollback  destination: gives back what prepare and commit took; may be repeated, also by the next daemon
 *
 * A set is made for one migration and one side (or for a mere check). A step of a resource that fails is a finding; it
 * blocks if the resource is mandatory (conf/wants.h). Each step of each resource has a deadline. docs/resources.md
 * lists the kinds.
 */
#pragma once

#include <libxl.h>

#include "conf/domain_def.h"
#include "driver.h"
#include "libxl/journal/journal.h"

typedef struct XfResources XfResources;

typedef enum { XF_VERB_TELL, XF_VERB_CHECK, XF_VERB_PREPARE, XF_VERB_COMMIT, XF_VERB_ROLLBACK, XF_N_VERBS } XfVerb;

/* "check" */
const char *xf_verb_name (XfVerb verb);

/* What the set is about. The texts are copied; everything else must live as long as the set. At the destination,
 * prepare removes from @config what the guest must do without, so that libxl does not fail on it. */
typedef struct {
  XfSide side;
  const char *id;   /* of the migration, for executables; NULL: a mere check */
  const char *peer; /* the other host */
  const XfDomainDef *def;
  libxl_domain_config *config; /* NULL: only the definition migrates */
  guint flags;                 /* virDomainMigrateFlags */
  const uint32_t *domid;       /* of the guest's domain on this side, from the time when there is one; or NULL */
} XfResourceGuest;

typedef struct {
  char *resource; /* "disk:xvda" */
  XfVerb verb;
  gboolean failed;    /* the step has failed; else it is a remark */
  gboolean blocks;    /* FALSE: a warning */
  gboolean avoidable; /* it would not block with another want, or with --unsafe */
  int code;           /* XfErrorCode */
  char *text;
} XfFinding;

/* NULL: the guest's metadata about its resources cannot be read. */
XfResources *xf_resources_new (XfDriver *driver, const XfResourceGuest *guest, GError **error);

/* For a rollback after a restart, or a commit after the move: only the resources named in @held (xf_resources_held()),
 * with best effort. */
XfResources *xf_resources_new_held (XfDriver *driver, const XfResourceGuest *guest, const char *held);
void xf_resources_free (XfResources *set); /* what is under way is stopped, its callbacks are not called */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfResources, xf_resources_free)

/* Runs a step of all resources: tell and check of all at once, the others one after the other, rollback in reverse
 * order. @done is called once, from the loop, with NULL or one error for the caller that names all that blocks. A
 * mandatory resource that fails in prepare or commit ends the step. */
void xf_resources_run (XfResources *set, XfVerb verb, XfDone done, gpointer data);

/* Stops a step that is under way; its callback is not called. */
void xf_resources_stop (XfResources *set);

/* TRUE if one of them may have something to give back. */
gboolean xf_resources_hold (const XfResources *set);

/* The names of the resources that have something to give back, for the journal, one a line; NULL: none. The caller
 * frees it. */
char *xf_resources_held (const XfResources *set);

/* Facts of the other side, name -> value; and those that `tell` has gathered. Borrowed. */
void xf_resources_take_facts (XfResources *set, GHashTable *facts);
GHashTable *xf_resources_facts (const XfResources *set);

/* The names of the resources whose step @verb has failed, one a line; NULL: none. The caller frees it. */
char *xf_resources_failed (const XfResources *set, XfVerb verb);

/* What the set is about; borrowed. */
const XfResourceGuest *xf_resources_guest (const XfResources *set);

/* All findings so far, of XfFinding; borrowed. */
const GPtrArray *xf_resources_findings (const XfResources *set);

/* The warnings among them as one text for people, or NULL; the caller frees it. */
char *xf_resources_warnings (const XfResources *set);
