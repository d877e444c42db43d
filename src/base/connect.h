/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Connecting to another daemon: GLib's client, which tries each address of a host, and a descriptor of our own at the
 * end. GSocket closes its own descriptor with the connection object.
 */
#pragma once

#include <gio/gio.h>

/* Connects without a proxy. @timeout_s 0: as long as the kernel tries. @done is called from the loop, also when
 * @cancellable is cancelled. */
void xf_connect (GSocketConnectable *address, guint timeout_s, GCancellable *cancellable, GAsyncReadyCallback done,
                 gpointer data);

/* In @done: the connected descriptor, the caller's; or -1 and @error, which is G_IO_ERROR_CANCELLED after a
 * cancellation. */
int xf_connect_finish (GObject *object, GAsyncResult *result, GError **error);
