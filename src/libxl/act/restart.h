/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A guest that is started again after its own end.
 *
 * As what: the configuration that libxl had of the ended domain. Disks, interfaces and settings that were changed while
 * it ran are in it, and so is all that domain XML cannot express.
 *
 * When that fails it is tried again after 1, 2, 4 … 30 seconds, ten times in all. The restart keeps the guest's job
 * until it has succeeded or is over, so that nothing else starts, receives or adopts the guest meanwhile. It is over
 * when a client destroys, starts or undefines the guest, when another toolstack has started it, and when the daemon
 * ends. It never makes a domain while Xen has another one of that uuid that could run.
 */
#pragma once

#include "libxl/guest/operation.h"

/* Reads libxl's configuration into the operation's, then calls @next. When libxl cannot say it there is a warning, the
 * operation stays without a configuration, and the definition is what remains. */
void xf_restart_remember (XfOperation *operation, void (*next) (XfOperation *operation));

/* Gives the ended domain the name NAME-DATETTIMEZ, as xl does: it stays, and is the guest no more
 * (xf_look_is_preserved). FALSE, with an error that names the guest: it is as it was. */
gboolean xf_restart_preserve (XfOperation *operation, GError **error);

/* The ended domain is gone: the guest is shown as shut off, and @build is called to make the new one of operation's
 * definition (taken) and configuration, now and again after each failure. */
void xf_restart_begin (XfOperation *operation, XfDomainDef *def, void (*build) (XfOperation *operation));

/* Ends the restart that waits for its next try. FALSE: none does. The guest may be gone after TRUE. */
gboolean xf_restart_give_way (XfGuest *guest);

/* Ends a restart, also in the middle of a try; then calls @done, or destroys what has been started after all. FALSE,
 * and nothing is called: there is none. @done may be NULL. */
gboolean xf_restart_stop (XfGuest *guest, XfDone done, gpointer data);

/* Xen has this domain, which is none of our guests: a restart of the same guest is over. */
void xf_restart_compare (XfDriver *driver, const libxl_dominfo *info);

/* The daemon ends: no restart waits any longer. */
void xf_restarts_stop (XfDriver *driver);
