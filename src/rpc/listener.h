/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Listening sockets of the daemon: unix (read-write and read-only) and TCP.
 */
#pragma once

#include <glib.h>

typedef struct XfListener XfListener;

/* @fd: a connected socket; the callee owns it. */
typedef void (*XfAccepted) (int fd, gpointer data);

/* @mode: of the socket file. An existing file is replaced if no process listens on it; otherwise it is an error. */
XfListener *xf_listener_new_unix (const char *path, int mode, XfAccepted accepted, gpointer data, GError **error);

/* @address: a numeric address, or NULL for all. */
XfListener *xf_listener_new_tcp (const char *address, guint port, XfAccepted accepted, gpointer data, GError **error);

/* Takes @fd, a socket that already listens (a service manager has opened it). */
XfListener *xf_listener_new_from_fd (int fd, XfAccepted accepted, gpointer data);

/* Marks a socket for root only: its clients may use the last file descriptors. Other sockets refuse clients when few
 * are left. */
void xf_listener_set_private (XfListener *listener);

/* Closes, and removes a socket file that this process has made. */
void xf_listener_free (XfListener *listener);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfListener, xf_listener_free)
