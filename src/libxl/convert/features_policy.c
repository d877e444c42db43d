/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libxl's CPUID policy list, read and changed by the numbers of the table. Its structs are libxl's own: what is in a
 * list is read from the JSON that libxl writes of it. A register's text has 32 characters, the first for bit 31.
 *
 * A list may have a register twice. Xen's tools apply one after the other, each to the whole register, so the last
 * decides.
 */
#include "libxl/convert/features_private.h"

#include <string.h>

/* The header needs its includer to say which yajl there is. */
#define HAVE_YAJL_YAJL_VERSION_H 1
#include <libxl_json.h>
#include <yajl/yajl_gen.h>

#include "libxl/convert/tree.h"

#define REGISTER_BITS 32
#define NO_SUBLEAF -1
/* Of a name that is passed to libxl. */
#define NAME_MAX_LENGTH 32

/* Where CPUID has each word. */
static const struct {
  guint32 leaf;
  int subleaf;
  const char *reg;
} places[XF_FEATURE_WORDS] = {
  { 1, NO_SUBLEAF, "edx" },
  { 1, NO_SUBLEAF, "ecx" },
  { 0x80000001, NO_SUBLEAF, "edx" },
  { 0x80000001, NO_SUBLEAF, "ecx" },
  { 13, 1, "eax" },
  { 7, 0, "ebx" },
  { 7, 0, "ecx" },
  { 0x80000007, NO_SUBLEAF, "edx" },
  { 0x80000008, NO_SUBLEAF, "ebx" },
  { 7, 0, "edx" },
  { 7, 1, "eax" },
  { 0x80000021, NO_SUBLEAF, "eax" },
  { 7, 1, "ebx" },
  { 7, 2, "edx" },
  { 7, 1, "ecx" },
  { 7, 1, "edx" },
};

static gint64
number_of (yajl_val object, const char *member, gint64 otherwise)
{
  yajl_val value = xf_tree_member (object, member);

  return value && value->type == yajl_t_number ? g_ascii_strtoll (value->u.number.r, NULL, 10) : otherwise;
}

static int
word_of (yajl_val entry, const char *reg)
{
  gint64 leaf = number_of (entry, "leaf", -1), subleaf = number_of (entry, "subleaf", NO_SUBLEAF);

  for (int word = 0; word < XF_FEATURE_WORDS; word++) {
    if (places[word].leaf == leaf && places[word].subleaf == subleaf && strcmp (places[word].reg, reg) == 0)
      return word;
  }
  return -1;
}

static void
read_register (int word, const char *text, XfFeaturePolicy *policy)
{
  if (word < 0 || strlen (text) != REGISTER_BITS) {
    policy->more = policy->more || strspn (text, "x") != strlen (text);
    return;
  }
  for (int bit = 0; bit < REGISTER_BITS; bit++)
    policy->said[word * 32 + bit] = text[REGISTER_BITS - 1 - bit];
}

static void
read_entry (yajl_val entry, XfFeaturePolicy *policy)
{
  static const char *const registers[] = { "eax", "ebx", "ecx", "edx" };

  for (gsize i = 0; i < G_N_ELEMENTS (registers); i++) {
    yajl_val value = xf_tree_member (entry, registers[i]);

    if (value && value->type == yajl_t_string)
      read_register (word_of (entry, registers[i]), value->u.string, policy);
  }
}

/* Later libxl 4.17 writes an object, because MSRs have a list beside that of CPUID. */
static void
read_list (yajl_val tree, XfFeaturePolicy *policy)
{
  yajl_val object = xf_tree_member (tree, "cpuid"), entries = object, msrs = NULL;

  if (object && object->type == yajl_t_object) {
    entries = xf_tree_member (object, "cpuid");
    msrs = xf_tree_member (object, "msr");
  }
  for (size_t i = 0; entries && entries->type == yajl_t_array && i < entries->u.array.len; i++)
    read_entry (entries->u.array.values[i], policy);
  policy->more = policy->more || (msrs && msrs->type == yajl_t_array && msrs->u.array.len);
}

gboolean
xf_feature_policy_read (const libxl_cpuid_policy_list *list, XfFeaturePolicy *policy_out)
{
  yajl_gen out = yajl_gen_alloc (NULL);
  g_autofree char *json = NULL;
  const unsigned char *text;
  size_t length;
  yajl_val tree;

  memset (policy_out->said, 'x', sizeof (policy_out->said));
  policy_out->more = FALSE;
  yajl_gen_map_open (out);
  xf_tree_put_string (out, "cpuid");
  /* libxl does not change the list, but does not declare it so. */
  if (libxl_cpuid_policy_list_gen_json (out, (libxl_cpuid_policy_list *)list) == yajl_gen_status_ok
      && yajl_gen_map_close (out) == yajl_gen_status_ok && yajl_gen_get_buf (out, &text, &length) == yajl_gen_status_ok)
    json = g_strndup ((const char *)text, length);
  yajl_gen_free (out);
  tree = json ? xf_tree_parse (json, NULL) : NULL;
  if (tree)
    read_list (tree, policy_out);
  yajl_tree_free (tree);
  return tree != NULL;
}

/* FALSE: libxl refuses the name. */
static gboolean
tell_libxl (libxl_cpuid_policy_list *list, const char *name, gboolean on)
{
  g_autofree char *text = g_strdup_printf ("%s=%d", name, on ? 1 : 0);

  return libxl_cpuid_parse_config (list, text) == 0;
}

gboolean
xf_feature_policy_set (libxl_cpuid_policy_list *list, const XfFeatureRow *row, gboolean on)
{
  XfFeaturePolicy policy;

  /* Another libxl may have another idea of the name. */
  return tell_libxl (list, row->libxl ? row->libxl : row->name, on) && xf_feature_policy_read (list, &policy)
         && policy.said[xf_feature_number (row)] == (on ? '1' : '0');
}

/* libxl also has names for numbers of several bits ("family"), which are no features. */
static gboolean
is_one_feature (const char *name)
{
  libxl_cpuid_policy_list list = NULL;
  XfFeaturePolicy policy;
  guint bits = 0;

  if (tell_libxl (&list, name, FALSE) && xf_feature_policy_read (&list, &policy) && !policy.more) {
    for (guint i = 0; i < XF_FEATURE_BITS; i++)
      bits += policy.said[i] != 'x';
  }
  libxl_cpuid_dispose (&list);
  return bits == 1;
}

gboolean
xf_features_set (libxl_cpuid_policy_list *list, const char *name, gboolean on)
{
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789+-._";

  for (gsize i = 0; i < xf_feature_n_rows; i++) {
    if (g_str_equal (xf_feature_rows[i].name, name))
      return xf_feature_policy_set (list, &xf_feature_rows[i], on);
  }
  if (strlen (name) > NAME_MAX_LENGTH || name[strspn (name, letters)] || !is_one_feature (name))
    return FALSE;
  return tell_libxl (list, name, on);
}

/* Nested virtualisation is more than these features, and domain XML that asks for it is refused. */
static gboolean
is_virtualisation (const XfFeatureRow *row)
{
  return g_str_equal (row->name, "vmx") || g_str_equal (row->name, "svm");
}

gboolean
xf_features_each (const libxl_cpuid_policy_list *list, void (*each) (const char *name, gboolean on, gpointer data),
                  gpointer data)
{
  XfFeaturePolicy policy;
  gboolean more;

  if (!xf_feature_policy_read (list, &policy))
    return FALSE;
  more = policy.more;
  for (guint i = 0; i < XF_FEATURE_BITS; i++) {
    const XfFeatureRow *row = policy.said[i] == 'x' ? NULL : xf_feature_by_number (i);

    if (row && (policy.said[i] == '0' || (policy.said[i] == '1' && !is_virtualisation (row))))
      each (row->name, policy.said[i] == '1', data);
    else
      more = more || policy.said[i] != 'x';
  }
  return !more;
}
