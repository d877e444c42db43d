/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What Xen shows of a guest goes before what is remembered of it: other toolstacks pause, unpause, rename and end
 * guests without a word to this daemon. The look of each second (discover.c) and every command that depends on the
 * guest's state come through here; libxl's events only make it sooner.
 */
#pragma once

#include <libxl.h>

#include "libxl/guest/guest.h"

typedef enum {
  XF_SHOWN_UNKNOWN, /* Xen could not be asked */
  XF_SHOWN_GONE,
  XF_SHOWN_RUNNING,
  XF_SHOWN_PAUSED,
  XF_SHOWN_SUSPENDED, /* as for a migration, or a save */
  XF_SHOWN_ENDED,     /* shut down, rebooted, crashed; its domain is still there */
} XfShown;

XfShown xf_look_shown (const libxl_dominfo *info);

/* Asks Xen now. */
XfShown xf_look_at (const XfGuest *guest);

/* Corrects a remembered state and its reason by what Xen shows. */
void xf_look_judge (const libxl_dominfo *info, int *state, int *reason);

/* Takes over that a guest runs, is paused or is suspended, with the event for it; and watches for its end again when
 * the watch was used up. Nothing while a job has the guest: the job knows why it is as it is. */
void xf_look_take (XfGuest *guest, XfShown shown);

/* Both: asks, and takes over. For a guest that is about to be moved. */
void xf_look_again (XfGuest *guest);

/* An error, which names it, when the guest has ended or is gone. */
gboolean xf_look_check_alive (const XfGuest *guest, XfShown shown, const char *what, GError **error);

/* It is kept after its end (on_crash preserve and the like): nothing is to be done about it. */
gboolean xf_look_is_kept (const XfGuest *guest);

/* It has ended and was given another name, NAME-DATETTIMEZ, so that the guest could be started again under its own
 * (rename-restart, of xl or of this driver). Xen goes on showing the guest's uuid for it; it is no guest, and nothing
 * is done with it. */
gboolean xf_look_is_preserved (XfDriver *driver, const libxl_dominfo *info);

/* Takes over the name that the guest has in Xen, unless it is another guest's or cannot be a name here. */
void xf_look_follow_name (XfGuest *guest);
