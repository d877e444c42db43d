/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/migrate_uri.h"

#include <gio/gio.h>
#include <string.h>

#include "base/error.h"

static gboolean
bad (GError **error, const char *text, const char *what)
{
  g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "migration URI '%s': %s", text, what);
  return FALSE;
}

/* The length of the scheme before "://", or 0. */
static gsize
scheme_length (const char *text)
{
  const char *end = strstr (text, "://");

  return end ? end - text : 0;
}

/* The text after a known scheme, or @text itself. */
static const char *
skip_scheme (const char *text)
{
  static const char *const schemes[] = { "tcp://", "tcp:", "xenmigr://", "xenmigr:" };

  for (gsize i = 0; i < G_N_ELEMENTS (schemes); i++) {
    if (g_str_has_prefix (text, schemes[i]))
      return text + strlen (schemes[i]);
  }
  return text;
}

static gboolean
parse_port (const char *text, const char *digits, guint *port_out, GError **error)
{
  guint64 port;

  if (!g_ascii_string_to_unsigned (digits, 10, 1, 65535, &port, NULL))
    return bad (error, text, "the port is not a number between 1 and 65535");
  *port_out = port;
  return TRUE;
}

/* A bracket inside could not be written again; the other characters are in no host name. */
static gboolean
is_host (const char *host)
{
  for (const char *at = host; *at; at++) {
    if (g_ascii_iscntrl (*at) || g_ascii_isspace (*at) || *at == '[' || *at == ']')
      return FALSE;
  }
  return g_utf8_validate (host, -1, NULL);
}

gboolean
xf_migrate_uri_parse (const char *text, XfMigrateUri *uri_out, GError **error)
{
  const char *start = skip_scheme (text);
  g_autofree char *rest = NULL;
  char *slash, *colon, *host;

  *uri_out = (XfMigrateUri){ 0 };
  if (start == text && scheme_length (text)) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG,
                 "migration URI '%s': the scheme '%.*s' is not served; use tcp://HOST[:PORT]", text,
                 (int)scheme_length (text), text);
    return FALSE;
  }
  rest = g_strdup (start);
  slash = strchr (rest, '/');
  if (slash)
    *slash = '\0';
  host = rest;
  colon = strrchr (rest, ':');
  if (*rest == '[') {
    char *end = strchr (rest, ']');

    if (!end || (end[1] != '\0' && end[1] != ':'))
      return bad (error, text, "the brackets of the IPv6 address do not close");
    *end = '\0';
    host = rest + 1;
    colon = end[1] == ':' ? end + 1 : NULL;
  } else if (colon && strchr (rest, ':') != colon) {
    colon = NULL; /* several colons without brackets: an IPv6 address without a port */
  }
  if (colon) {
    if (!parse_port (text, colon + 1, &uri_out->port, error))
      return FALSE;
    *colon = '\0';
  }
  if (!*host)
    return bad (error, text, "it names no host");
  if (!is_host (host))
    return bad (error, text, "the host's name has blanks, brackets or control characters in it");
  uri_out->host = g_strdup (host);
  return TRUE;
}

void
xf_migrate_uri_clear (XfMigrateUri *uri)
{
  g_clear_pointer (&uri->host, g_free);
}

gboolean
xf_migrate_host_is_loopback (const char *host)
{
  static const char *const names[] = { "localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback", NULL };
  g_autofree char *name = g_ascii_strdown (host, -1);
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string (host);

  if (address)
    return g_inet_address_get_is_loopback (address) || g_inet_address_get_is_any (address);
  return g_strv_contains (names, name);
}

const char *
xf_migrate_host_choose (const char *announced, const char *reached)
{
  return reached && xf_migrate_host_is_loopback (announced) && !xf_migrate_host_is_loopback (reached) ? reached
                                                                                                      : announced;
}

char *
xf_migrate_uri_format (const char *host, guint port)
{
  return g_strdup_printf (strchr (host, ':') ? "tcp://[%s]:%u" : "tcp://%s:%u", host, port);
}

gboolean
xf_connect_uri_parse (const char *text, XfConnectUri *uri_out, GError **error)
{
  g_autoptr (GUri) uri = g_uri_parse (text, G_URI_FLAGS_NONE, NULL);
  g_autoptr (GHashTable) query = NULL;
  g_auto (GStrv) scheme = NULL;
  gboolean has_host;

  *uri_out = (XfConnectUri){ 0 };
  if (!uri) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "'%s' is not a connection URI", text);
    return FALSE;
  }
  scheme = g_strsplit (g_uri_get_scheme (uri), "+", 2);
  has_host = g_uri_get_host (uri) && *g_uri_get_host (uri);
  if (g_uri_get_query (uri))
    query = g_uri_parse_params (g_uri_get_query (uri), -1, "&;", G_URI_PARAMS_NONE, NULL);
  uri_out->driver = g_strdup (scheme[0]);
  uri_out->transport = g_strdup (scheme[1] ? scheme[1] : has_host ? "tls" : "unix");
  uri_out->user = g_strdup (g_uri_get_user (uri));
  uri_out->host = has_host ? g_strdup (g_uri_get_host (uri)) : NULL;
  uri_out->path = g_strdup (g_uri_get_path (uri));
  uri_out->port = g_uri_get_port (uri) > 0 ? g_uri_get_port (uri) : 0;
  uri_out->socket = query ? g_strdup (g_hash_table_lookup (query, "socket")) : NULL;
  return TRUE;
}

void
xf_connect_uri_clear (XfConnectUri *uri)
{
  g_free (uri->driver);
  g_free (uri->transport);
  g_free (uri->user);
  g_free (uri->host);
  g_free (uri->path);
  g_free (uri->socket);
  *uri = (XfConnectUri){ 0 };
}

char *
xf_connect_uri_describe (const XfConnectUri *uri)
{
  if (uri->host)
    return g_strdup (uri->host);
  return g_strdup (uri->socket ? uri->socket : "this host");
}
