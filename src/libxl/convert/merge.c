/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A three-way merge of trees. Values are compared and copied as text: numbers keep all their digits.
 */
#include "libxl/convert/merge.h"

#include <string.h>

#include "libxl/convert/config.h"
#include "libxl/convert/tree.h"

static gboolean equal (yajl_val a, yajl_val b);

static gboolean
equal_objects (yajl_val a, yajl_val b)
{
  if (a->u.object.len != b->u.object.len)
    return FALSE;
  for (size_t i = 0; i < a->u.object.len; i++) {
    if (!equal (a->u.object.values[i], xf_tree_member (b, a->u.object.keys[i])))
      return FALSE;
  }
  return TRUE;
}

static gboolean
equal_arrays (yajl_val a, yajl_val b)
{
  if (a->u.array.len != b->u.array.len)
    return FALSE;
  for (size_t i = 0; i < a->u.array.len; i++) {
    if (!equal (a->u.array.values[i], b->u.array.values[i]))
      return FALSE;
  }
  return TRUE;
}

static gboolean
equal (yajl_val a, yajl_val b)
{
  if (!a || !b)
    return a == b;
  if (a->type != b->type)
    return FALSE;
  switch (a->type) {
  case yajl_t_string:
    return strcmp (a->u.string, b->u.string) == 0;
  case yajl_t_number:
    return strcmp (a->u.number.r, b->u.number.r) == 0;
  case yajl_t_object:
    return equal_objects (a, b);
  case yajl_t_array:
    return equal_arrays (a, b);
  default: /* true, false and null have no value but their type */
    return TRUE;
  }
}

static void merge (yajl_gen out, yajl_val exact, yajl_val known, yajl_val wanted);

static void
merge_member (yajl_gen out, const char *name, yajl_val exact, yajl_val known, yajl_val wanted)
{
  /* Removed in @wanted, or absent from all. */
  if (!wanted && (known || !exact))
    return;
  xf_tree_put_string (out, name);
  merge (out, exact, known, wanted);
}

static void
merge_objects (yajl_gen out, yajl_val exact, yajl_val known, yajl_val wanted)
{
  yajl_gen_map_open (out);
  for (size_t i = 0; i < exact->u.object.len; i++) {
    const char *name = exact->u.object.keys[i];

    merge_member (out, name, exact->u.object.values[i], xf_tree_member (known, name), xf_tree_member (wanted, name));
  }
  for (size_t i = 0; i < wanted->u.object.len; i++) {
    const char *name = wanted->u.object.keys[i];

    if (!xf_tree_member (exact, name) && !equal (wanted->u.object.values[i], xf_tree_member (known, name)))
      merge_member (out, name, NULL, xf_tree_member (known, name), wanted->u.object.values[i]);
  }
  yajl_gen_map_close (out);
}

static void
merge_arrays (yajl_gen out, yajl_val exact, yajl_val known, yajl_val wanted)
{
  yajl_gen_array_open (out);
  for (size_t i = 0; i < exact->u.array.len; i++)
    merge (out, exact->u.array.values[i], known->u.array.values[i], wanted->u.array.values[i]);
  yajl_gen_array_close (out);
}

static gboolean
same_shape (yajl_val exact, yajl_val known, yajl_val wanted)
{
  if (!exact || !known || !wanted || exact->type != known->type || exact->type != wanted->type)
    return FALSE;
  if (exact->type == yajl_t_array)
    return exact->u.array.len == known->u.array.len && exact->u.array.len == wanted->u.array.len;
  return exact->type == yajl_t_object;
}

/* At least one of @exact and @wanted is present. */
static void
merge (yajl_gen out, yajl_val exact, yajl_val known, yajl_val wanted)
{
  if (exact && (!wanted || equal (known, wanted)))
    xf_tree_put (out, exact);
  else if (!same_shape (exact, known, wanted))
    xf_tree_put (out, wanted);
  else if (exact->type == yajl_t_array)
    merge_arrays (out, exact, known, wanted);
  else
    merge_objects (out, exact, known, wanted);
}

char *
xf_config_merge (const char *exact, const char *known, const char *wanted, GError **error)
{
  yajl_val trees[3] = { NULL };
  char *merged = NULL;

  trees[0] = xf_tree_parse (exact, error);
  trees[1] = trees[0] ? xf_tree_parse (known, error) : NULL;
  trees[2] = trees[1] ? xf_tree_parse (wanted, error) : NULL;
  if (trees[2]) {
    yajl_gen out = yajl_gen_alloc (NULL);
    const unsigned char *text;
    size_t length;

    merge (out, trees[0], trees[1], trees[2]);
    if (yajl_gen_get_buf (out, &text, &length) == yajl_gen_status_ok)
      merged = g_strndup ((const char *)text, length);
    yajl_gen_free (out);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (trees); i++)
    yajl_tree_free (trees[i]);
  return merged;
}

static char *
json_of (const XfDomainDef *def, GError **error)
{
  libxl_domain_config config;
  char *json = NULL;

  libxl_domain_config_init (&config);
  if (xf_config_from_def (def, &config, error))
    json = xf_config_to_json (&config, error);
  libxl_domain_config_dispose (&config);
  return json;
}

char *
xf_config_merge_defs (const char *exact, const XfDomainDef *known, const XfDomainDef *wanted, GError **error)
{
  g_autofree char *known_json = json_of (known, error);
  g_autofree char *wanted_json = known_json ? json_of (wanted, error) : NULL;

  return wanted_json ? xf_config_merge (exact, known_json, wanted_json, error) : NULL;
}
