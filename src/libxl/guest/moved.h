/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The start of a guest that has moved away from here. The journal names the host to which it went, and that host is
 * asked. If the guest has ended there, that host gives it back and does not start it any longer. Without an answer,
 * and for a host without a journal, which does not know whether the guest has moved on, the administrator must state
 * that it does not run elsewhere (virsh start --force-boot).
 */
#pragma once

#include "libxl/guest/driver_private.h"

typedef struct XfMoved XfMoved;

/* TRUE if the journal says that the guest with that UUID has moved away from here. */
gboolean xf_moved_is_known (XfDriver *driver, const guint8 *uuid);

/* Asks the host. @done is called from the loop: with NULL if the guest may be started here, else with an error that
 * names the host it has moved to. The object frees itself after @done. */
XfMoved *xf_moved_ask (XfDriver *driver, const char *name, const guint8 *uuid, XfDone done, gpointer data);

/* Stops waiting: @done is called with an error. */
void xf_moved_stop (XfMoved *moved);
