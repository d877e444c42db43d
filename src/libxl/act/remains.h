/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The remains of a guest on this host after a migration: their state in Xen, their meaning in the journal, and their
 * two possible ends: removed or arrived.
 */
#pragma once

#include <libxl.h>

#include "libxl/guest/driver_private.h"

/* Xen's state of a guest. A domain that libxl is still building and one that it has restored are both paused and look
 * the same: the journal tells them apart. A domain that has stopped by itself has run. XF_N_FOUND: libxl cannot read
 * the state. */
typedef enum { XF_ABSENT, XF_PAUSED, XF_SUSPENDED, XF_RUNNING, XF_N_FOUND } XfFound;

/* Xen's state of the guest of @entry, and its domid (0: none). */
XfFound xf_remains_look (XfDriver *driver, const XfJournalEntry *entry, guint32 *domid_out);

/* "running" */
const char *xf_remains_describe (XfFound found);

/* TRUE if the domain is one that a migration builds here, has built in vain, or has left behind: it is not a guest,
 * and must never be resumed. */
gboolean xf_remains_are (XfDriver *driver, const libxl_dominfo *info);

/* The definition of a guest that was started here by a migration just before the daemon ended, or NULL. */
XfDomainDef *xf_remains_def (XfDriver *driver, const guint8 *uuid);

/* The guest of @entry, a destination's, will not run here, because of @reason. Writes that to the journal, and
 * removes @domid if it was @found paused. */
void xf_remains_cancel (XfDriver *driver, XfJournalEntry *entry, XfFound found, guint32 domid, const char *reason);

/* The guest of @entry has arrived here. */
void xf_remains_arrive (XfDriver *driver, XfJournalEntry *entry);

/* The end of @entry is in the journal. Removes its domain if that still exists, and gives back the resources that it
 * may hold. */
void xf_remains_destroy (XfDriver *driver, XfJournalEntry *entry);

/* Applies an administrator's decision, @how, where the journal of a destination is undecided: the guest has arrived
 * @here, or has not run here. FALSE: there is nothing to decide about migration @id. */
gboolean xf_remains_resolve (XfDriver *driver, const guint8 *id, gboolean here, const char *how);

/* The same for each migration of that guest that is undecided here: it is to run here. */
void xf_remains_resolve_guest (XfDriver *driver, const guint8 *uuid);
