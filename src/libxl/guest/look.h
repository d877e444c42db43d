/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Xen's state of a guest takes precedence over the remembered one: other toolstacks pause, unpause, rename and end
 * guests without notice to this daemon. The check of each second (discover.c) and every command that depends on the
 * guest's state use this file; libxl's events only make the check earlier.
 */
#pragma once

#include <libxl.h>

#include "libxl/guest/guest.h"

typedef enum {
  XF_SHOWN_UNKNOWN, /* Xen's state could not be read */
  XF_SHOWN_GONE,
  XF_SHOWN_RUNNING,
  XF_SHOWN_PAUSED,
  XF_SHOWN_SUSPENDED, /* as for a migration or a save */
  XF_SHOWN_ENDED,     /* shut down, rebooted or crashed; its domain still exists */
} XfShown;

XfShown xf_look_shown (const libxl_dominfo *info);

/* Reads the guest's state from Xen now. */
XfShown xf_look_at (const XfGuest *guest);

/* Corrects a remembered state and its reason from Xen's state. */
void xf_look_judge (const libxl_dominfo *info, int *state, int *reason);

/* Adopts from @shown that the guest runs, is paused or is suspended, and sends the event; renews the watch for its
 * end if that was used up. Does nothing during a job: the job has set the state. */
void xf_look_take (XfGuest *guest, XfShown shown);

/* Reads the state and adopts it. For a guest that is about to be moved. */
void xf_look_again (XfGuest *guest);

/* FALSE with an error that names the guest if it has ended or is gone. */
gboolean xf_look_check_alive (const XfGuest *guest, XfShown shown, const char *what, GError **error);

/* TRUE if the domain is kept after its end (on_crash preserve and the like): nothing is to be done. */
gboolean xf_look_is_kept (const XfGuest *guest);

/* TRUE if the domain has ended and was renamed to NAME-DATETTIMEZ, so that the guest could be started again under its
 * own name (rename-restart, of xl or of this driver). Xen still reports the guest's UUID for it. It is not a guest,
 * and nothing is done with it. */
gboolean xf_look_is_preserved (XfDriver *driver, const libxl_dominfo *info);

/* Adopts the guest's name in Xen, unless another guest has that name or it is not possible here. */
void xf_look_follow_name (XfGuest *guest);
