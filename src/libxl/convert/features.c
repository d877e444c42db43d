/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Hosts' feature words: read, compared, intersected; and what a guest sees of them.
 */
#include "libxl/convert/features_private.h"

#include <string.h>

#include "base/error.h"

/* Bounds of a peer's text. The longest that is known has 8 words. */
#define TEXT_MAX 1024
#define SHOWN_MAX 48

typedef enum { CAN_HVM = 1, CAN_PV = 2, CAN_HAP = 4, CAN_SHADOW = 8 } Abilities;

static const struct {
  const char *name;
  Abilities bit;
} abilities[] = { { "hvm", CAN_HVM }, { "pv", CAN_PV }, { "hap", CAN_HAP }, { "shadow", CAN_SHADOW } };

typedef struct {
  guint32 words[XF_FEATURE_WORDS];
  guint n; /* of them that are known */
  guint can;
  gboolean says_can; /* it is known what this Xen can do */
} Host;

/* What counts of a guest's configuration. */
typedef struct {
  gboolean pv;
  gboolean no_hap;
  XfFeaturePolicy policy;
} Guest;

/* In a policy: another option of libxl makes the guest see the feature. */
#define BY_OPTION 'o'

/* A guest on a host. */
typedef struct {
  const Guest *guest;
  const Host *host;
} View;

/* ---- the text --------------------------------------------------------------------------------------------- */

static char *
write_host (const Host *host)
{
  GString *text = g_string_new (NULL);
  const char *separator = ":";

  for (guint i = 0; i < host->n; i++)
    g_string_append_printf (text, "%s%08x", i ? "-" : "", host->words[i]);
  if (host->says_can && !host->can)
    g_string_append_c (text, ':');
  for (gsize i = 0; host->says_can && i < G_N_ELEMENTS (abilities); i++) {
    if (!(host->can & abilities[i].bit))
      continue;
    g_string_append_printf (text, "%s%s", separator, abilities[i].name);
    separator = ",";
  }
  return g_string_free (text, FALSE);
}

char *
xf_features_of_physinfo (const libxl_physinfo *info)
{
  Host host = { .n = G_N_ELEMENTS (info->hw_cap), .says_can = TRUE };

  memcpy (host.words, info->hw_cap, sizeof (info->hw_cap));
  host.can = (info->cap_hvm ? CAN_HVM : 0) | (info->cap_pv ? CAN_PV : 0) | (info->cap_hap ? CAN_HAP : 0)
             | (info->cap_shadow ? CAN_SHADOW : 0);
  return write_host (&host);
}

char *
xf_features_of_host (libxl_ctx *ctx)
{
  libxl_physinfo info;
  char *text = NULL;

  libxl_physinfo_init (&info);
  if (libxl_get_physinfo (ctx, &info) == 0)
    text = xf_features_of_physinfo (&info);
  libxl_physinfo_dispose (&info);
  return text;
}

/* The text may be a peer's, so that it is shown escaped, and not all of it. */
static gboolean
malformed (const char *whose, const char *text, GError **error, const char *what)
{
  g_autofree char *start = g_strndup (text, SHOWN_MAX), *shown = g_strescape (start, NULL);

  g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "the CPU features of %s, '%s%s', are malformed: %s", whose, shown,
               strlen (text) > SHOWN_MAX ? "…" : "", what);
  return FALSE;
}

static gboolean
parse_word (const char *text, guint32 *word_out)
{
  gsize length = strlen (text);

  *word_out = g_ascii_strtoull (text, NULL, 16);
  return length >= 1 && length <= 8 && strspn (text, "0123456789abcdefABCDEF") == length;
}

static gboolean
parse_abilities (const char *text, Host *host)
{
  g_auto (GStrv) names = g_strsplit (text, ",", -1);

  host->says_can = TRUE;
  for (char **name = names; *name; name++) {
    if (!**name || strspn (*name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen (*name))
      return FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS (abilities); i++) {
      if (g_str_equal (abilities[i].name, *name))
        host->can |= abilities[i].bit;
    }
  }
  return TRUE;
}

/* @whose: for errors, as in "the CPU features of the source". */
static gboolean
parse_host (const char *text, const char *whose, Host *host, GError **error)
{
  g_auto (GStrv) parts = NULL, words = NULL;

  memset (host, 0, sizeof (*host));
  if (strlen (text) > TEXT_MAX)
    return malformed (whose, text, error, "the text is too long");
  parts = g_strsplit (text, ":", 2);
  /* Of an empty text neither part is there. */
  words = g_strsplit (parts[0] ? parts[0] : "", "-", -1);
  if (!words[0])
    return malformed (whose, text, error, "there is no word");
  for (guint i = 0; words[i]; i++) {
    g_autofree char *what = g_strdup_printf ("word %u is not 1 to 8 hexadecimal digits", i + 1);
    guint32 word;

    if (!parse_word (words[i], &word))
      return malformed (whose, text, error, what);
    if (i < XF_FEATURE_WORDS)
      host->words[host->n++] = word;
  }
  if (parts[1] && !parse_abilities (parts[1], host))
    return malformed (whose, text, error, "what follows ':' is not a list of names");
  return TRUE;
}

/* ---- what a guest sees -------------------------------------------------------------------------------------- */

static gboolean
is_known (const Host *host, const XfFeatureRow *row)
{
  return row->word < host->n;
}

static gboolean
has_bit (const Host *host, const XfFeatureRow *row)
{
  return is_known (host, row) && host->words[row->word] >> row->bit & 1;
}

/* A Xen of which nothing is known can do everything. */
static gboolean
can (const Host *host, Abilities what)
{
  return !host->says_can || (host->can & what);
}

/* Also whether Xen there can offer the feature: to guests with shadow paging it offers less. */
static gboolean
offers (const Host *host, const XfFeatureRow *row)
{
  return has_bit (host, row) && (row->guests != XF_FEATURE_HAP || can (host, CAN_HAP));
}

static gboolean
lacks (const Host *host, const XfFeatureRow *row)
{
  return is_known (host, row) && !offers (host, row);
}

static gboolean
is_for (const Guest *guest, const XfFeatureRow *row)
{
  switch ((XfFeatureGuests)row->guests) {
  case XF_FEATURE_ALL:
    return TRUE;
  case XF_FEATURE_HVM:
    return !guest->pv;
  case XF_FEATURE_HAP:
    return !guest->pv && !guest->no_hap;
  case XF_FEATURE_NONE:
    break;
  }
  return FALSE;
}

static gboolean
is_asked_for (char said)
{
  return said == '1' || said == 'k' || said == 's' || said == BY_OPTION;
}

/* What Xen provides itself is there unless it is turned off. */
static gboolean
is_hidden (guint number, gpointer data)
{
  const View *view = data;
  const XfFeatureRow *row = xf_feature_by_number (number);

  if (view->guest->policy.said[number] == '0')
    return TRUE;
  if (row && !(row->flags & XF_FEATURE_OWN) && is_known (view->host, row) && !has_bit (view->host, row))
    return TRUE;
  return xf_feature_any_base (number, is_hidden, data);
}

static gboolean
is_seen (const Guest *guest, const Host *host, const XfFeatureRow *row)
{
  View view = { guest, host };
  guint number = xf_feature_number (row);

  return !(row->flags & XF_FEATURE_OWN) && is_for (guest, row) && offers (host, row) && !is_hidden (number, &view)
         && (!(row->flags & XF_FEATURE_ASKED) || is_asked_for (guest->policy.said[number]));
}

static gboolean
is_off (libxl_defbool value)
{
  return !libxl_defbool_is_default (value) && !libxl_defbool_val (value);
}

static gboolean
is_on (libxl_defbool value)
{
  return !libxl_defbool_is_default (value) && libxl_defbool_val (value);
}

/* Options of libxl that stand for a feature. */
static void
apply_options (const libxl_domain_config *config, Guest *guest)
{
  const libxl_domain_build_info *info = &config->b_info;

  for (gsize i = 0; i < xf_feature_n_rows; i++) {
    const XfFeatureRow *row = &xf_feature_rows[i];
    char *said = &guest->policy.said[xf_feature_number (row)];

    if (g_str_equal (row->name, "vmx") || g_str_equal (row->name, "svm"))
      /* Without the option Xen ignores what the list asks for. */
      *said = !is_on (info->nested_hvm) ? '0' : *said == 'x' ? '1' : *said;
    else if (g_str_equal (row->name, "pae") && info->type == LIBXL_DOMAIN_TYPE_HVM && is_off (info->u.hvm.pae))
      *said = '0';
    else if (g_str_equal (row->name, "invtsc") && *said == 'x' && info->tsc_mode == LIBXL_TSC_MODE_ALWAYS_EMULATE)
      *said = BY_OPTION;
  }
}

static gboolean
read_guest (const libxl_domain_config *config, Guest *guest, GError **error)
{
  guest->pv = config->c_info.type == LIBXL_DOMAIN_TYPE_PV;
  guest->no_hap = is_off (config->c_info.hap);
  if (!xf_feature_policy_read (&config->b_info.cpuid, &guest->policy)) {
    g_set_error (error, XF_ERROR, XF_ERROR_INTERNAL, "libxl cannot write the CPUID policy of '%s' as JSON",
                 config->c_info.name ? config->c_info.name : "?");
    return FALSE;
  }
  apply_options (config, guest);
  return TRUE;
}

/* ---- comparison --------------------------------------------------------------------------------------------- */

static void
add_abilities (const Host *host, const libxl_domain_config *config, const Guest *guest, GPtrArray *missing)
{
  if (guest->pv && !can (host, CAN_PV))
    g_ptr_array_add (missing, g_strdup ("pv"));
  if (!guest->pv && !can (host, CAN_HVM))
    g_ptr_array_add (missing, g_strdup ("hvm"));
  if (!guest->pv && is_on (config->c_info.hap) && !can (host, CAN_HAP))
    g_ptr_array_add (missing, g_strdup ("hap"));
}

GPtrArray *
xf_features_missing (const char *source_words, const char *destination_words, const libxl_domain_config *config,
                     GError **error)
{
  Host source, destination;
  GPtrArray *missing;
  Guest guest;

  if (!parse_host (source_words, "the source", &source, error)
      || !parse_host (destination_words, "the destination", &destination, error) || !read_guest (config, &guest, error))
    return NULL;
  missing = g_ptr_array_new_with_free_func (g_free);
  add_abilities (&destination, config, &guest, missing);
  for (gsize i = 0; i < xf_feature_n_rows; i++) {
    const XfFeatureRow *row = &xf_feature_rows[i];

    if (is_seen (&guest, &source, row) && lacks (&destination, row))
      g_ptr_array_add (missing, g_strdup (row->name));
  }
  return missing;
}

/* ---- a level ------------------------------------------------------------------------------------------------ */

char *
xf_features_baseline (const char *const *hosts, GError **error)
{
  Host level = { .n = XF_FEATURE_WORDS, .can = CAN_HVM | CAN_PV | CAN_HAP | CAN_SHADOW, .says_can = TRUE };

  if (!hosts[0]) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "no host is given, so there is no common CPU level");
    return NULL;
  }
  memset (level.words, 0xff, sizeof (level.words));
  for (guint i = 0; hosts[i]; i++) {
    g_autofree char *whose = g_strdup_printf ("host %u", i + 1);
    Host host;

    if (!parse_host (hosts[i], whose, &host, error))
      return NULL;
    level.n = MIN (level.n, host.n);
    for (guint word = 0; word < level.n; word++)
      level.words[word] &= host.words[word];
    level.can &= host.can;
    level.says_can = level.says_can && host.says_can;
  }
  return write_host (&level);
}

static gboolean
refuse_level (const libxl_domain_config *config, const XfFeatureRow *row, GError **error, const char *what)
{
  g_set_error (error, XF_ERROR, XF_ERROR_CONFIG_UNSUPPORTED,
               "domain '%s' cannot start with the CPU level: CPU feature '%s' is not in the level, and %s",
               config->c_info.name ? config->c_info.name : "?", row->name, what);
  return FALSE;
}

gboolean
xf_features_to_cpuid (const char *level, const char *host, libxl_domain_config *config, GError **error)
{
  Host wanted, here;
  Guest guest;

  if (!parse_host (level, "the level", &wanted, error) || !parse_host (host, "the host", &here, error)
      || !read_guest (config, &guest, error))
    return FALSE;
  for (gsize i = 0; i < xf_feature_n_rows; i++) {
    const XfFeatureRow *row = &xf_feature_rows[i];

    if (!is_seen (&guest, &here, row) || !lacks (&wanted, row))
      continue;
    if (strchr ("1ks", guest.policy.said[xf_feature_number (row)]))
      return refuse_level (config, row, error, "its configuration asks for it; change the configuration or the level");
    if (!xf_feature_policy_set (&config->b_info.cpuid, row, FALSE))
      return refuse_level (config, row, error, "this libxl cannot hide it");
  }
  return TRUE;
}

char *
xf_features_level_xml (const char *level, const char *host, GError **error)
{
  Host wanted, here = { .n = XF_FEATURE_WORDS };
  GString *xml;

  memset (here.words, 0xff, sizeof (here.words));
  if (!parse_host (level, "the level", &wanted, error) || (host && !parse_host (host, "the host", &here, error)))
    return NULL;
  xml = g_string_new ("<cpu mode='host-passthrough'>\n");
  for (gsize i = 0; i < xf_feature_n_rows; i++) {
    const XfFeatureRow *row = &xf_feature_rows[i];

    if (row->guests != XF_FEATURE_NONE && !row->flags && offers (&here, row) && lacks (&wanted, row))
      g_string_append_printf (xml, "  <feature policy='disable' name='%s'/>\n", row->name);
  }
  g_string_append (xml, "</cpu>\n");
  return g_string_free (xml, FALSE);
}
