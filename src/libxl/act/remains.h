/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a migration has left of a guest on this host: what Xen shows of it, what the journal says that it is, and its
 * two ends: it is removed, or it has arrived.
 */
#pragma once

#include <libxl.h>

#include "libxl/guest/driver_private.h"

/* What Xen shows of a guest. What libxl is still building, and what it has restored, are both paused and look the same:
 * the journal tells one from the other. One that has stopped by itself has run. XF_N_FOUND: libxl cannot look. */
typedef enum { XF_ABSENT, XF_PAUSED, XF_SUSPENDED, XF_RUNNING, XF_N_FOUND } XfFound;

/* What Xen shows of the guest of @entry, and as which domain (0: none). */
XfFound xf_remains_look (XfDriver *driver, const XfJournalEntry *entry, guint32 *domid_out);

/* "running" */
const char *xf_remains_describe (XfFound found);

/* The domain is what a migration builds here, has built in vain, or has left behind: no guest, and never to be resumed.
 */
gboolean xf_remains_are (XfDriver *driver, const libxl_dominfo *info);

/* The definition of a guest that came to life here just before the daemon ended, or NULL. */
XfDomainDef *xf_remains_def (XfDriver *driver, const guint8 *uuid);

/* The guest of @entry, a destination's, will not run here, for @reason: the journal gets that, and @domid, if it was
 * @found paused, is removed. */
void xf_remains_cancel (XfDriver *driver, XfJournalEntry *entry, XfFound found, guint32 domid, const char *reason);

/* It has come here. */
void xf_remains_arrive (XfDriver *driver, XfJournalEntry *entry);

/* The end of @entry is in the journal; its domain may still be here, and then is removed. */
void xf_remains_bury (XfDriver *driver, XfJournalEntry *entry);

/* A person decides, with @how, what the journal of a destination cannot say: the guest has come @here, or has not run
 * here. FALSE: there is nothing to decide about migration @id. */
gboolean xf_remains_resolve (XfDriver *driver, const guint8 *id, gboolean here, const char *how);

/* The same for each migration of that guest that is undecided here: it is to run here. */
void xf_remains_resolve_guest (XfDriver *driver, const guint8 *uuid);
