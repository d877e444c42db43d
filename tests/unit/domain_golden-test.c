/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests from files: each domain/NAME.in.xml becomes NAME.json (libxl's configuration) and NAME.out.xml (converted
 * back), and that XML becomes the same configuration again. Each refused/NAME.xml and senseless/NAME.xml ends with an
 * error that contains the text of NAME.error. With XF_TEST_REGENERATE=1 the results are written to the files instead of
 * compared.
 */
#include <string.h>

#include "base/error.h"
#include "libxl/convert/config.h"

typedef struct {
  char *in, *json, *out; /* or the error's text in out */
  int code;
} Case;

static void
case_free (gpointer data)
{
  Case *c = data;

  g_free (c->in);
  g_free (c->json);
  g_free (c->out);
  g_free (c);
}

static char *
read_file (const char *path)
{
  g_autoptr (GError) error = NULL;
  char *text = NULL;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}

static void
compare (const char *path, const char *text)
{
  g_autofree char *expected = NULL;
  g_autoptr (GError) error = NULL;

  if (g_getenv ("XF_TEST_REGENERATE")) {
    g_file_set_contents (path, text, -1, &error);
    g_assert_no_error (error);
    return;
  }
  expected = read_file (path);
  g_assert_cmpstr (text, ==, expected);
}

static XfDomainDef *
parse (const char *xml)
{
  g_autoptr (GError) error = NULL;
  XfDomainDef *def = xf_domain_def_parse (xml, XF_DOMAIN_PARSE_INACTIVE, &error);

  g_assert_no_error (error);
  return def;
}

static char *
json_of (const XfDomainDef *def, char **xml_back_out)
{
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  libxl_domain_config config;
  char *json;

  libxl_domain_config_init (&config);
  xf_config_from_def (def, &config, &error);
  g_assert_no_error (error);
  json = xf_config_to_json (&config, &error);
  g_assert_no_error (error);
  *xml_back_out = xf_config_to_xml (&config, notes);
  g_assert_cmpuint (notes->len, ==, 0);
  libxl_domain_config_dispose (&config);
  return json;
}

static void
test_domain (gconstpointer data)
{
  const Case *c = data;
  g_autofree char *in = read_file (c->in), *xml = NULL, *again = NULL, *json = NULL, *back = NULL;
  g_autofree char *json_again = NULL, *back_again = NULL, *copy_json = NULL, *copy_back = NULL, *copy_xml = NULL;
  g_autoptr (XfDomainDef) def = parse (in), def_again = NULL, def_back = NULL, copy = NULL;
  g_autoptr (GError) error = NULL;

  xml = xf_domain_def_format (def, XF_DOMAIN_FORMAT_SECURE, NULL);
  compare (c->out, xml);
  def_again = parse (xml);
  again = xf_domain_def_format (def_again, XF_DOMAIN_FORMAT_SECURE, NULL);
  g_assert_cmpstr (again, ==, xml);
  copy = xf_domain_def_copy (def);
  xf_domain_def_check_abi (def, copy, &error);
  g_assert_no_error (error);
  json = json_of (def, &back);
  compare (c->json, json);
  def_back = parse (back);
  json_again = json_of (def_back, &back_again);
  g_assert_cmpstr (json_again, ==, json);
  g_assert_cmpstr (back_again, ==, back);
  /* A copy is complete, and shares nothing with its original. */
  g_clear_pointer (&def, xf_domain_def_free);
  copy_json = json_of (copy, &copy_back);
  copy_xml = xf_domain_def_format (copy, XF_DOMAIN_FORMAT_SECURE, NULL);
  g_assert_cmpstr (copy_json, ==, json);
  g_assert_cmpstr (copy_xml, ==, xml);
}

/* Whichever byte changes: a definition that is still valid is converted to libxl and back, or refused. */
static void
test_mutations (gconstpointer data)
{
  static const char values[] = { '\'', ' ', '9', '-', ',', 'x', (char)0xc3 };
  g_autofree char *path = g_build_filename (g_getenv ("XF_TEST_DATA"), "domain", data, NULL), *in = read_file (path);
  gsize length = strlen (in);

  for (gsize at = 0; at < length; at++) {
    g_autofree char *mutant = g_strdup (in), *xml = NULL;
    g_autoptr (XfDomainDef) def = NULL;
    g_autoptr (GError) error = NULL;
    libxl_domain_config config;

    mutant[at] = values[at % G_N_ELEMENTS (values)];
    def = xf_domain_def_parse (mutant, XF_DOMAIN_PARSE_NONE, &error);
    libxl_domain_config_init (&config);
    if (def && xf_config_from_def (def, &config, &error))
      xml = xf_config_to_xml (&config, NULL);
    g_assert_true ((xml == NULL) == (error != NULL));
    libxl_domain_config_dispose (&config);
  }
}

/* Refused by the parser, or by the conversion to libxl. */
static void
test_refused (gconstpointer data)
{
  const Case *c = data;
  g_autofree char *in = read_file (c->in), *expected = read_file (c->out);
  g_autoptr (GError) error = NULL;
  g_autoptr (XfDomainDef) def = xf_domain_def_parse (in, XF_DOMAIN_PARSE_INACTIVE, &error);
  libxl_domain_config config;

  libxl_domain_config_init (&config);
  if (def)
    g_assert_false (xf_config_from_def (def, &config, &error));
  libxl_domain_config_dispose (&config);
  g_assert_error (error, XF_ERROR, c->code);
  g_strchomp (expected);
  if (!strstr (error->message, expected))
    g_error ("'%s' does not say '%s'", error->message, expected);
  /* An error names the guest if its name is known. */
  if (c->code == XF_ERROR_CONFIG_UNSUPPORTED)
    g_assert_nonnull (strstr (error->message, "domain 'g'"));
}

static void
add_case (const char *folder, const char *base, GTestDataFunc func, int code, const char *in, const char *out)
{
  Case *c = g_new0 (Case, 1);
  g_autofree char *path = g_strdup_printf ("/domain-golden/%s", base);

  c->in = g_strconcat (folder, "/", base, in, NULL);
  c->out = g_strconcat (folder, "/", base, out, NULL);
  c->json = g_strconcat (folder, "/", base, ".json", NULL);
  c->code = code;
  g_test_add_data_func_full (path, c, func, case_free);
}

static void
discover (const char *name, GTestDataFunc func, int code, const char *in, const char *out)
{
  g_autofree char *folder = g_build_filename (g_getenv ("XF_TEST_DATA"), name, NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *file;
  guint found = 0;

  g_assert_nonnull (dir);
  while ((file = g_dir_read_name (dir))) {
    g_autofree char *base = g_str_has_suffix (file, in) ? g_strndup (file, strlen (file) - strlen (in)) : NULL;

    if (!base)
      continue;
    add_case (folder, base, func, code, in, out);
    found++;
  }
  g_assert_cmpuint (found, >, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  discover ("domain", test_domain, 0, ".in.xml", ".out.xml");
  discover ("refused", test_refused, XF_ERROR_CONFIG_UNSUPPORTED, ".xml", ".error");
  discover ("senseless", test_refused, XF_ERROR_XML, ".xml", ".error");
  g_test_add_data_func ("/domain-golden/mutations/hvm", "hvm-bios.in.xml", test_mutations);
  g_test_add_data_func ("/domain-golden/mutations/pv", "pv-pins.in.xml", test_mutations);
  return g_test_run ();
}
