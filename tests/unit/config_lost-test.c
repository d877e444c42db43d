/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The reader here is a small one that knows a few keys. Like libxl's, it ignores other keys, writes no defaults, and
 * refuses values that it does not know.
 */
#include "libxl/convert/lost.h"

#include <string.h>

#include "libxl/convert/tree.h"

static void
keep_string (yajl_gen out, yajl_val object, const char *key)
{
  yajl_val value = xf_tree_member (object, key);

  if (!value || !YAJL_IS_STRING (value))
    return;
  xf_tree_put_string (out, key);
  xf_tree_put (out, value);
}

static void
keep_number (yajl_gen out, yajl_val object, const char *key, const char *usual)
{
  yajl_val value = xf_tree_member (object, key);

  if (!value || !YAJL_IS_NUMBER (value) || strcmp (value->u.number.r, usual) == 0)
    return;
  xf_tree_put_string (out, key);
  xf_tree_put (out, value);
}

static void
keep_nics (yajl_gen out, yajl_val nics)
{
  xf_tree_put_string (out, "nics");
  yajl_gen_array_open (out);
  for (size_t i = 0; i < nics->u.array.len; i++) {
    yajl_gen_map_open (out);
    keep_string (out, nics->u.array.values[i], "bridge");
    keep_number (out, nics->u.array.values[i], "mtu", "1492");
    yajl_gen_map_close (out);
  }
  yajl_gen_array_close (out);
}

/* "name", "mode" (one of two words), "cap" (10 is its default), "nics" with "bridge" and "mtu". */
static char *
rewrite (const char *json, gpointer data)
{
  yajl_val tree = xf_tree_parse (json, NULL), mode = tree ? xf_tree_member (tree, "mode") : NULL;
  yajl_val nics = tree ? xf_tree_member (tree, "nics") : NULL;
  yajl_gen out = yajl_gen_alloc (NULL);
  const unsigned char *text;
  size_t length;
  char *again = NULL;

  (*(guint *)data)++;
  if (tree && (!mode || strcmp (mode->u.string, "usual") == 0 || strcmp (mode->u.string, "other") == 0)) {
    yajl_gen_map_open (out);
    keep_string (out, tree, "name");
    keep_number (out, tree, "cap", "10");
    if (mode && strcmp (mode->u.string, "usual") != 0)
      keep_string (out, tree, "mode");
    if (nics)
      keep_nics (out, nics);
    yajl_gen_map_close (out);
    yajl_gen_get_buf (out, &text, &length);
    again = g_strndup ((const char *)text, length);
  }
  yajl_gen_free (out);
  yajl_tree_free (tree);
  return again;
}

static const struct {
  const char *json, *lost;
} cases[] = {
  { "{}", "" },
  { "{\"name\":\"g\",\"nics\":[{\"bridge\":\"br0\"},{}]}", "" },
  /* empty values */
  { "{\"a\":null,\"b\":0,\"c\":false,\"d\":\"\",\"e\":{},\"f\":[],\"g\":{\"h\":[0,{\"i\":\"<default>\"}]},\"j\":"
    "\"False\"}",
    "" },
  /* unknown keys, at any depth */
  { "{\"vlan\":10}", "vlan" },
  { "{\"vlan\":\"10\"}", "vlan" },
  { "{\"nics\":[{\"bridge\":\"a\"},{\"bridge\":\"b\",\"vlan\":10}]}", "nics[1].vlan" },
  { "{\"on\":true,\"opt\":\"True\"}", "on opt" },
  { "{\"deep\":{\"er\":[0,0,{\"x\":1}]}}", "deep" },
  { "{\"name\":\"g\",\"vlan\":\"10\",\"trunk\":[1]}", "trunk vlan" },
  /* known keys with another type */
  { "{\"name\":7,\"nics\":[{\"bridge\":true}]}", "nics[0].bridge name" },
  /* known keys with their defaults */
  { "{\"cap\":10,\"mode\":\"usual\",\"nics\":[{\"mtu\":1492}]}", "" },
  { "{\"cap\":10,\"vlan\":10}", "vlan" },
  { "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"cap\":10}", "a b c d e f g h cap" },
};

static void
test_cases (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    guint reads = 0;
    g_autoptr (GError) error = NULL;
    g_autoptr (GPtrArray) lost = xf_config_lost (cases[i].json, rewrite, &reads, &error);
    g_autofree char *joined = NULL;

    g_assert_no_error (error);
    g_ptr_array_add (lost, NULL);
    joined = g_strjoinv (" ", (char **)lost->pdata);
    g_test_message ("%s", cases[i].json);
    g_assert_cmpstr (joined, ==, cases[i].lost);
    g_assert_cmpuint (reads, <=, 9);
  }
}

static void
test_no_configuration (void)
{
  GString *deep = g_string_new ("{\"a\":");
  const char *bad[] = { "", "[]", "{\"mode\":\"unheard of\"}", NULL };

  for (guint i = 0; i < 1000; i++)
    g_string_append_c (deep, '[');
  for (guint i = 0; i < 1000; i++)
    g_string_append_c (deep, ']');
  g_string_append_c (deep, '}');
  bad[3] = deep->str;
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++) {
    guint reads = 0;
    g_autoptr (GError) error = NULL;

    g_assert_null (xf_config_lost (bad[i], rewrite, &reads, &error));
    g_assert_nonnull (error);
  }
  g_string_free (deep, TRUE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/config-lost/cases", test_cases);
  g_test_add_func ("/config-lost/no-configuration", test_no_configuration);
  return g_test_run ();
}
