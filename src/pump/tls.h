/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * TLS on a channel: both sides show a certificate, the client checks the server's name. Certificates and key are read
 * once, before the process drops its privileges.
 */
#pragma once

#include <sys/types.h>

#include "pump/channel.h"

typedef struct XfTls XfTls;

/* @server: the role; it decides which of libvirt's files replaces a NULL: /etc/pki/CA/cacert.pem, and below
 * /etc/pki/libvirt servercert.pem with private/serverkey.pem, or clientcert.pem with private/clientkey.pem. @peer_name:
 * the name that the server's certificate must have; required for a client, ignored for a server. */
XfTls *xf_tls_new (gboolean server, const char *ca, const char *certificate, const char *key, const char *peer_name,
                   GError **error);
void xf_tls_free (XfTls *tls);

/* Does the handshake on @channel's descriptor, which must be a socket. */
gboolean xf_tls_handshake (XfTls *tls, XfChannel *channel, GError **error);

/* Like read and write; -1 with errno EAGAIN, or with @error. */
ssize_t xf_tls_read (gpointer session, guint8 *data, gsize size, GError **error);
ssize_t xf_tls_write (gpointer session, const guint8 *data, gsize size, GError **error);

/* Sends the end of the session, if that is possible without waiting. */
void xf_tls_session_end (gpointer session);
void xf_tls_session_free (gpointer session);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfTls, xf_tls_free)
