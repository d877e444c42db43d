/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is kept on disk: definitions and autostart links, in the files of libvirt's own libxl driver, so that a host
 * can switch either way; and the status of running guests, volatile, by which they are known again after a restart.
 */
#pragma once

#include "libxl/guest/guest.h"

/* Makes the directories. */
gboolean xf_store_open (XfDriver *driver, GError **error);

/* Writes the guest's definition to the file of its name, and removes the one that it was read from when that is
 * another. A file that is there and is not the guest's is not written over. */
gboolean xf_store_write_definition (XfGuest *guest, const XfDomainDef *def, GError **error);
void xf_store_remove_definition (XfGuest *guest);
gboolean xf_store_is_autostart (const XfGuest *guest);
gboolean xf_store_set_autostart (XfGuest *guest, gboolean yes, GError **error);

void xf_store_write_status (XfGuest *guest);
void xf_store_remove_status (XfGuest *guest);

/* The definition a running guest had when the daemon ended, or NULL. @state_out, @reason_out, @foreign_out: as it was
 * then. */
XfDomainDef *xf_store_read_status (XfDriver *driver, const guint8 *uuid, int domid, int *state_out, int *reason_out,
                                   gboolean *foreign_out);

/* The running guest's XML as libvirt's driver leaves it with libxl, for whoever looks after the guest next. */
void xf_store_write_userdata (XfGuest *guest);

/* The definition that this daemon or libvirtd left with a running domain, or NULL. */
XfDomainDef *xf_store_read_userdata (XfDriver *driver, const guint8 *uuid, int domid);
