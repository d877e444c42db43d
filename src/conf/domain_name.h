/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a domain can be called. A name comes from XML, from a client's --dname, from a peer, from another toolstack and
 * from files, and becomes a file's name, a line of a list and text in XML again: one check for all of them.
 */
#pragma once

#include <glib.h>

/* Bytes. The longest file name that is made of it is the device model's log, qemu-dm-NAME.log.10; the definition,
 * NAME.xml, and what it is written to at first are shorter. */
#define XF_DOMAIN_NAME_MAX 240

/* FALSE (XF_ERROR_XML, with the reason and the name in printable form) for a name that no domain can have: empty, only
 * blanks, with '/' or a control character, "." or "..", too long, not UTF-8, or with characters that XML does not have.
 * Blanks at its ends belong to it. */
gboolean xf_domain_name_check (const char *name, GError **error);

/* The name itself where it passes the check, else one that does, is this domain's alone and stays the same: its uuid.
 * For domains that are there already, whatever they are called. The caller's. @name may be NULL. */
char *xf_domain_name_shown (const char *name, const guint8 *uuid);
