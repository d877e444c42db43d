/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which names a domain can have. A name is read from XML, a client's --dname, a peer, another toolstack or a file, and
 * is used in file names, in lists and in XML. All of these use the same check.
 */
#pragma once

#include <glib.h>

/* Bytes. The longest file name that contains a domain's name is the device model's log, qemu-dm-NAME.log.10; the
 * definition, NAME.xml, and its temporary file are shorter. */
#define XF_DOMAIN_NAME_MAX 240

/* FALSE (XF_ERROR_XML, with the reason and the name in printable form) for a name that no domain can have: empty, only
 * blanks, with '/' or a control character, "." or "..", too long, not UTF-8, or with characters that XML does not
 * allow. Blanks at its ends are part of the name. */
gboolean xf_domain_name_check (const char *name, GError **error);

/* @name if it passes the check, otherwise the uuid as text, which passes and is unique to this domain. For existing
 * domains, whose names are not ours to choose. The caller owns the result. @name may be NULL. */
char *xf_domain_name_shown (const char *name, const guint8 *uuid);
