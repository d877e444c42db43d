/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Shared by both sides of a migration inside the driver: the lists of migrations, the cookie, and the answer to a
 * phase.
 */
#pragma once

#include "conf/cookie.h"
#include "libxl/guest/guest.h"

typedef struct XfMigrateSource XfMigrateSource;
typedef struct XfMigrateDest XfMigrateDest;

/* The private feature by which a peer-to-peer source recognises another xenferry; libvirt answers 0. */
#define XF_FEATURE_XENFERRY 0x78660001

void xf_migrations_add_source (XfDriver *driver, XfMigrateSource *source);
void xf_migrations_remove_source (XfDriver *driver, XfMigrateSource *source);
void xf_migrations_add_dest (XfDriver *driver, XfMigrateDest *dest);
void xf_migrations_remove_dest (XfDriver *driver, XfMigrateDest *dest);

/* This host's cookie for a migration @id of that guest. The caller frees it, and may add to it before it is
 * formatted. */
XfCookie *xf_migrate_cookie_new (XfDriver *driver, const char *name, const guint8 *uuid, const guint8 *id);

/* Calls @done from the loop, with the results of a phase that was instant. @result's strings are copied; takes
 * @error. */
void xf_migrate_answer_later (XfMigrateDone done, gpointer data, const XfMigrateResult *result, GError *error);
