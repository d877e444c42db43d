/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Definitions that other programs wrote into the daemon's directory: one that this driver cannot serve is listed, keeps
 * its name and uuid reserved, and its file stays unchanged until that guest is undefined.
 */
#include <glib/gstdio.h>
#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "host.h"

#define UUID "11111111-2222-3333-4444-555555555555"
#define KVM "<domain type='kvm'><name>r</name><uuid>" UUID "</uuid><memory>1024</memory><devices/></domain>"

static char *
path_of (Host *host, const char *file)
{
  return g_build_filename (host->dir, "etc", file, NULL);
}

static void
write_file (Host *host, const char *file, const char *text)
{
  g_autofree char *path = path_of (host, file);

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static gboolean
exists (Host *host, const char *file)
{
  g_autofree char *path = path_of (host, file);

  return g_file_test (path, G_FILE_TEST_EXISTS);
}

static void
assert_unchanged (Host *host, const char *file, const char *text)
{
  g_autofree char *path = path_of (host, file), *now = NULL;

  g_assert_true (g_file_get_contents (path, &now, NULL, NULL));
  g_assert_cmpstr (now, ==, text);
}

/* Each start of the daemon logs a warning for each such file. */
static void
restart (Host *host, guint warnings)
{
  for (guint i = 0; i < warnings; i++)
    g_test_expect_message ("xf-libxl", G_LOG_LEVEL_WARNING, "*etc/*.xml*");
  host_restart_driver (host);
  g_test_assert_expected_messages ();
}

static XfDomainRef *
define (Host *host, const char *name, const char *uuid, GError **error)
{
  guint8 bytes[XF_UUID_LENGTH];
  g_autofree char *xml = NULL;

  if (uuid)
    g_assert_true (xf_uuid_parse (uuid, bytes));
  xml = host_xml (name, uuid ? bytes : NULL, NULL);
  return xf_driver_domain_define (host->driver, xml, 0, error);
}

static void
assert_says (GError **error, const char *text)
{
  g_assert_nonnull (*error);
  if (!strstr ((*error)->message, text))
    g_error ("'%s' is not in '%s'", text, (*error)->message);
  g_clear_error (error);
}

static void
prepared (const XfMigrateResult *result, const GError *error, gpointer data)
{
  g_assert_null (result);
  *(GError **)data = g_error_copy (error);
}

static void
prepare (Host *host, const char *xml, GError **error)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();
  int client;

  xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_DEST_XML, xml);
  xf_driver_migrate_prepare (host->driver, &client, params, NULL, VIR_MIGRATE_LIVE, prepared, error);
  host_wait (*error != NULL);
}

/* No guest is started, received or defined with its name or uuid. */
static void
assert_reserved (Host *host, const char *name, const char *uuid, const char *reason)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (XfDomainRef) ref = xf_driver_lookup_name (host->driver, name, NULL);
  g_auto (GStrv) messages = NULL;
  g_autofree char *xml = NULL;
  guint8 bytes[XF_UUID_LENGTH];

  g_assert_nonnull (ref);
  g_assert_true (xf_uuid_parse (uuid, bytes));
  g_assert_true (xf_uuid_equal (ref->uuid, bytes));
  g_assert_cmpint (host_state (host, bytes, NULL), ==, VIR_DOMAIN_SHUTOFF);
  messages = xf_driver_domain_messages (host->driver, bytes, NULL);
  g_assert_nonnull (strstr (messages[0], reason));
  g_assert_false (host_start (host, bytes, 0, &error));
  assert_says (&error, reason);
  g_assert_null (define (host, name, uuid, &error));
  assert_says (&error, reason);
  g_assert_null (define (host, name, NULL, &error));
  assert_says (&error, reason);
  g_assert_null (define (host, "another", uuid, &error));
  assert_says (&error, reason);
  xml = host_xml (name, bytes, NULL);
  g_assert_false (host_create (host, xml, 0, &error));
  assert_says (&error, reason);
  prepare (host, xml, &error);
  assert_says (&error, reason);
  g_clear_pointer (&xml, g_free);
  xml = host_xml (name, NULL, NULL);
  prepare (host, xml, &error);
  assert_says (&error, reason);
  g_assert_cmpuint (host_count_domains (host), ==, 0);
}

static void
test_refused (void)
{
  Host *host = host_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (XfDomainRef) other = NULL, ref = NULL, again = NULL;
  g_autofree char *xml = NULL;

  write_file (host, "r.xml", KVM);
  restart (host, 1);
  assert_reserved (host, "r", UUID, "its type is not 'xen'");
  other = define (host, "o", NULL, &error);
  g_assert_no_error (error);
  g_assert_true (xf_driver_domain_undefine (host->driver, other->uuid, 0, NULL));
  assert_unchanged (host, "r.xml", KVM);
  restart (host, 1);
  assert_reserved (host, "r", UUID, "its type is not 'xen'");
  ref = xf_driver_lookup_name (host->driver, "r", NULL);
  xml = xf_driver_domain_xml (host->driver, ref->uuid, 0, NULL);
  g_assert_nonnull (strstr (xml, "type='kvm'"));
  g_assert_true (xf_driver_domain_undefine (host->driver, ref->uuid, 0, NULL));
  g_assert_false (exists (host, "r.xml"));
  again = define (host, "r", NULL, &error);
  g_assert_no_error (error);
  host_free (host);
}

/* A truncated file, one that is not XML, and one that cannot be read at all. */
static void
test_unreadable (void)
{
  static const char cut[] = "<domain type='xen'>\n  <name>a&amp;b</name>\n  <uuid>" UUID "</uuid>\n  <memory";
  Host *host = host_new ();
  g_autofree char *directory = path_of (host, "d.xml");
  char *uuids[2];

  write_file (host, "m.xml", cut);
  write_file (host, "n.xml", "rubbish\xff");
  g_assert_cmpint (g_mkdir (directory, 0700), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (uuids); i++) {
    g_autoptr (XfDomainRef) n = NULL, d = NULL;

    restart (host, 3);
    assert_reserved (host, "a&b", UUID, "malformed");
    n = xf_driver_lookup_name (host->driver, "n", NULL);
    uuids[i] = xf_uuid_to_string (n->uuid);
    assert_reserved (host, "n", uuids[i], "not in UTF-8");
    d = xf_driver_lookup_name (host->driver, "d", NULL);
    g_assert_false (xf_uuid_equal (n->uuid, d->uuid));
    g_assert_cmpuint (host_count_listed (host, 0), ==, 3);
  }
  g_assert_cmpstr (uuids[0], ==, uuids[1]);
  assert_unchanged (host, "m.xml", cut);
  g_assert_cmpint (g_rmdir (directory), ==, 0);
  g_free (uuids[0]);
  g_free (uuids[1]);
  host_free (host);
}

/* A file whose name is not its guest's: the guest is served; its file's name is reserved for it. */
static void
test_other_name (void)
{
  Host *host = host_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *xml = NULL, *old_link = path_of (host, "autostart/foo.xml"), *link = NULL;
  g_autoptr (XfDomainRef) bar = NULL, again = NULL, foo = NULL;
  guint8 uuid[XF_UUID_LENGTH];

  link = path_of (host, "autostart/bar.xml");
  g_assert_true (xf_uuid_parse (UUID, uuid));
  xml = host_xml ("bar", uuid, NULL);
  write_file (host, "foo.xml", xml);
  restart (host, 1);
  bar = xf_driver_lookup_name (host->driver, "bar", &error);
  g_assert_no_error (error);
  g_assert_true (host_start (host, uuid, 0, NULL));
  g_assert_true (host_destroy (host, uuid, NULL));
  g_assert_null (define (host, "foo", NULL, &error));
  assert_says (&error, "domain 'bar'");
  g_assert_true (xf_driver_domain_set_autostart (host->driver, uuid, TRUE, NULL));
  g_assert_true (g_file_test (old_link, G_FILE_TEST_IS_SYMLINK));
  assert_unchanged (host, "foo.xml", xml);
  again = define (host, "bar", UUID, &error);
  g_assert_no_error (error);
  g_assert_true (exists (host, "bar.xml") && !exists (host, "foo.xml"));
  g_assert_true (g_file_test (link, G_FILE_TEST_IS_SYMLINK) && !g_file_test (old_link, G_FILE_TEST_IS_SYMLINK));
  foo = define (host, "foo", NULL, &error);
  g_assert_no_error (error);
  restart (host, 0);
  g_assert_cmpuint (host_count_listed (host, VIR_CONNECT_LIST_DOMAINS_AUTOSTART), ==, 1);
  host_free (host);
}

/* As before, but the file that has the guest's name is a foreign one. */
static void
test_crossed (void)
{
  static const char theirs[] = "<domain type='kvm'><name>bar</name></domain>";
  Host *host = host_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *xml = NULL;
  guint8 uuid[XF_UUID_LENGTH];

  g_assert_true (xf_uuid_parse (UUID, uuid));
  xml = host_xml ("bar", uuid, NULL);
  write_file (host, "foo.xml", xml);
  write_file (host, "bar.xml", theirs);
  restart (host, 2);
  g_assert_cmpuint (host_count_listed (host, 0), ==, 2);
  g_assert_null (define (host, "bar", UUID, &error));
  assert_says (&error, "bar.xml");
  assert_unchanged (host, "bar.xml", theirs);
  assert_unchanged (host, "foo.xml", xml);
  g_assert_true (xf_driver_domain_undefine (host->driver, uuid, 0, NULL));
  g_assert_false (exists (host, "foo.xml"));
  assert_unchanged (host, "bar.xml", theirs);
  host_free (host);
}

/* Two files define the same guest: one is served, both stay. */
static void
test_twice (void)
{
  Host *host = host_new ();
  g_autofree char *xml = NULL;
  guint8 uuid[XF_UUID_LENGTH];

  g_assert_true (xf_uuid_parse (UUID, uuid));
  xml = host_xml ("g", uuid, NULL);
  write_file (host, "g.xml", xml);
  write_file (host, "copy.xml", xml);
  restart (host, 1);
  g_assert_cmpuint (host_count_listed (host, 0), ==, 2);
  g_assert_true (host_start (host, uuid, 0, NULL));
  g_assert_true (host_destroy (host, uuid, NULL));
  g_assert_true (xf_driver_domain_undefine (host->driver, uuid, 0, NULL));
  g_assert_false (exists (host, "g.xml"));
  assert_unchanged (host, "copy.xml", xml);
  host_free (host);
}

/* A file that was written after the daemon's start is not overwritten either. */
static void
test_new_file (void)
{
  Host *host = host_new ();
  g_autoptr (GError) error = NULL;

  write_file (host, "g.xml", "theirs");
  g_assert_null (define (host, "g", NULL, &error));
  assert_says (&error, "g.xml");
  assert_unchanged (host, "g.xml", "theirs");
  g_assert_cmpuint (host_count_listed (host, 0), ==, 0);
  host_free (host);
}

/* Domain-0 has no definition, and a file cannot give it one. */
static void
test_dom0 (void)
{
  Host *host = host_new ();
  g_autofree char *zero = host_xml ("z", (const guint8[XF_UUID_LENGTH]){ 0 }, NULL);

  write_file (host, "z.xml", zero);
  write_file (host, "Domain-0.xml", KVM);
  restart (host, 2);
  g_assert_cmpuint (host_count_listed (host, 0), ==, 2);
  assert_unchanged (host, "z.xml", zero);
  host_free (host);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/definitions/refused", test_refused);
  g_test_add_func ("/definitions/unreadable", test_unreadable);
  g_test_add_func ("/definitions/other-name", test_other_name);
  g_test_add_func ("/definitions/crossed", test_crossed);
  g_test_add_func ("/definitions/twice", test_twice);
  g_test_add_func ("/definitions/new-file", test_new_file);
  g_test_add_func ("/definitions/dom0", test_dom0);
  return g_test_run ();
}
