/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Destroys a domain that must not exist here, with retries until it is gone: the remains of a guest that has moved
 * away, a domain that a cancelled migration built, the remains of a failed start. One failed attempt is not the end:
 * such a domain looks like a paused guest, and one resume would start a second copy.
 */
#pragma once

#include "libxl/guest/driver_private.h"

typedef struct XfRemoval XfRemoval;

/* Called after each failed attempt: the number of attempts, and the reason of the last. */
typedef void (*XfRemovalFailed) (guint tries, const GError *error, gpointer data);

/* Destroys @domid, at once and then after 1, 2, 4 … 30 s, until Xen does not have it any longer. @uuid: of the
 * domain, so that a later domain with the same number is left alone. @failed may be NULL; so may @gone, which is
 * called once, from the loop. The object frees itself after it. */
XfRemoval *xf_removal_new (XfDriver *driver, guint32 domid, const guint8 *uuid, XfRemovalFailed failed, XfDone gone,
                           gpointer data);

/* The callbacks of @data are not called afterwards; the domain is still destroyed. */
void xf_removal_forget (XfDriver *driver, gconstpointer data);

/* TRUE if the domain is being removed: it is not a guest. */
gboolean xf_removal_has (const XfDriver *driver, guint32 domid);

/* The domid of a domain with that UUID that is being removed, or 0. Its name and UUID must not be used meanwhile. */
guint32 xf_removal_find (const XfDriver *driver, const guint8 *uuid);

/* The daemon ends: nothing is retried. FALSE while libxl still works on one of them. */
gboolean xf_removals_stop (XfDriver *driver);
void xf_removals_free (XfDriver *driver);
