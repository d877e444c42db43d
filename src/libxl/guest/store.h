/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files on disk: definitions and autostart links, in the files of libvirt's own libxl driver, so that a host can
 * switch between the two; and the volatile status of running guests, by which the daemon recognises them after a
 * restart.
 */
#pragma once

#include "libxl/guest/guest.h"

/* Creates the directories. */
gboolean xf_store_open (XfDriver *driver, GError **error);

/* Writes the guest's definition to the file of its name. Removes the file it was read from if that is another one. An
 * existing file of another guest is not overwritten. */
gboolean xf_store_write_definition (XfGuest *guest, const XfDomainDef *def, GError **error);
void xf_store_remove_definition (XfGuest *guest);
gboolean xf_store_is_autostart (const XfGuest *guest);
gboolean xf_store_set_autostart (XfGuest *guest, gboolean yes, GError **error);

void xf_store_write_status (XfGuest *guest);
void xf_store_remove_status (XfGuest *guest);

/* The definition that a running guest had when the daemon ended, or NULL. @state_out, @reason_out, @foreign_out: as
 * they were then. */
XfDomainDef *xf_store_read_status (XfDriver *driver, const guint8 *uuid, int domid, int *state_out, int *reason_out,
                                   gboolean *foreign_out);

/* Stores the running guest's XML with libxl, as libvirt's driver does, for the next daemon that manages the guest. */
void xf_store_write_userdata (XfGuest *guest);

/* The definition that this daemon or libvirtd stored with a running domain, or NULL. */
XfDomainDef *xf_store_read_userdata (XfDriver *driver, const guint8 *uuid, int domid);
