/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Destroys a domain that must not be here, for as long as that takes: what a guest leaves behind when it has moved
 * away, what a migration built in vain, what is left of a start that failed. One failed destroy is no end: such a
 * domain looks like a paused guest, and one resume makes it a second one.
 */
#pragma once

#include "libxl/guest/driver_private.h"

typedef struct XfRemoval XfRemoval;

/* After each try that failed: how many there were, and why this one did. */
typedef void (*XfRemovalFailed) (guint tries, const GError *error, gpointer data);

/* Destroys @domid, at once and then after 1, 2, 4 … 30 s, until Xen does not have it any more. @uuid: of the domain, so
 * that a later one with the same number is left alone. @failed may be NULL; so may @gone, which is called once, from
 * the loop. The object frees itself after it. */
XfRemoval *xf_removal_new (XfDriver *driver, guint32 domid, const guint8 *uuid, XfRemovalFailed failed, XfDone gone,
                           gpointer data);

/* @data's callbacks are not called any more; the domain is still destroyed. */
void xf_removal_forget (XfDriver *driver, gconstpointer data);

/* The domain is being removed: it is no guest. */
gboolean xf_removal_has (const XfDriver *driver, guint32 domid);

/* One with that uuid is, and so keeps its name and uuid from being used; its domid, or 0. */
guint32 xf_removal_find (const XfDriver *driver, const guint8 *uuid);

/* The daemon ends: nothing is tried again. FALSE while libxl still works for one of them. */
gboolean xf_removals_stop (XfDriver *driver);
void xf_removals_free (XfDriver *driver);
