/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A peer-to-peer migration: the part that a client plays in managed mode, played by the source itself against the
 * destination's daemon. The source's own phases are source/source.c's, the same as in managed mode.
 *
 *   opening ─► asking ─► recognising ─► preparing ─► performing ─► finishing ─► confirming ─► over
 *      └──────────┴───────────┴─────────────┴── error, abort ─────────────────────┘
 */
#pragma once

#include "libxl/source/source.h"

/* Runs the whole migration of @source (state begun), to the daemon at @dconnuri. Done: once, with the first error;
 * @source is gone then. */
void xf_migrate_p2p_run (XfDriver *driver, XfMigrateSource *source, const char *dconnuri, XfDone done, gpointer data);
