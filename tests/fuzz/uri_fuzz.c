/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any bytes as a migration URI and as a connection URI. A valid migration URI is written and read again, and must not
 * change.
 */
#include "conf/migrate_uri.h"
#include "fuzz.h"

static void
migrate_uri (const char *text)
{
  g_auto (XfMigrateUri) uri = { 0 }, again = { 0 };
  g_autofree char *written = NULL;
  g_autoptr (GError) error = NULL;

  if (!xf_migrate_uri_parse (text, &uri, &error)) {
    g_assert_nonnull (error);
    return;
  }
  g_assert_cmpuint (uri.port, <=, 65535);
  if (!uri.port)
    return;
  written = xf_migrate_uri_format (uri.host, uri.port);
  xf_migrate_uri_parse (written, &again, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (uri.host, ==, again.host);
  g_assert_cmpuint (uri.port, ==, again.port);
}

static void
connect_uri (const char *text)
{
  g_auto (XfConnectUri) uri = { 0 };
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL;

  if (!xf_connect_uri_parse (text, &uri, &error)) {
    g_assert_nonnull (error);
    return;
  }
  g_assert_cmpuint (uri.port, <=, 65535);
  g_assert_nonnull (uri.transport);
  name = xf_connect_uri_describe (&uri);
  g_assert_nonnull (name);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autofree char *text = g_strndup ((const char *)data, size);

  migrate_uri (text);
  connect_uri (text);
  return 0;
}
