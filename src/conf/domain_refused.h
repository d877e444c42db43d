/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What can be learnt from domain XML that xf_domain_def_parse() refuses: others wrote it, and mean something by it.
 */
#pragma once

#include "conf/domain_def.h"

typedef struct {
  char *name; /* NULL: there is none that could be a name */
  gboolean has_uuid;
  guint8 uuid[XF_UUID_SIZE];
} XfDomainIdentity;

/* Reads name and uuid, as far as they can be made out: from text that is no XML too. */
void xf_domain_identity_read (XfDomainIdentity *identity_out, const char *text, gsize length);
void xf_domain_identity_clear (XfDomainIdentity *identity);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (XfDomainIdentity, xf_domain_identity_clear)

/* A definition that only shows: the document as it was written, where it is one, with this name and uuid. Its facts say
 * nothing of the guest: nothing may be started from it. @name passes xf_domain_name_check(). */
XfDomainDef *xf_domain_def_stand_in (const char *text, gsize length, const char *name, const guint8 *uuid);
