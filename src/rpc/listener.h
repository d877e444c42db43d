/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Listening sockets of the daemon: unix (read-write and read-only) and TCP.
 */
#pragma once

#include <glib.h>

typedef struct XfListener XfListener;

/* @fd: a connected socket, the callee's. */
typedef void (*XfAccepted) (int fd, gpointer data);

/* @mode: of the socket file. A file that nobody listens on is replaced; one that somebody does is an error. */
XfListener *xf_listener_new_unix (const char *path, int mode, XfAccepted accepted, gpointer data, GError **error);

/* @address: a numeric address, or NULL for all. */
XfListener *xf_listener_new_tcp (const char *address, guint port, XfAccepted accepted, gpointer data, GError **error);

/* Takes @fd, a socket that listens already (a service manager opened it). */
XfListener *xf_listener_new_from_fd (int fd, XfAccepted accepted, gpointer data);

/* Only root comes here: its clients may have the last of the descriptors. Others are turned away when few are left. */
void xf_listener_set_private (XfListener *listener);

/* Closes; a socket file of ours is removed. */
void xf_listener_free (XfListener *listener);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfListener, xf_listener_free)
