/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/cookie.h"

#include <string.h>

#include "base/error.h"

static const guint8 uuid[XF_UUID_SIZE] = { 0xc7, 0xa5, 0xfd, 0xb2, 0xcd, 0xaf, 0x94, 0x55,
                                           0x92, 0x6a, 0xd6, 0x5c, 0x16, 0xdb, 0x18, 0x09 };
static const guint8 id[XF_UUID_SIZE] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                         0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };

static char *
golden (const char *name)
{
  g_autofree char *path = g_build_filename (g_getenv ("XF_TEST_DATA"), "cookies", name, NULL);
  char *text = NULL;
  g_autoptr (GError) error = NULL;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}

/* On the wire the text ends with a NUL. */
static XfCookie *
parse (const char *text, GError **error)
{
  g_autoptr (GBytes) bytes = g_bytes_new (text, strlen (text) + 1);

  return xf_cookie_parse (bytes, error);
}

static XfCookie *
new_peer_cookie (void)
{
  XfCookie *cookie = xf_cookie_new ("g&1", uuid, "host-a");

  xf_cookie_set_peer (cookie, id);
  xf_cookie_add_feature (cookie, "guard", XF_FEATURE_OPTIONAL);
  xf_cookie_add_feature (cookie, "zstd", XF_FEATURE_OFFERED);
  xf_cookie_add_feature (cookie, "tls", XF_FEATURE_REQUIRED);
  return cookie;
}

static void
assert_writes (const XfCookie *cookie, const char *name)
{
  g_autoptr (GBytes) bytes = xf_cookie_format (cookie);
  g_autofree char *expected = golden (name);

  g_assert_cmpstr (g_bytes_get_data (bytes, NULL), ==, expected);
  g_assert_cmpuint (g_bytes_get_size (bytes), ==, strlen (expected) + 1);
}

static void
test_written (void)
{
  g_autoptr (XfCookie) plain = xf_cookie_new ("g1", uuid, "host-a"), peer = new_peer_cookie ();

  assert_writes (plain, "libvirtd-9.0.xml");
  assert_writes (peer, "xenferry.xml");
}

static void
test_libvirtd (void)
{
  g_autofree char *text = golden ("libvirtd-9.0.xml");
  g_autoptr (GError) error = NULL;
  g_autoptr (XfCookie) cookie = parse (text, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (cookie->name, ==, "g1");
  g_assert_cmpmem (cookie->uuid, XF_UUID_SIZE, uuid, XF_UUID_SIZE);
  g_assert_cmpstr (cookie->hostname, ==, "host-a");
  g_assert_cmpuint (cookie->stream_version, ==, 2);
  g_assert_false (cookie->is_xenferry);
}

static void
test_peer (void)
{
  static const char *const known[] = { "zstd", "tls", NULL }, *const others[] = { "guard", NULL };
  g_autofree char *text = golden ("xenferry.xml");
  g_autoptr (GError) error = NULL;
  g_autoptr (XfCookie) cookie = parse (text, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (cookie->name, ==, "g&1");
  g_assert_true (cookie->is_xenferry);
  g_assert_cmpmem (cookie->id, XF_UUID_SIZE, id, XF_UUID_SIZE);
  g_assert_cmpuint (cookie->features->len, ==, 3);
  g_assert_cmpint (g_array_index (cookie->features, XfFeature, 2).need, ==, XF_FEATURE_REQUIRED);
  g_assert_true (xf_cookie_check_features (cookie, known, &error));
  g_assert_false (xf_cookie_check_features (cookie, others, &error));
  g_assert_error (error, XF_ERROR, XF_ERROR_OPERATION_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "host 'host-a' requires the migration feature 'tls'"));
}

/* Unknown parts of a newer peer's cookie are ignored. */
static void
test_newer_peer (void)
{
  static const char *const more[] = {
    "<libxl-migration",
    "<libxl-migration a='1'",
    "<name>",
    "<other xmlns='urn:x'><name>z</name></other>\n  <name>",
    "<xenferry:feature name='guard'",
    "<xenferry:later/><xenferry:feature later='1' name='guard'",
  };
  g_autofree char *text = golden ("xenferry.xml");
  g_autoptr (GError) error = NULL;
  g_autoptr (XfCookie) cookie = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (more); i += 2) {
    g_auto (GStrv) halves = g_strsplit (text, more[i], 2);

    g_free (text);
    text = g_strconcat (halves[0], more[i + 1], halves[1], NULL);
  }
  cookie = parse (text, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (cookie->name, ==, "g&1");
  g_assert_cmpuint (cookie->features->len, ==, 3);
}

/* The reason of a source that cancels: whatever characters it has, and however long it is, the cookie can be read. */
static void
test_cancelled (void)
{
  g_autoptr (XfCookie) cookie = new_peer_cookie (), read = NULL, long_one = new_peer_cookie (), read_long = NULL;
  g_autoptr (GBytes) bytes = NULL, long_bytes = NULL;
  g_autoptr (GError) error = NULL;

  cookie->cancelled = g_strdup ("migration of 'g' <failed> &\001\n\xff: it was aborted");
  bytes = xf_cookie_format (cookie);
  read = xf_cookie_parse (bytes, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (read->cancelled, ==, "migration of 'g' <failed> &\\x01\\x0a\\xff: it was aborted");
  long_one->cancelled = g_strnfill (1 << 20, 'x');
  long_bytes = xf_cookie_format (long_one);
  read_long = xf_cookie_parse (long_bytes, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (strlen (read_long->cancelled), ==, 2000);
}

static void
test_absent (void)
{
  g_autoptr (GBytes) empty = g_bytes_new (NULL, 0);
  g_autoptr (GError) error = NULL;

  g_assert_null (xf_cookie_parse (NULL, &error));
  g_assert_no_error (error);
  g_assert_null (xf_cookie_parse (empty, &error));
  g_assert_no_error (error);
}

#define UUID "<uuid>c7a5fdb2-cdaf-9455-926a-d65c16db1809</uuid>"
#define VERSION "<migration-stream-version>2</migration-stream-version>"
#define PEER(inner)                                                                                                    \
  "<libxl-migration><name>g</name>" UUID VERSION "<x:peer xmlns:x='https://xenferry.org/schema/migration/1.0'" inner   \
  "</x:peer></libxl-migration>"
#define ID " migration='00112233-4455-6677-8899-aabbccddeeff'>"

static const struct {
  const char *text, *message;
} refused[] = {
  { "", "malformed" },
  { "x", "malformed" },
  { "<libxl-migration/>", "missing name element" },
  { "<domain/>", "the root element is <domain>" },
  { "<libxl-migration>" UUID VERSION "</libxl-migration>", "missing name element" },
  { "<libxl-migration><name>g</name>" VERSION "</libxl-migration>", "malformed uuid element" },
  { "<libxl-migration><name>g</name><uuid>1</uuid>" VERSION "</libxl-migration>", "malformed uuid element" },
  { "<libxl-migration><name>g</name>" UUID "</libxl-migration>", "migration-stream-version" },
  { "<libxl-migration><name>g</name>" UUID "<migration-stream-version>x</migration-stream-version></libxl-migration>",
    "migration-stream-version" },
  { "<libxl-migration><name>g</name>" UUID "<migration-stream-version>3</migration-stream-version></libxl-migration>",
    "Xen migration stream version '3' is not supported on this host" },
  { "<!DOCTYPE a [<!ENTITY b 'c'>]><libxl-migration/>", "document type declaration" },
  { PEER ("> "), "migration id" },
  { PEER (" migration='1'> "), "migration id" },
  { PEER (ID "<x:feature need='offered'/>"), "a feature has no name" },
  { PEER (ID "<x:feature name='a' need='desired'/>"), "a feature's need" },
};

static void
test_refused (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (refused); i++) {
    g_autoptr (GError) error = NULL;

    g_test_message ("%s", refused[i].text);
    g_assert_null (parse (refused[i].text, &error));
    g_assert_nonnull (error);
    if (!strstr (error->message, refused[i].message))
      g_error ("'%s' does not say '%s'", error->message, refused[i].message);
  }
}

static void
test_termination (void)
{
  g_autofree char *text = golden ("libvirtd-9.0.xml");
  g_autoptr (GBytes) without = g_bytes_new (text, strlen (text));
  g_autoptr (GBytes) within = g_bytes_new ("<libxl-migration>\0</libxl-migration>", 36);
  GBytes *const cookies[] = { without, within };

  for (gsize i = 0; i < G_N_ELEMENTS (cookies); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_null (xf_cookie_parse (cookies[i], &error));
    g_assert_nonnull (strstr (error->message, "NULL terminated"));
  }
}

static void
test_bounds (void)
{
  GString *features = g_string_new (NULL);
  gsize large = 5 * 1024 * 1024;
  g_autofree char *many = NULL, *space = g_malloc (large);
  g_autoptr (GBytes) padded = NULL;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 100; i++)
    g_string_append (features, "<x:feature name='a' need='offered'/>");
  many = g_strconcat ("<libxl-migration><name>g</name>" UUID VERSION
                      "<x:peer xmlns:x='https://xenferry.org/schema/migration/1.0'" ID,
                      features->str, "</x:peer></libxl-migration>", NULL);
  g_string_free (features, TRUE);
  g_assert_null (parse (many, &error));
  g_assert_nonnull (strstr (error->message, "too many"));
  g_clear_error (&error);
  memset (space, ' ', large);
  space[large - 1] = '\0';
  padded = g_bytes_new_static (space, large);
  g_assert_null (xf_cookie_parse (padded, &error));
  g_assert_nonnull (strstr (error->message, "larger than"));
}

/* Whichever byte changes, the result is a complete cookie or an error. */
static void
test_mutations (void)
{
  static const guint8 values[] = { 0, '<', '>', '&', '\'', ' ', '9', 0x80, 0xff };
  g_autofree char *text = golden ("xenferry.xml");
  gsize length = strlen (text) + 1;

  for (gsize at = 0; at < length; at++) {
    for (gsize v = 0; v < G_N_ELEMENTS (values); v++) {
      g_autofree guint8 *copy = g_memdup2 (text, length);
      g_autoptr (GBytes) bytes = NULL;
      g_autoptr (GError) error = NULL;
      g_autoptr (XfCookie) cookie = NULL;

      copy[at] = values[v];
      bytes = g_bytes_new (copy, length);
      cookie = xf_cookie_parse (bytes, &error);
      g_assert_true ((cookie == NULL) == (error != NULL));
      if (cookie)
        g_assert_nonnull (cookie->name);
    }
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cookie/written", test_written);
  g_test_add_func ("/cookie/libvirtd", test_libvirtd);
  g_test_add_func ("/cookie/peer", test_peer);
  g_test_add_func ("/cookie/newer-peer", test_newer_peer);
  g_test_add_func ("/cookie/cancelled", test_cancelled);
  g_test_add_func ("/cookie/absent", test_absent);
  g_test_add_func ("/cookie/refused", test_refused);
  g_test_add_func ("/cookie/termination", test_termination);
  g_test_add_func ("/cookie/bounds", test_bounds);
  g_test_add_func ("/cookie/mutations", test_mutations);
  return g_test_run ();
}
