/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Hooks: the administrator's scripts, called at points of a guest's life with libvirt's arguments (docs/hooks.md):
 *
 *   SCRIPT GUEST OPERATION SUBOPERATION -        with the guest's XML on standard input
 *
 * The scripts are hook_dir/libxl, and then those of hook_dir/libxl.d in the order of their names. All are called, also
 * after one has failed; the first failure is the result. Each has hook_timeout seconds.
 *
 * Hooks of one guest are called one after another, in the order of the calls here; a caller waits for its hook in a
 * step of its own, with the guest's job, so that nothing else starts, moves or destroys the guest meanwhile. In the
 * background are only hooks that nothing waits for: those of a guest that another toolstack has destroyed, and those
 * of the guests that a new daemon finds.
 */
#pragma once

#include "libxl/guest/guest.h"

typedef struct XfHook XfHook;

/* @xml: what the scripts of `migrate` wrote instead of the XML, valid until the function returns; or NULL. @error: of
 * the first script that failed, XF_ERROR_HOOK_FAILED, with the guest, the host, the hook and the reason; or
 * XF_ERROR_ABORTED after xf_hook_stop(). */
typedef void (*XfHookDone) (const char *xml, const GError *error, gpointer data);

/* TRUE if there is a script to call. */
gboolean xf_hook_exists (const XfDriver *driver);

/* Calls the scripts; @done is called from the loop, once, also if there is none. Each script of `migrate` gets what the
 * one before wrote, if that was not empty. The object frees itself after @done. */
XfHook *xf_hook_run (XfDriver *driver, const char *name, const char *xml, const char *operation,
                     const char *suboperation, XfHookDone done, gpointer data);

/* Kills the script, with its process group, and calls no other: @done gets XF_ERROR_ABORTED, from the loop. */
void xf_hook_stop (XfHook *hook);

/* The definition in @xml, which the scripts of `migrate` wrote for a guest that arrives as @came. Only what --xml may
 * change may differ. NULL with XF_ERROR_HOOK_FAILED, which names the guest and the element. */
XfDomainDef *xf_hook_take_xml (const XfDomainDef *came, const char *xml, GError **error);

/* `started` of a guest that has arrived here, in the background. */
void xf_hook_guest_arrived (XfGuest *guest);

/* `stopped` and `release` of a guest that has ended without a job or has moved away, in the background. */
void xf_hook_guest_vanished (XfGuest *guest);

/* `reconnect` of each guest that runs here, in the background, a few at a time. Not of one that a migration has: it
 * may run on the other host. */
void xf_hooks_reconnect (XfDriver *driver);

/* The daemon ends: hooks get a moment to end, and `reconnect` none. */
void xf_hooks_end (XfDriver *driver);

/* Kills what is left, and calls no function. */
void xf_hooks_free (XfDriver *driver);
