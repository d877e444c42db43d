/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/convert/tree.h"

#include <string.h>

#include "base/error.h"

yajl_val
xf_tree_member (yajl_val object, const char *name)
{
  for (size_t i = 0; object && YAJL_IS_OBJECT (object) && i < object->u.object.len; i++) {
    if (strcmp (object->u.object.keys[i], name) == 0)
      return object->u.object.values[i];
  }
  return NULL;
}

yajl_val
xf_tree_parse (const char *json, GError **error)
{
  char reason[256] = "";
  yajl_val tree = yajl_tree_parse (json, reason, sizeof (reason));

  if (!tree || !YAJL_IS_OBJECT (tree)) {
    g_set_error (error, XF_ERROR, XF_ERROR_INTERNAL, "a configuration is not a JSON object: %s", reason);
    yajl_tree_free (tree);
    return NULL;
  }
  return tree;
}

void
xf_tree_put_string (yajl_gen out, const char *text)
{
  yajl_gen_string (out, (const unsigned char *)text, strlen (text));
}

void
xf_tree_put (yajl_gen out, yajl_val value)
{
  switch (value->type) {
  case yajl_t_string:
    xf_tree_put_string (out, value->u.string);
    break;
  case yajl_t_number:
    yajl_gen_number (out, value->u.number.r, strlen (value->u.number.r));
    break;
  case yajl_t_object:
    yajl_gen_map_open (out);
    for (size_t i = 0; i < value->u.object.len; i++) {
      xf_tree_put_string (out, value->u.object.keys[i]);
      xf_tree_put (out, value->u.object.values[i]);
    }
    yajl_gen_map_close (out);
    break;
  case yajl_t_array:
    yajl_gen_array_open (out);
    for (size_t i = 0; i < value->u.array.len; i++)
      xf_tree_put (out, value->u.array.values[i]);
    yajl_gen_array_close (out);
    break;
  case yajl_t_true:
  case yajl_t_false:
    yajl_gen_bool (out, value->type == yajl_t_true);
    break;
  default:
    yajl_gen_null (out);
  }
}

char *
xf_tree_write (yajl_val tree)
{
  yajl_gen out = yajl_gen_alloc (NULL);
  const unsigned char *text;
  size_t length;
  char *json = NULL;

  xf_tree_put (out, tree);
  if (yajl_gen_get_buf (out, &text, &length) == yajl_gen_status_ok)
    json = g_strndup ((const char *)text, length);
  yajl_gen_free (out);
  return json;
}
