/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where a migration goes: the data address in all forms that clients send (docs/wire.md, Migration URIs), and libvirt's
 * connection URIs.
 */
#pragma once

#include <glib.h>

typedef struct {
  char *host; /* name or address, without brackets */
  guint port; /* 0: none given */
} XfMigrateUri;

/* Accepts "host", "host:port", "tcp:host[:port]", "tcp://host[:port][/]", "xenmigr:host", "xenmigr://host[:port]/…",
 * and IPv6 addresses: in brackets, or bare without a port. */
gboolean xf_migrate_uri_parse (const char *text, XfMigrateUri *uri_out, GError **error);
void xf_migrate_uri_clear (XfMigrateUri *uri);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (XfMigrateUri, xf_migrate_uri_clear)

/* TRUE for "localhost", for loopback addresses, and for the wildcard addresses. */
gboolean xf_migrate_host_is_loopback (const char *host);

/* The address for a host that announces itself as @announced and was reached as @reached (NULL: through a socket of
 * this host): @announced, unless that would be this host. */
const char *xf_migrate_host_choose (const char *announced, const char *reached);

/* "tcp://host:port", an IPv6 address in brackets; the caller owns it. */
char *xf_migrate_uri_format (const char *host, guint port);

typedef struct {
  char *driver;    /* "xen" */
  char *transport; /* "unix", "tcp", "tls", "ssh", ...; libvirt's default filled in: tls with a host, else unix */
  char *user, *host, *path;
  guint port;   /* 0: the transport's default */
  char *socket; /* ?socket= */
} XfConnectUri;

gboolean xf_connect_uri_parse (const char *text, XfConnectUri *uri_out, GError **error);
void xf_connect_uri_clear (XfConnectUri *uri);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (XfConnectUri, xf_connect_uri_clear)

/* The name of the other side for errors: its host, or its socket; the caller owns it. */
char *xf_connect_uri_describe (const XfConnectUri *uri);
