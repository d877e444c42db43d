/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One way in or out of the pump: a non-blocking descriptor, or several connections that carry one stream of frames,
 * plain or under TLS. Exact reads and writes that wait in the loop; nothing is buffered but what TLS itself keeps.
 */
#pragma once

#include "pump/loop.h"

typedef struct {
  XfPumpLoop *loop;
  int fd; /* owned */
  gboolean is_pipe, is_socket, output;
  gboolean inner; /* between processes of one pump: neither counted nor paced */
  int low_water;  /* of a socket: bytes that must be there before it wakes us; 0: as it was made */
  gpointer tls;   /* gnutls_session_t; NULL: plain. Owned */
} XfChannel;

/* Takes @fd and makes it non-blocking. */
gboolean xf_channel_init (XfChannel *channel, XfPumpLoop *loop, int fd, gboolean output, GError **error);
void xf_channel_clear (XfChannel *channel);

/* As many bytes as there are, up to @size. @n_out: 0 at the end of the stream. */
gboolean xf_channel_read_some (XfChannel *channel, guint8 *data, gsize size, gsize *n_out, GError **error);

/* Exactly @size bytes, or fewer (@n_out) at the end of the stream. */
gboolean xf_channel_read (XfChannel *channel, guint8 *data, gsize size, gsize *n_out, GError **error);

gboolean xf_channel_write (XfChannel *channel, const guint8 *data, gsize size, GError **error);

/* What can go without waiting and within the pace; @n_out may be 0. */
gboolean xf_channel_write_some (XfChannel *channel, const guint8 *data, gsize size, gsize *n_out, GError **error);

/* Moves up to @size bytes from @in to @out inside the kernel; one of them must be a pipe and both plain. @least: that
 * many are still to come for certain, 1 if that is not known. @n_out: 0 at the end of @in. */
gboolean xf_channel_splice (XfChannel *in, XfChannel *out, guint64 size, gsize least, gsize *n_out, GError **error);

/* Bytes that wait to be read right now; 0 where that cannot be told. */
gsize xf_channel_waiting (XfChannel *channel);
