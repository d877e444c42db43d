/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What can be read from domain XML that xf_domain_def_parse() refuses: another program's definition stays a guest.
 */
#pragma once

#include "conf/domain_def.h"

typedef struct {
  char *name; /* NULL: the text has no valid name */
  gboolean has_uuid;
  guint8 uuid[XF_UUID_SIZE];
} XfDomainIdentity;

/* Reads name and uuid as far as possible, also from text that is not XML. */
void xf_domain_identity_read (XfDomainIdentity *identity_out, const char *text, gsize length);
void xf_domain_identity_clear (XfDomainIdentity *identity);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (XfDomainIdentity, xf_domain_identity_clear)

/* A definition for display only: the document as it was written, if it is XML, with this name and uuid. Its facts are
 * not the guest's, so no guest may be started from it. @name passes xf_domain_name_check(). */
XfDomainDef *xf_domain_def_stand_in (const char *text, gsize length, const char *name, const guint8 *uuid);
