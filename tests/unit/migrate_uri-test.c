/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/migrate_uri.h"

#include <string.h>

#include "base/error.h"

/* URIs that clients send (docs/wire.md, Migration URIs). */
static const struct {
  const char *text, *host;
  guint port;
} accepted[] = {
  { "host-b", "host-b", 0 },
  { "host-b:49152", "host-b", 49152 },
  { "host-b:8002", "host-b", 8002 },
  { "192.0.2.1", "192.0.2.1", 0 },
  { "192.0.2.1:1", "192.0.2.1", 1 },
  { "tcp:host-b", "host-b", 0 },
  { "tcp:host-b:49152", "host-b", 49152 },
  { "tcp://host-b", "host-b", 0 },
  { "tcp://host-b/", "host-b", 0 },
  { "tcp://host-b:65535", "host-b", 65535 },
  { "tcp://host-b:49152/", "host-b", 49152 },
  { "xenmigr:host-b", "host-b", 0 },
  { "xenmigr://host-b", "host-b", 0 },
  { "xenmigr://host-b/", "host-b", 0 },
  { "xenmigr://host-b/system", "host-b", 0 },
  { "xenmigr://host-b:49152/system", "host-b", 49152 },
  { "::1", "::1", 0 },
  { "2001:db8::1", "2001:db8::1", 0 },
  { "[::1]", "::1", 0 },
  { "[::1]:49152", "::1", 49152 },
  { "tcp:[::1]:49152", "::1", 49152 },
  { "tcp://[2001:db8::1]", "2001:db8::1", 0 },
  { "tcp://[2001:db8::1]:49152/", "2001:db8::1", 49152 },
  { "tcp://[fe80::1%eth0]:49152", "fe80::1%eth0", 49152 },
};

static void
test_accepted (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (accepted); i++) {
    g_auto (XfMigrateUri) uri = { 0 };
    g_autoptr (GError) error = NULL;

    g_test_message ("%s", accepted[i].text);
    xf_migrate_uri_parse (accepted[i].text, &uri, &error);
    g_assert_no_error (error);
    g_assert_cmpstr (uri.host, ==, accepted[i].host);
    g_assert_cmpuint (uri.port, ==, accepted[i].port);
  }
}

static const struct {
  const char *text, *message;
} refused[] = {
  { "", "names no host" },
  { ":49152", "names no host" },
  { "tcp:", "names no host" },
  { "tcp://", "names no host" },
  { "tcp:///system", "names no host" },
  { "[]", "names no host" },
  { "rdma://host-b:49152", "the scheme 'rdma' is not served" },
  { "xen+ssh://host-b/system", "the scheme 'xen+ssh' is not served" },
  { "unix:/run/s", "the port" },
  { "rdma:host-b", "the port" },
  { "host-b:", "the port" },
  { "host-b:0", "the port" },
  { "host-b:65536", "the port" },
  { "host-b:-1", "the port" },
  { "host-b: 1", "the port" },
  { "host-b:99999999999999999999", "the port" },
  { "[::1", "brackets" },
  { "[::1]x", "brackets" },
  { "[[]:2", "the host's name has" },
  { "host b:2", "the host's name has" },
  { "host\nb:2", "the host's name has" },
  { "tcp://[::1]49152", "brackets" },
};

static void
test_refused (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (refused); i++) {
    g_auto (XfMigrateUri) uri = { 0 };
    g_autoptr (GError) error = NULL;

    g_test_message ("%s", refused[i].text);
    g_assert_false (xf_migrate_uri_parse (refused[i].text, &uri, &error));
    g_assert_error (error, XF_ERROR, XF_ERROR_INVALID_ARG);
    g_assert_nonnull (strstr (error->message, refused[i].message));
  }
}

static void
test_formatted (void)
{
  g_autofree char *name = xf_migrate_uri_format ("host-b", 49152), *six = xf_migrate_uri_format ("2001:db8::1", 1);

  g_assert_cmpstr (name, ==, "tcp://host-b:49152");
  g_assert_cmpstr (six, ==, "tcp://[2001:db8::1]:1");
}

static const struct {
  const char *text, *driver, *transport, *user, *host, *path;
  guint port;
  const char *socket, *described;
} connects[] = {
  { "xen:///system", "xen", "unix", NULL, NULL, "/system", 0, NULL, "this host" },
  { "xen:///", "xen", "unix", NULL, NULL, "/", 0, NULL, "this host" },
  { "xen://host-b/", "xen", "tls", NULL, "host-b", "/", 0, NULL, "host-b" },
  { "xen+tcp://host-b/system", "xen", "tcp", NULL, "host-b", "/system", 0, NULL, "host-b" },
  { "xen+tcp://host-b:1234/system", "xen", "tcp", NULL, "host-b", "/system", 1234, NULL, "host-b" },
  { "xen+tcp://[::1]:1234/system", "xen", "tcp", NULL, "::1", "/system", 1234, NULL, "::1" },
  { "xen+tls://host-b/system?no_verify=1", "xen", "tls", NULL, "host-b", "/system", 0, NULL, "host-b" },
  { "xen+ssh://root@host-b/system", "xen", "ssh", "root", "host-b", "/system", 0, NULL, "host-b" },
  { "xen+unix:///system?socket=/run/a%20b", "xen", "unix", NULL, NULL, "/system", 0, "/run/a b", "/run/a b" },
  { "qemu:///session", "qemu", "unix", NULL, NULL, "/session", 0, NULL, "this host" },
};

static void
test_connect (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (connects); i++) {
    g_auto (XfConnectUri) uri = { 0 };
    g_autoptr (GError) error = NULL;
    g_autofree char *described = NULL;

    g_test_message ("%s", connects[i].text);
    xf_connect_uri_parse (connects[i].text, &uri, &error);
    g_assert_no_error (error);
    g_assert_cmpstr (uri.driver, ==, connects[i].driver);
    g_assert_cmpstr (uri.transport, ==, connects[i].transport);
    g_assert_cmpstr (uri.user, ==, connects[i].user);
    g_assert_cmpstr (uri.host, ==, connects[i].host);
    g_assert_cmpstr (uri.path, ==, connects[i].path);
    g_assert_cmpuint (uri.port, ==, connects[i].port);
    g_assert_cmpstr (uri.socket, ==, connects[i].socket);
    described = xf_connect_uri_describe (&uri);
    g_assert_cmpstr (described, ==, connects[i].described);
  }
}

static void
test_connect_refused (void)
{
  static const char *const texts[] = { "", "host-b", "xen+tcp://host-b:99999/system", "://x" };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_auto (XfConnectUri) uri = { 0 };
    g_autoptr (GError) error = NULL;

    g_test_message ("%s", texts[i]);
    g_assert_false (xf_connect_uri_parse (texts[i], &uri, &error));
    g_assert_error (error, XF_ERROR, XF_ERROR_INVALID_ARG);
  }
}

static void
test_host (void)
{
  static const char *const own[] = { "localhost", "LOCALHOST", "127.0.0.1", "127.0.1.1", "::1", "0.0.0.0", "::" };
  static const char *const others[] = { "host-b", "192.0.2.1", "2001:db8::1", "localhost.example", "127.example" };

  for (gsize i = 0; i < G_N_ELEMENTS (own); i++) {
    g_assert_true (xf_migrate_host_is_loopback (own[i]));
    g_assert_cmpstr (xf_migrate_host_choose (own[i], "host-b"), ==, "host-b");
    g_assert_cmpstr (xf_migrate_host_choose (own[i], "127.0.0.2"), ==, own[i]);
    g_assert_cmpstr (xf_migrate_host_choose (own[i], NULL), ==, own[i]);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (others); i++) {
    g_assert_false (xf_migrate_host_is_loopback (others[i]));
    g_assert_cmpstr (xf_migrate_host_choose (others[i], "host-c"), ==, others[i]);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/migrate-uri/accepted", test_accepted);
  g_test_add_func ("/migrate-uri/refused", test_refused);
  g_test_add_func ("/migrate-uri/formatted", test_formatted);
  g_test_add_func ("/migrate-uri/host", test_host);
  g_test_add_func ("/connect-uri/accepted", test_connect);
  g_test_add_func ("/connect-uri/refused", test_connect_refused);
  return g_test_run ();
}
