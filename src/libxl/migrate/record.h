/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What an administrator sees of migrations (`xenferry migrations`) and the journal does not have, because no daemon
 * acts on it: how migrations have ended, and conflicts. In a conflict an administrator has decided about a guest at its
 * source, and the destination reports the opposite: the guest runs on both hosts, or on neither.
 *
 * In memory only: a daemon that starts again has none of it, and the log of its predecessor has all.
 */
#pragma once

#include "libxl/guest/driver_private.h"

/* Keeps @end, which is copied. An older record of that migration and side is replaced; of more than XF_RECORD_MAX the
 * oldest is dropped. */
#define XF_RECORD_MAX 256
void xf_record_end (XfDriver *driver, const XfMigrationInfo *end);

/* Keeps and shows a conflict about the guest @uuid; @conflict is copied. With @twice the guest runs on both hosts, and
 * the conflict is over when the guest does not run here; else it runs on neither, and the conflict is over when it runs
 * here. The guest here, if there is one, gets the reason as its message. */
void xf_record_conflict (XfDriver *driver, const XfMigrationInfo *conflict, const guint8 *uuid, gboolean twice);

/* The conflict of that migration and side, if there is one, is over. */
void xf_record_no_conflict (XfDriver *driver, gboolean is_source, const guint8 *id);

/* TRUE if the guest runs here, or is paused or suspended here. */
gboolean xf_record_is_active (XfDriver *driver, const guint8 *uuid);

/* Adds the records to @list, an array of XfMigrationInfo that has the journal's. */
void xf_record_add_to (XfDriver *driver, GPtrArray *list);

/* The daemon ends. */
void xf_record_free (XfDriver *driver);
