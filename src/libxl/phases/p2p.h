/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A peer-to-peer migration: the source itself drives the phases that the client drives in managed mode, against the
 * destination's daemon. The source's own phases are those of source/source.c, as in managed mode.
 *
 *   opening ─► asking ─► recognising ─► preparing ─► performing ─► finishing ─► confirming ─► over
 *      └──────────┴───────────┴─────────────┴── error, abort ─────────────────────┘
 */
#pragma once

#include "libxl/source/source.h"

/* Runs the whole migration of @source (state begun), to the daemon at @dconnuri. @done is called once, with the first
 * error or NULL; @source is freed then. */
void xf_migrate_p2p_run (XfDriver *driver, XfMigrateSource *source, const char *dconnuri, XfDone done, gpointer data);
