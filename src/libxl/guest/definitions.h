/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The definitions in the configuration directory when the daemon starts. libvirtd and administrators write there too.
 * A definition that this driver refuses stays as it is, and its guest keeps name and UUID.
 */
#pragma once

#include "libxl/guest/guest.h"

/* Reads every definition into the registry, always in the same order: first the definitions in a file of their own
 * name; then those in a file of another name (the guest's next write goes to its own name and removes the other
 * file); then those that this driver refuses (guest.h's refused), which are shown, never started, never overwritten.
 * Logs a warning for each of the second and third kind. */
void xf_definitions_load (XfDriver *driver);

/* FALSE, with the reason and the remedy, if this driver refuses the guest's definition. */
gboolean xf_definitions_accepted (const XfGuest *guest, GError **error);

/* Checks a guest that is to be started, received or defined here as @name. FALSE also if the file of that name holds
 * another guest's definition. */
gboolean xf_definitions_allow (XfDriver *driver, const char *name, const guint8 *uuid, GError **error);
