/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Texts that would cost a parser much time are refused before it runs, quickly, with an error that names the reason.
 * Large but real texts are accepted.
 */
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "conf/cookie.h"
#include "conf/xml.h"
#include "conf/xml_bounds.h"
#include "libxl/convert/json_bounds.h"

static gint64
processor_ms (void)
{
  struct timespec now;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* @unit @n times between @begin and @end; each '#' in it is replaced by its number. */
static char *
repeat (const char *begin, const char *unit, guint n, const char *end)
{
  GString *text = g_string_new (begin);

  for (guint i = 0; i < n; i++) {
    for (const char *at = unit; *at; at++) {
      if (*at == '#')
        g_string_append_printf (text, "%u", i);
      else
        g_string_append_c (text, *at);
    }
  }
  g_string_append (text, end);
  return g_string_free (text, FALSE);
}

/* ---- XML -------------------------------------------------------------------------------------------------- */

static const struct {
  const char *begin, *unit;
  guint n;
  const char *end, *says;
} bombs[] = {
  { "<domain", " a#='1'", 150000, "/>", "attributes in one element" },
  { "<domain", " a# = \n'1'", 2000, "/>", "attributes in one element" },
  { "<domain><a b='<c", " a#='1'", 2000, "'/></domain>", "attributes in one element" },
  { "<domain>", "<a#/>", 60000, "</domain>", "tags" },
  { "<domain>", "<!---->", 60000, "</domain>", "tags" },
  { "<domain>", "<x a='1' b='2' c='3'/>", 20000, "</domain>", "attributes" },
  { "<domain>", "<x xmlns:a#='x'>", 600, "</domain>", "namespace declarations" },
  { "<domain>", "&amp;", 300000, "</domain>", "references" },
  { "<domain>", "0123456789", 500000, "</domain>", "larger than" },
  { "<domain>", "\xfc", 1, "</domain>", "UTF-8" },
};

static void
test_xml_bombs (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (bombs); i++) {
    g_autofree char *text = repeat (bombs[i].begin, bombs[i].unit, bombs[i].n, bombs[i].end);
    g_autoptr (GError) error = NULL;
    gint64 before = processor_ms ();

    g_assert_null (xf_xml_parse (text, strlen (text), "domain", "domain XML", &error));
    g_assert_cmpint (processor_ms () - before, <, 300);
    g_assert_error (error, XF_ERROR, XF_ERROR_XML);
    if (!strstr (error->message, bombs[i].says))
      g_error ("'%s' does not say '%s'", error->message, bombs[i].says);
  }
}

/* Texts at the limits. */
static void
test_xml_large (void)
{
  static const struct {
    const char *begin, *unit;
    guint n;
    const char *end;
  } large[] = {
    { "<domain", " a#='1'", 1000, "/>" },
    { "<domain>", "<disk type='file' device='disk'><a/></disk>", 12000, "</domain>" },
    { "<domain>", "<n:x xmlns:n='nova'/>", 500, "</domain>" },
    { "<domain>", "&amp;", 190000, "</domain>" },
    { "<domain>", "a = b = \"c\" ", 900, "</domain>" },
    { "<domain>\xc3\xbc", "x", 1, "</domain>" },
    { "<?xml version='1.0' encoding='UTF-8'?><domain>", "x", 1, "</domain>" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (large); i++) {
    g_autofree char *text = repeat (large[i].begin, large[i].unit, large[i].n, large[i].end);
    g_autoptr (GError) error = NULL;
    gint64 before = processor_ms ();
    g_autoptr (xmlDoc) doc = xf_xml_parse (text, strlen (text), "domain", "domain XML", &error);

    g_assert_no_error (error);
    g_assert_nonnull (doc);
    g_test_message ("%zu: %d ms", i, (int)(processor_ms () - before));
    g_assert_cmpint (processor_ms () - before, <, 500);
  }
}

/* In another encoding the bounds would be counted wrongly. */
static void
test_xml_encoding (void)
{
  static const char wide[] = "<\0d\0o\0m\0a\0i\0n\0/\0>\0";
  const char *said = "<?xml version='1.0' encoding='UTF-16'?><domain/>";
  g_autoptr (GError) error = NULL, second = NULL;
  g_autoptr (xmlDoc) doc = NULL;

  g_assert_null (xf_xml_parse (wide, sizeof (wide) - 1, "domain", "domain XML", &error));
  g_assert_nonnull (strstr (error->message, "UTF-8"));
  doc = xf_xml_parse (said, strlen (said), "domain", "domain XML", &second);
  g_assert_true (doc || second);
}

static void
test_cookie_bomb (void)
{
  g_autofree char *text = repeat ("<libxl-migration", " a#='1'", 150000, "/>");
  g_autoptr (GBytes) bytes = g_bytes_new (text, strlen (text) + 1);
  g_autoptr (GError) error = NULL;
  gint64 before = processor_ms ();

  g_assert_null (xf_cookie_parse (bytes, &error));
  g_assert_cmpint (processor_ms () - before, <, 300);
  g_assert_nonnull (strstr (error->message, "attributes in one element"));
}

/* ---- JSON ------------------------------------------------------------------------------------------------- */

static const struct {
  const char *begin, *unit;
  guint n;
  const char *end, *says;
} heavy[] = {
  { "{\"disks\":[{}", ",{}", 6000, "]}", "values" },
  { "{\"x\":[0", ",0", 9000, "]}", "values" },
  { "{\"x\":[\"\"", ",\"\"", 9000, "]}", "values" },
  { "{\"x\":[true", ",null", 20000, "]}", "values" },
  { "{\"a\":0", ",\"k#\":0", 1000, "}", "keys in one map" },
  { "", "[", 33, "", "levels" },
  { "", "{\"a\":", 9000, "", "levels" },
  { "{\"a\":\"", "0123456789", 150000, "\"}", "larger than" },
  { "{", "a", 1, "}", "well-formed" },
  { "{\"a\":", "1", 1, "", "well-formed" },
  { "", "", 0, "", "well-formed" },
};

static void
test_json_heavy (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (heavy); i++) {
    g_autofree char *text = repeat (heavy[i].begin, heavy[i].unit, heavy[i].n, heavy[i].end);
    g_autoptr (GError) error = NULL;

    g_assert_false (xf_json_check_bounds (text, &error));
    g_assert_error (error, XF_ERROR, XF_ERROR_XML);
    if (!strstr (error->message, heavy[i].says))
      g_error ("'%s' does not say '%s'", error->message, heavy[i].says);
  }
}

/* Every configuration in the test data, twenty times in one array. */
static void
test_json_real (void)
{
  g_autofree char *folder = g_build_filename (g_getenv ("XF_TEST_DATA"), "domain", NULL);
  g_autoptr (GDir) files = g_dir_open (folder, 0, NULL);
  guint n = 0;

  for (const char *name; (name = g_dir_read_name (files));) {
    g_autofree char *path = g_build_filename (folder, name, NULL), *text = NULL;
    g_autoptr (GString) all = g_string_new ("[");
    g_autoptr (GError) error = NULL;

    if (!g_str_has_suffix (name, ".json"))
      continue;
    g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
    for (guint i = 0; i < 20; i++)
      g_string_append_printf (all, "%s%s", i ? "," : "", text);
    g_string_append_c (all, ']');
    xf_json_check_bounds (all->str, &error);
    g_assert_no_error (error);
    n++;
  }
  g_assert_cmpuint (n, >, 5);
}

/* 128 vCPUs, each with an affinity of 36 CPUs. */
static void
test_json_affinity (void)
{
  g_autofree char *cpus = repeat ("0", ",#", 35, ""), *one = g_strdup_printf (",[%s]", cpus);
  GString *text = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  g_string_printf (text, "{\"b_info\":{\"vcpu_hard_affinity\":[[%s]", cpus);
  for (guint i = 1; i < 128; i++)
    g_string_append (text, one);
  g_string_append (text, "]}}");
  xf_json_check_bounds (text->str, &error);
  g_assert_no_error (error);
  g_string_free (text, TRUE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/bounds/xml-bombs", test_xml_bombs);
  g_test_add_func ("/bounds/xml-large", test_xml_large);
  g_test_add_func ("/bounds/xml-encoding", test_xml_encoding);
  g_test_add_func ("/bounds/cookie-bomb", test_cookie_bomb);
  g_test_add_func ("/bounds/json-heavy", test_json_heavy);
  g_test_add_func ("/bounds/json-real", test_json_real);
  g_test_add_func ("/bounds/json-affinity", test_json_affinity);
  return g_test_run ();
}
