/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A guest that has moved away from here and is to be started here: the journal says where it went, and that host is
 * asked for it: one where it has ended gives it back, and does not start it any more. Without an answer, and of a host
 * without a journal, which cannot say whether it has moved on, a person has to say that it does not run elsewhere
 * (virsh start --force-boot).
 */
#pragma once

#include "libxl/guest/driver_private.h"

typedef struct XfMoved XfMoved;

/* The guest with that uuid has moved away from here, as far as is known. */
gboolean xf_moved_is_known (XfDriver *driver, const guint8 *uuid);

/* Asks where it is. @done, from the loop: NULL when it may be started here, else an error that names the host it has
 * moved to. The object frees itself after @done. */
XfMoved *xf_moved_ask (XfDriver *driver, const char *name, const guint8 *uuid, XfDone done, gpointer data);

/* Does not wait any longer: @done comes with an error. */
void xf_moved_stop (XfMoved *moved);
