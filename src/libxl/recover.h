/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * After a start: what the journal says and what Xen shows, put together. docs/exactly-once.md has the table in prose.
 */
#pragma once

#include <libxl.h>

#include "libxl/driver_private.h"

/* The domain is what a migration builds here, has built in vain, or has left behind: no guest, and never to be resumed.
 */
gboolean xf_recover_is_half (XfDriver *driver, const libxl_dominfo *info);

/* The definition of a guest that came to life here just before the daemon ended, or NULL. */
XfDomainDef *xf_recover_def (XfDriver *driver, const guint8 *uuid);

/* A person decides, with @how, what the journal of a destination cannot say: the guest has come @here, or has not run
 * here. FALSE: there is nothing to decide about migration @id. */
gboolean xf_recover_resolve (XfDriver *driver, const guint8 *id, gboolean here, const char *how);

/* The same for whatever migration of that guest is undecided here: it is to run here. */
void xf_recover_resolve_guest (XfDriver *driver, const guint8 *uuid);

/* Goes through the journal, once, when all guests are known. libxl is waited for here: nobody is served yet. */
void xf_recover (XfDriver *driver);
