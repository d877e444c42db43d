/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The definitions that lie in the configuration directory when the daemon starts. Others write there too, libvirtd and
 * people: what this driver refuses stays as it is, and whoever it describes keeps name and uuid.
 */
#pragma once

#include "libxl/guest/guest.h"

/* Reads every definition into the registry, the same order always: first those in a file of their own name, then those
 * in another's (their guests write to their own name later, and the other file goes), then those that this driver
 * refuses (guest.h's refused): shown, never started, never written over. A warning for each but the first kind. */
void xf_definitions_load (XfDriver *driver);

/* FALSE, with the reason and what to do, when the guest's definition is one that this driver refuses. */
gboolean xf_definitions_accepted (const XfGuest *guest, GError **error);

/* FALSE too when the file of that name holds another guest's definition: whoever is to be started, received or defined
 * here as @name is asked about. */
gboolean xf_definitions_allow (XfDriver *driver, const char *name, const guint8 *uuid, GError **error);
