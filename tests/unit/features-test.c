/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * CPU features: the table against Xen's public header and against libxl, hosts compared, and guests pinned to a level.
 */
#include <libxl_utils.h>
#include <string.h>

#include "base/error.h"
#include "libxl/convert/config.h"
#include "libxl/convert/features.h"
#include "libxl/convert/features_private.h"

#define HEADER "/usr/include/xen/arch-x86/cpufeatureset.h"

/* A server of 2021, with AVX-512; and one of 2013, without it, without xsavec, xgetbv1, xsaves, pku and sha. */
#define NEW "bfebfbff-77fef3ff-2c100800-00000121-0000000f-f1bf07ab-00405f4e-00000100:hvm,pv,hap,shadow"
#define OLD "bfebfbff-77fef3ff-2c100800-00000021-00000001-000007ab-00000000-00000100:hvm,pv,hap"

static void
config_init (libxl_domain_config *config, libxl_domain_type type)
{
  libxl_domain_config_init (config);
  config->c_info.type = type;
  config->c_info.name = strdup ("g");
  libxl_domain_build_info_init_type (&config->b_info, type);
}

static void
tell (libxl_domain_config *config, const char *setting)
{
  g_assert_cmpint (libxl_cpuid_parse_config (&config->b_info.cpuid, setting), ==, 0);
}

/* The missing features joined by blanks. */
static char *
missing (const char *source, const char *destination, const libxl_domain_config *config)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) names = xf_features_missing (source, destination, config, &error);

  g_assert_no_error (error);
  g_ptr_array_add (names, NULL);
  return g_strjoinv (" ", (char **)names->pdata);
}

static void
assert_missing (const char *source, const char *destination, const libxl_domain_config *config, const char *expected)
{
  g_autofree char *names = missing (source, destination, config);

  g_assert_cmpstr (names, ==, expected);
}

static gboolean
has_name (const char *names, const char *name)
{
  g_auto (GStrv) list = g_strsplit (names, " ", -1);

  return g_strv_contains ((const char *const *)list, name);
}

/* ---- the table ---------------------------------------------------------------------------------------------- */

/* The header's letter for a row; Xen's own features have '!' too. */
static char
letter_of (const XfFeatureRow *row)
{
  static const char letters[] = {
    [XF_FEATURE_NONE] = '\0', [XF_FEATURE_HAP] = 'H', [XF_FEATURE_HVM] = 'S', [XF_FEATURE_ALL] = 'A'
  };
  char letter = letters[row->guests];

  return row->flags & XF_FEATURE_ASKED ? g_ascii_tolower (letter) : letter;
}

static void
test_header (void)
{
  /* Special for Xen, but the guest sees what the hardware has. */
  static const char *const special[] = { "rdrand", "hle", "rtm", "clwb", "srso-us-no", NULL };
  g_autofree char *text = NULL;
  g_autoptr (GRegex) regex = g_regex_new ("^XEN_CPUFEATURE\\((\\w+), *(\\d+)\\*32\\+ *(\\d+)\\) */\\*(\\S*) ",
                                          G_REGEX_MULTILINE, 0, NULL);
  g_autoptr (GMatchInfo) match = NULL;
  guint n = 0;

  if (!g_file_get_contents (HEADER, &text, NULL, NULL)) {
    g_test_skip ("Xen's headers are not in " HEADER);
    return;
  }
  for (g_regex_match (regex, text, 0, &match); g_match_info_matches (match); g_match_info_next (match, NULL)) {
    g_autofree char *word = g_match_info_fetch (match, 2), *bit = g_match_info_fetch (match, 3);
    g_autofree char *attributes = g_match_info_fetch (match, 4), *name = g_match_info_fetch (match, 1);
    guint number = g_ascii_strtoull (word, NULL, 10) * 32 + g_ascii_strtoull (bit, NULL, 10);
    const XfFeatureRow *row = xf_feature_by_number (number);
    gboolean marked = strchr (attributes, '!') != NULL;
    char letter = '\0';

    if (number >= XF_FEATURE_BITS)
      continue;
    if (!row)
      g_error ("%s (%u) is not in the table", name, number);
    for (const char *at = attributes; *at; at++)
      letter = *at == '!' ? letter : *at;
    if (letter_of (row) != letter)
      g_error ("%s is '%s' in the header", row->name, attributes);
    /* no-lmsl is provided by Xen, and not marked. */
    if (row->flags & XF_FEATURE_OWN ? !marked && !g_str_equal (row->name, "no-lmsl")
                                    : marked && !g_strv_contains (special, row->name))
      g_error ("%s is '%s' in the header", row->name, attributes);
    n++;
  }
  g_assert_cmpuint (n, ==, xf_feature_n_rows);
}

/* libxl understands every name as the feature that the table means, off and on, also by the name of domain XML. */
static void
test_names (void)
{
  for (gsize i = 0; i < xf_feature_n_rows; i++) {
    const XfFeatureRow *row = &xf_feature_rows[i];

    for (int on = 0; on < 2; on++) {
      libxl_cpuid_policy_list list = NULL, by_name = NULL;
      XfFeaturePolicy policy;

      g_assert_true (xf_feature_policy_set (&list, row, on));
      g_assert_true (xf_features_set (&by_name, row->name, on));
      for (int k = 0; k < 2; k++) {
        g_assert_true (xf_feature_policy_read (k ? &by_name : &list, &policy));
        g_assert_false (policy.more);
        for (guint number = 0; number < XF_FEATURE_BITS; number++) {
          char expected = number != xf_feature_number (row) ? 'x' : on ? '1' : '0';

          if (policy.said[number] != expected)
            g_error ("%s=%d: bit %u is '%c'", row->name, on, number, policy.said[number]);
        }
      }
      libxl_cpuid_dispose (&list);
      libxl_cpuid_dispose (&by_name);
    }
    for (gsize k = 0; k < i; k++)
      g_assert_cmpstr (row->name, !=, xf_feature_rows[k].name);
    g_assert_true (i == 0 || xf_feature_number (row) > xf_feature_number (row - 1));
  }
}

static void
test_no_names (void)
{
  static const char *const none[] = {
    "family",    "stepping", "maxleaf",    "host",
    "",          "avx=1",    "avx2,x",     "AVX2",
    "proccount", "rdcl-no",  "frobnicate", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  };
  libxl_cpuid_policy_list list = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (none); i++) {
    if (xf_features_set (&list, none[i], FALSE))
      g_error ("'%s' is a feature", none[i]);
  }
  g_assert_cmpint (libxl_cpuid_policy_list_length (&list), ==, 0);
  /* libxl's names, too. */
  g_assert_true (xf_features_set (&list, "sse3", FALSE));
  g_assert_true (xf_features_set (&list, "sysenter", FALSE));
  libxl_cpuid_dispose (&list);
}

/* ---- comparison --------------------------------------------------------------------------------------------- */

static void
test_physinfo (void)
{
  g_autofree char *text = NULL, *none = NULL;
  libxl_physinfo info;

  libxl_physinfo_init (&info);
  for (guint i = 0; i < G_N_ELEMENTS (info.hw_cap); i++)
    info.hw_cap[i] = i * 0x11111111u;
  info.cap_hvm = info.cap_shadow = true;
  text = xf_features_of_physinfo (&info);
  g_assert_cmpstr (text, ==, "00000000-11111111-22222222-33333333-44444444-55555555-66666666-77777777:hvm,shadow");
  info.cap_hvm = info.cap_shadow = false;
  none = xf_features_of_physinfo (&info);
  g_assert_cmpstr (none, ==, "00000000-11111111-22222222-33333333-44444444-55555555-66666666-77777777:");
}

static void
test_types (void)
{
  libxl_domain_config pv, pvh, hvm;
  g_autofree char *names = NULL, *hvm_names = NULL;

  config_init (&pv, LIBXL_DOMAIN_TYPE_PV);
  config_init (&pvh, LIBXL_DOMAIN_TYPE_PVH);
  config_init (&hvm, LIBXL_DOMAIN_TYPE_HVM);
  assert_missing (NEW, NEW, &hvm, "");
  assert_missing (OLD, NEW, &hvm, "");
  assert_missing (NEW, OLD, &pv,
                  "3dnowprefetch xsavec xgetbv1 avx512f avx512dq rdseed adx avx512-ifma clflushopt clwb avx512cd sha "
                  "avx512bw avx512vl avx512-vbmi avx512-vbmi2 gfni vaes vpclmulqdq avx512-vnni avx512-bitalg "
                  "avx512-vpopcntdq rdpid");
  names = missing (NEW, OLD, &pvh);
  hvm_names = missing (NEW, OLD, &hvm);
  g_assert_cmpstr (names, ==, hvm_names);
  /* Only HVM and PVH guests see these. */
  g_assert_true (has_name (names, "xsaves") && has_name (names, "smap") && has_name (names, "umip")
                 && has_name (names, "pku"));
  libxl_domain_config_dispose (&pv);
  libxl_domain_config_dispose (&pvh);
  libxl_domain_config_dispose (&hvm);
}

/* Each feature alone: every other bit is the same on both hosts. */
static void
test_each (void)
{
  libxl_domain_config pv, hvm;

  config_init (&pv, LIBXL_DOMAIN_TYPE_PV);
  config_init (&hvm, LIBXL_DOMAIN_TYPE_HVM);
  for (gsize i = 0; i < xf_feature_n_rows; i++) {
    const XfFeatureRow *row = &xf_feature_rows[i];
    gboolean counts = !(row->flags & (XF_FEATURE_OWN | XF_FEATURE_ASKED));
    GString *all = g_string_new (NULL), *without = g_string_new (NULL);

    for (guint word = 0; word < XF_FEATURE_WORDS; word++) {
      g_string_append_printf (all, "%sffffffff", word ? "-" : "");
      g_string_append_printf (without, "%s%x", word ? "-" : "", word == row->word ? ~(1u << row->bit) : ~0u);
    }
    assert_missing (all->str, without->str, &pv, counts && row->guests == XF_FEATURE_ALL ? row->name : "");
    assert_missing (all->str, without->str, &hvm, counts && row->guests != XF_FEATURE_NONE ? row->name : "");
    assert_missing (without->str, all->str, &hvm, "");
    g_string_free (all, TRUE);
    g_string_free (without, TRUE);
  }
  libxl_domain_config_dispose (&pv);
  libxl_domain_config_dispose (&hvm);
}

#define WORD_1(word) "bfebfbff-" word "-2c100800-00000121-0000000f-f1bf07ab-00405f4e-00000100"

static void
test_settings (void)
{
  libxl_domain_config config;
  g_autofree char *without_avx = NULL;

  config_init (&config, LIBXL_DOMAIN_TYPE_HVM);
  /* Off: neither it nor what is built on it is seen. */
  tell (&config, "xsave=0");
  without_avx = missing (NEW, OLD, &config);
  g_assert_false (has_name (without_avx, "xsavec") || has_name (without_avx, "avx512f")
                  || has_name (without_avx, "avx512bw") || has_name (without_avx, "avx512-vbmi")
                  || has_name (without_avx, "pku"));
  g_assert_true (has_name (without_avx, "sha") && has_name (without_avx, "rdseed"));
  libxl_domain_config_dispose (&config);

  /* Asked for: seen, if Xen ever offers it. f16c is bit 29 of word 1, movdiri bit 27 of word 6. */
  config_init (&config, LIBXL_DOMAIN_TYPE_HVM);
  assert_missing (WORD_1 ("77fef3ff"), WORD_1 ("57fef3ff"), &config, "f16c");
  tell (&config, "f16c=0");
  assert_missing (WORD_1 ("77fef3ff"), WORD_1 ("57fef3ff"), &config, "");
  tell (&config, "f16c=x");
  assert_missing (WORD_1 ("77fef3ff"), WORD_1 ("57fef3ff"), &config, "f16c");
  assert_missing ("0-0-0-0-0-0-08000000", "0-0-0-0-0-0-0", &config, "");
  for (const char *value = "1ks"; *value; value++) {
    g_autofree char *setting = g_strdup_printf ("movdiri=%c", *value);

    tell (&config, setting);
    assert_missing ("0-0-0-0-0-0-08000000", "0-0-0-0-0-0-0", &config, "movdiri");
    assert_missing ("0-0-0-0-0-0-0", "0-0-0-0-0-0-0", &config, "");
  }
  /* Xen never offers it: ds, bit 21 of word 0. */
  tell (&config, "ds=1");
  assert_missing ("00200000", "0", &config, "");
  libxl_domain_config_dispose (&config);
}

static void
test_options (void)
{
  libxl_domain_config config;

  config_init (&config, LIBXL_DOMAIN_TYPE_HVM);
  /* vmx is bit 5 of word 1. Without nested_hvm Xen hides it, also if the list asks for it. */
  tell (&config, "vmx=1");
  assert_missing ("0-20", "0-0", &config, "");
  libxl_defbool_set (&config.b_info.nested_hvm, true);
  assert_missing ("0-20", "0-0", &config, "vmx");
  tell (&config, "vmx=x");
  assert_missing ("0-20", "0-0", &config, "vmx");
  tell (&config, "vmx=0");
  assert_missing ("0-20", "0-0", &config, "");
  /* invtsc is bit 8 of word 7, and built on tsc, bit 4 of word 0. */
  assert_missing ("10-0-0-0-0-0-0-100", "10-0-0-0-0-0-0-0", &config, "");
  config.b_info.tsc_mode = LIBXL_TSC_MODE_ALWAYS_EMULATE;
  assert_missing ("10-0-0-0-0-0-0-100", "10-0-0-0-0-0-0-0", &config, "invtsc");
  assert_missing ("0-0-0-0-0-0-0-100", "10-0-0-0-0-0-0-0", &config, "");
  tell (&config, "invtsc=0");
  assert_missing ("10-0-0-0-0-0-0-100", "10-0-0-0-0-0-0-0", &config, "");
  /* nx, bit 20 of word 2, is built on pae, bit 6 of word 0. */
  assert_missing ("40-0-100000", "40-0-0", &config, "nx");
  libxl_defbool_set (&config.b_info.u.hvm.pae, false);
  assert_missing ("40-0-100000", "40-0-0", &config, "");
  libxl_domain_config_dispose (&config);
}

#define BASE "bfebfbff"

/* pcid, bit 17 of word 1, is only for guests with HAP. It is built on features of word 0. */
static void
test_hap (void)
{
  libxl_domain_config config;

  config_init (&config, LIBXL_DOMAIN_TYPE_HVM);
  assert_missing (BASE "-20000:hvm,hap", BASE "-0:hvm,hap", &config, "pcid");
  assert_missing (BASE "-20000", BASE "-0", &config, "pcid");
  assert_missing (BASE "-20000:hvm,shadow", BASE "-0:hvm,hap", &config, "");
  assert_missing (BASE "-20000:hvm,hap", BASE "-20000:hvm,shadow", &config, "pcid");
  assert_missing (BASE "-20000:hvm,hap", BASE "-20000", &config, "");
  libxl_defbool_set (&config.c_info.hap, true);
  assert_missing (BASE "-20000:hvm,hap", BASE "-20000:hvm,shadow", &config, "hap pcid");
  libxl_defbool_set (&config.c_info.hap, false);
  assert_missing (BASE "-20000:hvm,hap", BASE "-0:hvm,shadow", &config, "");
  assert_missing (BASE ":hvm,hap", BASE ":pv", &config, "hvm");
  libxl_domain_config_dispose (&config);
  config_init (&config, LIBXL_DOMAIN_TYPE_PV);
  assert_missing (BASE "-20000:pv,hap", BASE "-0:", &config, "pv");
  assert_missing (BASE "-20000:pv,hap", BASE "-0", &config, "");
  libxl_domain_config_dispose (&config);
}

static void
test_lengths (void)
{
  libxl_domain_config config;

  config_init (&config, LIBXL_DOMAIN_TYPE_PV);
  /* What one of the two does not say is not missing. */
  assert_missing (NEW, "bfebfbff", &config, "");
  assert_missing (NEW, "bfebfbff-0-2c100800:hvm,pv,new_ability,hap", &config,
                  "pni pclmuldq ssse3 fma cx16 sse4.1 sse4.2 movbe popcnt aes xsave avx f16c rdrand");
  assert_missing ("bfebfbff", OLD, &config, "");
  assert_missing ("FFFFFFFF-ffffffff-f-f-f-f-f-f-f-f-f-f-f-f-f-f-f-f-f", "ffffffff-fffffffe", &config, "pni");
  libxl_domain_config_dispose (&config);
}

static void
test_malformed (void)
{
  static const struct {
    const char *text, *says;
  } bad[] = {
    { "", "'', are malformed: there is no word" },
    { ":hvm", "there is no word" },
    { "-", "word 1 is not" },
    { "12345678-", "word 2 is not" },
    { "123456789", "word 1 is not" },
    { "0-0x1", "word 2 is not" },
    { "0- 1", "word 2 is not" },
    { "0-+1", "word 2 is not" },
    { "0--1", "word 2 is not" },
    { "0-1\n", "'0-1\\n', are malformed: word 2 is not" },
    { "0:hvm,", "what follows ':'" },
    { "0:HVM", "what follows ':'" },
    { "0:hvm:pv", "what follows ':'" },
    { "0:hvm pv", "what follows ':'" },
    { "\377\376", "'\\377\\376', are malformed" },
  };
  libxl_domain_config config;
  GString *large = g_string_new ("0");

  config_init (&config, LIBXL_DOMAIN_TYPE_PV);
  for (guint i = 0; i < 100000; i++)
    g_string_append (large, "-0");
  for (gsize i = 0; i <= G_N_ELEMENTS (bad); i++) {
    const char *text = i < G_N_ELEMENTS (bad) ? bad[i].text : large->str;
    const char *says = i < G_N_ELEMENTS (bad) ? bad[i].says : "too long", *hosts[] = { "0", text, NULL };
    g_autoptr (GError) source = NULL, destination = NULL, baseline = NULL, xml = NULL, xml_host = NULL, level = NULL;

    g_assert_null (xf_features_missing (text, "0", &config, &source));
    g_assert_error (source, XF_ERROR, XF_ERROR_INVALID_ARG);
    if (!strstr (source->message, "of the source, ") || !strstr (source->message, says))
      g_error ("'%s' does not say '%s'", source->message, says);
    g_assert_cmpuint (strlen (source->message), <, 400);
    g_assert_null (xf_features_missing ("0", text, &config, &destination));
    g_assert_nonnull (strstr (destination->message, "of the destination, "));
    g_assert_null (xf_features_baseline (hosts, &baseline));
    g_assert_nonnull (strstr (baseline->message, "of host 2, "));
    g_assert_null (xf_features_level_xml (text, NULL, &xml));
    g_assert_nonnull (strstr (xml->message, "of the level, "));
    g_assert_null (xf_features_level_xml ("0", text, &xml_host));
    g_assert_nonnull (strstr (xml_host->message, "of the host, "));
    g_assert_false (xf_features_to_cpuid (text, "0", &config, &level));
    g_assert_nonnull (strstr (level->message, "of the level, "));
  }
  libxl_domain_config_dispose (&config);
  g_string_free (large, TRUE);
}

/* Whatever one byte becomes: an answer or an error. */
static void
test_mutations (void)
{
  libxl_domain_config config;

  config_init (&config, LIBXL_DOMAIN_TYPE_HVM);
  for (gsize at = 0; at < strlen (NEW); at++) {
    for (int value = 1; value < 256; value++) {
      g_autofree char *mutant = g_strdup (NEW);
      g_autoptr (GError) error = NULL;
      g_autoptr (GPtrArray) names = NULL;

      mutant[at] = (char)value;
      names = xf_features_missing (mutant, OLD, &config, &error);
      g_assert_true ((names == NULL) == (error != NULL));
    }
  }
  libxl_domain_config_dispose (&config);
}

/* ---- a level ------------------------------------------------------------------------------------------------ */

static char *
baseline (const char *a, const char *b, const char *c)
{
  const char *hosts[] = { a, b, c, NULL };
  g_autoptr (GError) error = NULL;
  char *level = xf_features_baseline (hosts, &error);

  g_assert_no_error (error);
  return level;
}

static void
test_baseline (void)
{
  static const char *const nothing[] = { NULL };
  g_autofree char *same = baseline (NEW, NULL, NULL), *two = baseline (OLD, NEW, NULL),
                  *back = baseline (NEW, OLD, NULL);
  g_autofree char *three = baseline ("f-ff:pv,hap", "3-5-1:pv,hvm", "FFFFFFF1-4"),
                  *none = baseline ("1:pv", "1:hvm", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_cmpstr (same, ==, NEW);
  g_assert_cmpstr (two, ==, OLD);
  g_assert_cmpstr (back, ==, two);
  g_assert_cmpstr (three, ==, "00000001-00000004");
  g_assert_cmpstr (none, ==, "00000001:");
  g_assert_null (xf_features_baseline (nothing, &error));
  g_assert_error (error, XF_ERROR, XF_ERROR_INVALID_ARG);
}

/* A guest that starts at a level of both hosts lacks nothing on either, whatever its type and paging. */
static void
test_pin (void)
{
  static const libxl_domain_type types[] = { LIBXL_DOMAIN_TYPE_PV, LIBXL_DOMAIN_TYPE_PVH, LIBXL_DOMAIN_TYPE_HVM };
  g_autofree char *level = baseline (NEW, OLD, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (types) * 3; i++) {
    libxl_domain_config config;
    g_autoptr (GError) error = NULL;
    g_autofree char *before = NULL, *once = NULL, *twice = NULL;

    config_init (&config, types[i % 3]);
    if (i >= 3)
      libxl_defbool_set (&config.c_info.hap, i >= 6);
    tell (&config, "erms=0");
    before = missing (NEW, OLD, &config);
    g_assert_true (has_name (before, "avx512f"));
    g_assert_true (xf_features_to_cpuid (level, NEW, &config, &error));
    g_assert_no_error (error);
    assert_missing (NEW, OLD, &config, "");
    /* Only what was missing is hidden: a host that also lacks fsgsbase is too little. */
    assert_missing (NEW, "bfebfbff-77fef3ff-2c100800-00000121-0000000f-000007aa-0-0", &config, "fsgsbase");
    once = xf_config_to_json (&config, NULL);
    g_assert_true (xf_features_to_cpuid (level, NEW, &config, &error));
    twice = xf_config_to_json (&config, NULL);
    g_assert_cmpstr (once, ==, twice);
    libxl_domain_config_dispose (&config);
  }
}

static void
test_pin_nothing (void)
{
  libxl_domain_config config;
  g_autoptr (GError) error = NULL;

  config_init (&config, LIBXL_DOMAIN_TYPE_HVM);
  g_assert_true (xf_features_to_cpuid (NEW, OLD, &config, &error));
  g_assert_true (xf_features_to_cpuid (NEW, NEW, &config, &error));
  /* What the level does not say is left as it is. */
  g_assert_true (xf_features_to_cpuid ("ffffffff", NEW, &config, &error));
  g_assert_cmpint (libxl_cpuid_policy_list_length (&config.b_info.cpuid), ==, 0);
  libxl_domain_config_dispose (&config);
}

static void
test_pin_conflict (void)
{
  libxl_domain_config config;
  g_autoptr (GError) error = NULL, nested = NULL, none = NULL;

  config_init (&config, LIBXL_DOMAIN_TYPE_HVM);
  tell (&config, "avx512f=1");
  g_assert_false (xf_features_to_cpuid (OLD, NEW, &config, &error));
  g_assert_error (error, XF_ERROR, XF_ERROR_CONFIG_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "domain 'g'"));
  g_assert_nonnull (strstr (error->message, "'avx512f'"));
  libxl_domain_config_dispose (&config);

  config_init (&config, LIBXL_DOMAIN_TYPE_HVM);
  libxl_defbool_set (&config.b_info.nested_hvm, true);
  g_assert_false (xf_features_to_cpuid ("0-0", "0-20", &config, &nested));
  g_assert_nonnull (strstr (nested->message, "'vmx'"));
  libxl_domain_config_dispose (&config);

  /* The guest does not ask for it: it is turned off. */
  config_init (&config, LIBXL_DOMAIN_TYPE_HVM);
  config.b_info.tsc_mode = LIBXL_TSC_MODE_ALWAYS_EMULATE;
  g_assert_true (xf_features_to_cpuid ("10-0-0-0-0-0-0-0", "10-0-0-0-0-0-0-100", &config, &none));
  assert_missing ("10-0-0-0-0-0-0-100", "10-0-0-0-0-0-0-0", &config, "");
  libxl_domain_config_dispose (&config);
}

/* A whole guest with @cpu as libxl's configuration. */
static void
config_of_xml (const char *type, const char *cpu, libxl_domain_config *config)
{
  g_autofree char *xml = g_strdup_printf ("<domain type='xen'><name>g</name><memory>65536</memory>"
                                          "<os><type>%s</type><kernel>/k</kernel></os>%s</domain>",
                                          type, cpu);
  g_autoptr (GError) error = NULL;
  g_autoptr (XfDomainDef) def = xf_domain_def_parse (xml, XF_DOMAIN_PARSE_NONE, &error);

  g_assert_no_error (error);
  libxl_domain_config_init (config);
  xf_config_from_def (def, config, &error);
  g_assert_no_error (error);
}

/* The element does what its text promises, for every type, and comes back from libxl's configuration. */
static void
test_level_xml (void)
{
  static const char *const types[] = { "linux", "xenpvh", "hvm" };
  g_autofree char *xml = xf_features_level_xml (OLD, NEW, NULL), *all = xf_features_level_xml (OLD, NULL, NULL);
  g_autofree char *nothing = xf_features_level_xml (NEW, OLD, NULL);

  g_assert_cmpstr (nothing, ==, "<cpu mode='host-passthrough'>\n</cpu>\n");
  g_assert_nonnull (strstr (xml, "  <feature policy='disable' name='avx512f'/>\n"));
  /* Not on this host, but on others. */
  g_assert_null (strstr (xml, "'sse4a'"));
  g_assert_nonnull (strstr (all, "  <feature policy='disable' name='sse4a'/>\n"));
  for (gsize i = 0; i < G_N_ELEMENTS (types) * 2; i++) {
    libxl_domain_config config;
    g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
    g_autofree char *back = NULL;
    g_autoptr (GError) error = NULL;

    config_of_xml (types[i / 2], i % 2 ? all : xml, &config);
    assert_missing (NEW, OLD, &config, "");
    g_assert_true (xf_features_to_cpuid (OLD, NEW, &config, &error));
    back = xf_config_to_xml (&config, notes);
    g_assert_cmpuint (notes->len, ==, 0);
    g_assert_nonnull (strstr (back, "<feature policy='disable' name='avx512f'/>"));
    libxl_domain_config_dispose (&config);
  }
}

/* What XML cannot say of a policy is noted. */
static void
test_notes (void)
{
  static const char *const unsaid[] = { "avx2=k", "family=6", "vmx=1", "rdcl-no=0", "avx2=s" };

  for (gsize i = 0; i < G_N_ELEMENTS (unsaid); i++) {
    libxl_domain_config config;
    g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
    g_autofree char *xml = NULL;

    config_init (&config, LIBXL_DOMAIN_TYPE_HVM);
    tell (&config, unsaid[i]);
    xml = xf_config_to_xml (&config, notes);
    g_assert_cmpuint (notes->len, ==, 1);
    g_assert_nonnull (strstr (notes->pdata[0], "CPUID"));
    g_assert_null (strstr (xml, "<feature "));
    libxl_domain_config_dispose (&config);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/features/header", test_header);
  g_test_add_func ("/features/names", test_names);
  g_test_add_func ("/features/no-names", test_no_names);
  g_test_add_func ("/features/physinfo", test_physinfo);
  g_test_add_func ("/features/types", test_types);
  g_test_add_func ("/features/each", test_each);
  g_test_add_func ("/features/settings", test_settings);
  g_test_add_func ("/features/options", test_options);
  g_test_add_func ("/features/hap", test_hap);
  g_test_add_func ("/features/lengths", test_lengths);
  g_test_add_func ("/features/malformed", test_malformed);
  g_test_add_func ("/features/mutations", test_mutations);
  g_test_add_func ("/features/baseline", test_baseline);
  g_test_add_func ("/features/pin", test_pin);
  g_test_add_func ("/features/pin-nothing", test_pin_nothing);
  g_test_add_func ("/features/pin-conflict", test_pin_conflict);
  g_test_add_func ("/features/level-xml", test_level_xml);
  g_test_add_func ("/features/notes", test_notes);
  return g_test_run ();
}
