/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which resources of a guest must work at the destination of its migration. Three places say so; a later one takes
 * precedence over an earlier one: the table of kinds, the host's configuration (setting `resources`), and the guest's
 * XML, which --xml replaces for one migration:
 *
 *   <metadata>
 *     <xf:resources xmlns:xf='https://xenferry.org/schema/resources/1.0' policy='urgent'>
 *       <xf:resource name='interface' want='best-effort' deadline='5'/>
 *       <xf:resource name='disk:xvdb' want='ignore'/>
 *     </xf:resources>
 *   </metadata>
 *
 * A name is that of a kind ("disk") or of one resource ("disk:xvdb"), which takes precedence over its kind.
 */
#pragma once

#include <glib.h>

#include "conf/domain_def.h"

#define XF_WANTS_NAMESPACE "https://xenferry.org/schema/resources/1.0"

typedef enum {
  XF_WANT_UNSAID,
  XF_WANT_MANDATORY,   /* without it the guest does not move */
  XF_WANT_BEST_EFFORT, /* a failure is reported, and the guest moves */
  XF_WANT_IGNORE,      /* not looked at */
} XfWant;

typedef struct {
  GHashTable *entries; /* name -> XfWantEntry */
  gboolean urgent;     /* to leave the host matters more than precautions do */
} XfWants;

typedef struct {
  XfWant want;
  guint deadline_s; /* of each step; 0: unsaid */
} XfWantEntry;

XfWants *xf_wants_new (void);
void xf_wants_free (XfWants *wants);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfWants, xf_wants_free)

/* Adds the host's: "disk=mandatory, numa=ignore, urgent". @text may be NULL. Errors name the word. */
gboolean xf_wants_add_text (XfWants *wants, const char *text, GError **error);

/* Adds those of the guest's metadata. Errors (XF_ERROR_XML) name the element: a wish that is not understood must not
 * be taken for none. */
gboolean xf_wants_add_metadata (XfWants *wants, const XfDomainDef *def, GError **error);

/* What is wanted of the resource @name, which is @kind or "kind:...". */
XfWantEntry xf_wants_find (const XfWants *wants, const char *kind, const char *name);
