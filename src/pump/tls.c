/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pump/tls.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <poll.h>

#include "base/error.h"

#define PKI "/etc/pki"

struct XfTls {
  gboolean server;
  char *peer_name;
  gnutls_certificate_credentials_t credentials;
};

static gboolean
failed (GError **error, const char *what, int rc)
{
  g_set_error (error, XF_ERROR, XF_ERROR_AUTH_FAILED, "TLS: %s: %s", what, gnutls_strerror (rc));
  return FALSE;
}

void
xf_tls_free (XfTls *tls)
{
  if (tls->credentials)
    gnutls_certificate_free_credentials (tls->credentials);
  g_free (tls->peer_name);
  g_free (tls);
}

static gboolean
load (XfTls *tls, const char *ca, const char *certificate, const char *key, GError **error)
{
  g_autofree char *place = g_strdup_printf ("'%s', '%s' and '%s'", ca, certificate, key);
  int rc = gnutls_certificate_allocate_credentials (&tls->credentials);

  if (rc >= 0)
    rc = gnutls_certificate_set_x509_trust_file (tls->credentials, ca, GNUTLS_X509_FMT_PEM);
  if (rc == 0)
    rc = GNUTLS_E_NO_CERTIFICATE_FOUND;
  if (rc >= 0)
    rc = gnutls_certificate_set_x509_key_file (tls->credentials, certificate, key, GNUTLS_X509_FMT_PEM);
  if (rc >= 0)
    return TRUE;
  failed (error, "cannot read certificates", rc);
  g_prefix_error (error, "cannot use %s: ", place);
  return FALSE;
}

XfTls *
xf_tls_new (gboolean server, const char *ca, const char *certificate, const char *key, const char *peer_name,
            GError **error)
{
  g_autoptr (XfTls) tls = g_new0 (XfTls, 1);

  tls->server = server;
  tls->peer_name = g_strdup (peer_name);
  if (!server && !peer_name) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "TLS: the name of the server is not given");
    return NULL;
  }
  ca = ca ? ca : PKI "/CA/cacert.pem";
  certificate = certificate ? certificate : server ? PKI "/libvirt/servercert.pem" : PKI "/libvirt/clientcert.pem";
  key = key ? key : server ? PKI "/libvirt/private/serverkey.pem" : PKI "/libvirt/private/clientkey.pem";
  return load (tls, ca, certificate, key, error) ? g_steal_pointer (&tls) : NULL;
}

static gnutls_session_t
new_session (XfTls *tls, int fd, GError **error)
{
  gnutls_session_t session = NULL;
  int rc = gnutls_init (&session, (tls->server ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);

  if (rc >= 0)
    rc = gnutls_set_default_priority (session);
  if (rc >= 0)
    rc = gnutls_credentials_set (session, GNUTLS_CRD_CERTIFICATE, tls->credentials);
  if (rc < 0) {
    failed (error, "cannot begin", rc);
    if (session)
      gnutls_deinit (session);
    return NULL;
  }
  if (tls->server)
    gnutls_certificate_server_set_request (session, GNUTLS_CERT_REQUIRE);
  /* Checked during the handshake: chain, dates, purpose, and on the client's side the name. */
  gnutls_session_set_verify_cert (session, tls->server ? NULL : tls->peer_name, 0);
  gnutls_transport_set_int (session, fd);
  return session;
}

static gboolean
handshake_failed (gnutls_session_t session, const char *name, int rc, GError **error)
{
  gnutls_datum_t text = { NULL, 0 };

  if (rc == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR
      && gnutls_certificate_verification_status_print (gnutls_session_get_verify_cert_status (session), GNUTLS_CRT_X509,
                                                       &text, 0)
           == 0) {
    g_set_error (error, XF_ERROR, XF_ERROR_AUTH_FAILED,
                 "TLS: the other side's certificate is refused: %s(expected: one for '%s', of the same authority; "
                 "--tls-destination names another)",
                 text.data, name ? name : "any host");
    gnutls_free (text.data);
    return FALSE;
  }
  return failed (error, "no agreement with the other side", rc);
}

gboolean
xf_tls_handshake (XfTls *tls, XfChannel *channel, GError **error)
{
  gnutls_session_t session = new_session (tls, channel->fd, error);

  if (!session)
    return FALSE;
  channel->tls = session;
  for (;;) {
    int rc = gnutls_handshake (session);

    if (rc == 0)
      return TRUE;
    if (rc != GNUTLS_E_AGAIN && gnutls_error_is_fatal (rc))
      return handshake_failed (session, tls->server ? NULL : tls->peer_name, rc, error);
    if (rc == GNUTLS_E_AGAIN
        && !xf_loop_wait (channel->loop, channel->fd, gnutls_record_get_direction (session) ? POLLOUT : POLLIN, error))
      return FALSE;
  }
}

static ssize_t
result (ssize_t n, const char *what, GError **error)
{
  if (n >= 0)
    return n;
  if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED || !gnutls_error_is_fatal (n)) {
    errno = EAGAIN;
    return -1;
  }
  failed (error, what, n);
  return -1;
}

ssize_t
xf_tls_read (gpointer session, guint8 *data, gsize size, GError **error)
{
  return result (gnutls_record_recv (session, data, size), "cannot read the migration stream", error);
}

ssize_t
xf_tls_write (gpointer session, const guint8 *data, gsize size, GError **error)
{
  return result (gnutls_record_send (session, data, size), "cannot hand on the migration stream", error);
}

void
xf_tls_session_end (gpointer session)
{
  (void)gnutls_bye (session, GNUTLS_SHUT_WR);
}

void
xf_tls_session_free (gpointer session)
{
  gnutls_deinit (session);
}
