/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A guest that is started again after its own end.
 *
 * The new domain gets libxl's configuration of the ended one. This includes disks, interfaces and settings that were
 * changed while the guest ran, and everything that domain XML cannot express.
 *
 * A failed restart is retried after 1, 2, 4 … 30 seconds, ten times in all. The restart keeps the guest's job until
 * it has succeeded or is over, so that nothing else starts, receives or adopts the guest meanwhile. It is over when a
 * client destroys, starts or undefines the guest, when another toolstack has started it, and when the daemon ends. It
 * never builds a domain while Xen has another one of that UUID that could run.
 */
#pragma once

#include "libxl/guest/operation.h"

/* Reads libxl's configuration into the operation's, then calls @next. If libxl cannot read it, a warning is logged,
 * the operation has no configuration, and the definition is used. */
void xf_restart_remember (XfOperation *operation, void (*next) (XfOperation *operation));

/* Renames the ended domain to NAME-DATETTIMEZ, as xl does: it stays, and is not the guest any longer
 * (xf_look_is_preserved). FALSE, with an error that names the guest: nothing was changed. */
gboolean xf_restart_preserve (XfOperation *operation, GError **error);

/* The ended domain is gone, and a restart is to begin: from now on a client may stop it, which sets
 * operation->stopped. */
void xf_restart_announce (XfOperation *operation);

/* The ended domain is gone. Shows the guest as shut off, and calls @build to make the new domain from the operation's
 * definition (taken) and configuration, now and again after each failure. */
void xf_restart_begin (XfOperation *operation, XfDomainDef *def, void (*build) (XfOperation *operation));

/* FALSE, with the reason, if Xen has another domain of the guest that could run, or the remains of a failed attempt.
 * The operation is not tried again then. */
gboolean xf_restart_check_alone (XfOperation *operation, GError **error);

/* Ends a restart that waits for its next attempt. FALSE: no restart waits. The guest may be freed if TRUE. */
gboolean xf_restart_give_way (XfGuest *guest);

/* Ends a restart, also during an attempt; then calls @done, or destroys the domain that was started after all. FALSE:
 * there is no restart, and nothing is called. @done may be NULL. */
gboolean xf_restart_stop (XfGuest *guest, XfDone done, gpointer data);

/* Xen has this domain, which is not one of the daemon's guests: ends a restart of the same guest. */
void xf_restart_compare (XfDriver *driver, const libxl_dominfo *info);

/* The daemon ends: no restart waits any longer. */
void xf_restarts_stop (XfDriver *driver);
