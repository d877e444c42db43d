/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An input or output of the pump: a non-blocking descriptor, plain or under TLS. Exact reads and writes wait in the
 * loop. Nothing is buffered except inside TLS.
 */
#pragma once

#include "pump/loop.h"

typedef struct {
  XfPumpLoop *loop;
  int fd; /* owned */
  gboolean is_pipe, is_socket, output;
  gboolean inner; /* between processes of one pump: neither counted nor paced */
  int low_water;  /* of a socket: bytes that must have arrived before it wakes us; 0: the default */
  gpointer tls;   /* gnutls_session_t; NULL: plain. Owned */
} XfChannel;

/* Takes @fd and makes it non-blocking. */
gboolean xf_channel_init (XfChannel *channel, XfPumpLoop *loop, int fd, gboolean output, GError **error);
void xf_channel_clear (XfChannel *channel);

/* Reads the available bytes, up to @size. @n_out: 0 at the end of the stream. */
gboolean xf_channel_read_some (XfChannel *channel, guint8 *data, gsize size, gsize *n_out, GError **error);

/* Reads exactly @size bytes, or fewer (@n_out) at the end of the stream. */
gboolean xf_channel_read (XfChannel *channel, guint8 *data, gsize size, gsize *n_out, GError **error);

gboolean xf_channel_write (XfChannel *channel, const guint8 *data, gsize size, GError **error);

/* Writes what is possible without waiting and within the pace; @n_out may be 0. */
gboolean xf_channel_write_some (XfChannel *channel, const guint8 *data, gsize size, gsize *n_out, GError **error);

/* Moves up to @size bytes from @in to @out inside the kernel; one of them must be a pipe and both plain. @least: the
 * number of bytes that will certainly follow, 1 if unknown. @n_out: 0 at the end of @in. */
gboolean xf_channel_splice (XfChannel *in, XfChannel *out, guint64 size, gsize least, gsize *n_out, GError **error);

/* Bytes that can be read right now; 0 where that is unknown. */
gsize xf_channel_waiting (XfChannel *channel);
