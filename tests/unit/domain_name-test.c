/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One list of names for each place that takes one: the check itself, the parser, a rename, and libxl's configuration.
 */
#include "conf/domain_name.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "libxl/convert/config.h"

#define UUID "c7a5fdb2-cdaf-9455-926a-d65c16db1809"

static const struct {
  const char *name, *why;
} refused[] = {
  { "", "empty" },
  { " ", "only blanks" },
  { " \u2003 ", "only blanks" },
  { ".", "a directory" },
  { "..", "a directory" },
  { "../victim", "'/'" },
  { "a/b", "'/'" },
  { "/", "'/'" },
  { "two\nlines", "control" },
  { "\r", "control" },
  { "tab\there", "control" },
  { "\033[2J", "control" },
  { "del\177", "control" },
  { "c1\xc2\x85", "control" },
  { "\uffff", "control" },
  { "\xff", "UTF-8" },
  { "cut\xc3", "UTF-8" },
  { "surrogate\xed\xa0\x80", "UTF-8" },
};

static const char *const allowed[] = {
  "g",    "...",   ".hidden",    "-", "a b", " blanks at both ends ", "a<b&c>'d'\"e\"", "\u00fc\u4e2d\U0001f600",
  "%s%n", "x.xml", "--incoming",
};

static XfDomainDef *
def_of (const char *name, GError **error)
{
  g_autofree char *xml = g_markup_printf_escaped ("<domain type='xen'><name>%s</name><uuid>" UUID
                                                  "</uuid><memory>1024</memory><os><type>linux</type></os></domain>",
                                                  name);

  return xf_domain_def_parse (xml, XF_DOMAIN_PARSE_INACTIVE, error);
}

static void
assert_refused (const GError *error, const char *why)
{
  g_assert_error (error, XF_ERROR, XF_ERROR_XML);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  if (!strstr (error->message, why))
    g_error ("'%s' is not in '%s'", why, error->message);
}

/* The parser may have another error text: XML cannot contain these characters. */
static void
test_refused (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (refused); i++) {
    g_autoptr (GError) error = NULL, parsed = NULL, set = NULL;
    g_autoptr (XfDomainDef) def = def_of ("g", NULL);

    g_assert_false (xf_domain_name_check (refused[i].name, &error));
    assert_refused (error, refused[i].why);
    g_assert_null (def_of (refused[i].name, &parsed));
    g_assert_error (parsed, XF_ERROR, XF_ERROR_XML);
    g_assert_false (xf_domain_def_set_name (def, refused[i].name, &set));
    assert_refused (set, refused[i].why);
    g_assert_cmpstr (def->name, ==, "g");
  }
}

static void
test_allowed (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (allowed); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (XfDomainDef) def = def_of (allowed[i], &error), other = def_of ("g", NULL), again = NULL;
    g_autofree char *xml = NULL;

    g_assert_no_error (error);
    g_assert_cmpstr (def->name, ==, allowed[i]);
    g_assert_true (xf_domain_def_set_name (other, allowed[i], NULL));
    xml = xf_domain_def_format (other, XF_DOMAIN_FORMAT_SECURE, NULL);
    again = xf_domain_def_parse (xml, XF_DOMAIN_PARSE_INACTIVE, &error);
    g_assert_no_error (error);
    g_assert_cmpstr (again->name, ==, allowed[i]);
  }
}

static void
test_length (void)
{
  g_autofree char *longest = g_strnfill (XF_DOMAIN_NAME_MAX, 'n'), *longer = g_strnfill (XF_DOMAIN_NAME_MAX + 1, 'n');
  g_autoptr (GError) error = NULL, null = NULL;

  g_assert_true (xf_domain_name_check (longest, NULL));
  g_assert_false (xf_domain_name_check (longer, &error));
  assert_refused (error, "longer than 240 bytes");
  g_assert_cmpuint (strlen (error->message), <, 200);
  g_assert_false (xf_domain_name_check (NULL, &null));
  assert_refused (null, "empty");
}

static char *
name_from_libxl (const char *name)
{
  libxl_domain_config config;
  g_autoptr (GError) error = NULL;
  g_autoptr (XfDomainDef) def = NULL;

  libxl_domain_config_init (&config);
  config.c_info.name = name ? strdup (name) : NULL;
  config.c_info.type = LIBXL_DOMAIN_TYPE_PV;
  g_assert_true (xf_uuid_parse (UUID, config.c_info.uuid.uuid));
  libxl_domain_build_info_init_type (&config.b_info, LIBXL_DOMAIN_TYPE_PV);
  config.b_info.max_memkb = 1024;
  def = xf_config_to_def (&config, NULL, &error);
  g_assert_no_error (error);
  libxl_domain_config_dispose (&config);
  return g_strdup (def->name);
}

/* xl accepts names that xenferry does not: such a guest gets its uuid as its name. */
static void
test_from_libxl (void)
{
  g_autofree char *none = name_from_libxl (NULL);

  g_assert_cmpstr (none, ==, UUID);
  for (gsize i = 0; i < G_N_ELEMENTS (refused); i++) {
    g_autofree char *name = name_from_libxl (refused[i].name);

    g_assert_cmpstr (name, ==, UUID);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (allowed); i++) {
    g_autofree char *name = name_from_libxl (allowed[i]);

    g_assert_cmpstr (name, ==, allowed[i]);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/domain-name/refused", test_refused);
  g_test_add_func ("/domain-name/allowed", test_allowed);
  g_test_add_func ("/domain-name/length", test_length);
  g_test_add_func ("/domain-name/from-libxl", test_from_libxl);
  return g_test_run ();
}
