/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/settings.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"

static void
test_defaults (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (XfSettings) settings = xf_settings_parse ("", "test", &error);

  g_assert_no_error (error);
  g_assert_cmpstr (settings->unix_sock, ==, "/run/libvirt/virtxend-sock");
  g_assert_cmpstr (settings->unix_sock_ro, ==, "/run/libvirt/virtxend-sock-ro");
  g_assert_true (settings->legacy_sockets);
  g_assert_false (settings->listen_tcp);
  g_assert_cmpuint (settings->tcp_port, ==, 16509);
  g_assert_null (settings->tcp_address);
  g_assert_cmpstr (settings->driver.config_dir, ==, "/etc/libvirt/libxl");
  g_assert_null (settings->driver.migration_host);
  g_assert_cmpuint (settings->driver.migration_port_min, ==, 49152);
  g_assert_cmpuint (settings->driver.migration_port_max, ==, 49215);
}

static void
test_values (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (XfSettings)
    settings = xf_settings_parse ("# a comment\n[xenferryd]\nsocket_dir = /tmp/s\nlisten_tcp=yes\ntcp_address = ::1\n"
                                  "tcp_port = 0\nlegacy_sockets = off\nmigration_host =  host-b  \nlog_level = debug\n",
                                  "test", &error);

  g_assert_no_error (error);
  g_assert_cmpstr (settings->unix_sock_ro, ==, "/tmp/s/virtxend-sock-ro");
  g_assert_true (settings->listen_tcp);
  g_assert_cmpstr (settings->tcp_address, ==, "::1");
  g_assert_cmpuint (settings->tcp_port, ==, 0);
  g_assert_false (settings->legacy_sockets);
  g_assert_cmpstr (settings->driver.migration_host, ==, "host-b");
  g_assert_cmpstr (settings->log_level, ==, "debug");
}

static const struct {
  const char *text, *message;
} refused[] = {
  { "[xenferryd]\n\nlisten_tpc = yes\n", "test: line 3: there is no setting 'listen_tpc'" },
  { "[xenferryd]\nlisten_tcp = perhaps\n", "test: line 2: listen_tcp: 'perhaps' is neither yes nor no" },
  { "[xenferryd]\ntcp_port = 65536\n", "test: line 2: tcp_port: '65536' is not a number from 0 to 65535" },
  { "[xenferryd]\nstate_dir = run\n", "test: line 2: state_dir: 'run' is not an absolute path" },
  { "[xenferryd]\nauth_tcp = sasl\n", "test: line 2: auth_tcp: 'sasl' is not served; possible: none" },
  { "[xenferryd]\nmigration_port_min = 60000\n", "test: migration_port_min 60000 is above migration_port_max 49215" },
  { "[libvirtd]\nlisten_tcp = yes\n", "test: there is no section [libvirtd], only [xenferryd]" },
};

static void
test_refused (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (refused); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (XfSettings) settings = xf_settings_parse (refused[i].text, "test", &error);

    g_assert_null (settings);
    g_assert_cmpstr (error->message, ==, refused[i].message);
  }
}

static void
test_named_file_must_exist (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (XfSettings) settings = xf_settings_load ("/nonexistent/xenferryd.conf", &error);

  g_assert_null (settings);
  g_assert_error (error, XF_ERROR, XF_ERROR_SYSTEM);
}

/* xf_settings_reload() writes one line for each setting that differs. */
static void
count_change (const char *domain, GLogLevelFlags level, const char *message, gpointer data)
{
  g_test_message ("%s", message);
  (*(guint *)data)++;
}

static guint
count_differences (XfSettings *settings, const XfSettings *other)
{
  guint n = 0;
  guint id = g_log_set_handler ("xf-daemon", G_LOG_LEVEL_MESSAGE, count_change, &n);

  xf_settings_reload (settings, other);
  g_log_remove_handler ("xf-daemon", id);
  return n;
}

/* The example file says that it shows the defaults: with the comment sign of each key removed it means the same as an
 * empty file. */
static void
test_example_file (void)
{
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GRegex) commented = g_regex_new ("^#(?=[a-z_]+ =)", G_REGEX_MULTILINE, 0, NULL);
  g_autofree char *active = NULL;
  g_autoptr (XfSettings) example = NULL, defaults = xf_settings_parse ("", "defaults", NULL);
  g_autoptr (XfSettings) other = xf_settings_parse ("[xenferryd]\nfinish_timeout = 61\n", "other", NULL);

  g_assert_true (g_file_get_contents (g_getenv ("EXAMPLE_FILE"), &text, NULL, &error));
  active = g_regex_replace_literal (commented, text, -1, 0, "", 0, &error);
  example = xf_settings_parse (active, "example", &error);
  g_assert_no_error (error);
  g_assert_nonnull (strstr (active, "\nconnect_timeout = 10\n"));
  g_assert_nonnull (strstr (active, "\ntcp_address =\n"));
  g_assert_cmpuint (count_differences (defaults, other), ==, 1);
  g_assert_cmpuint (count_differences (defaults, example), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/settings/defaults", test_defaults);
  g_test_add_func ("/settings/values", test_values);
  g_test_add_func ("/settings/refused", test_refused);
  g_test_add_func ("/settings/named-file-must-exist", test_named_file_must_exist);
  g_test_add_func ("/settings/example-file", test_example_file);
  return g_test_run ();
}
