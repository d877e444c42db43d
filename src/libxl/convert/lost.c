/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/convert/lost.h"

#include <string.h>

#include "base/error.h"
#include "libxl/convert/tree.h"

/* libxl's configurations are not deep. */
#define DEPTH_MAX 32
/* Each value that may be a default left out needs a test of its own, with a whole configuration. */
#define ASKED_MAX 8

/* A value that is missing in the new text. */
typedef struct {
  char *path;
  yajl_val value;
} Gone;

typedef struct {
  yajl_val tree; /* as it was sent */
  XfConfigRewrite rewrite;
  gpointer data;
  GPtrArray *lost;
  GArray *gone; /* of Gone: single values */
} Search;

static void
clear_gone (gpointer data)
{
  g_free (((Gone *)data)->path);
}

static gboolean
is_deeper (yajl_val value, guint most)
{
  gboolean object = value->type == yajl_t_object;
  size_t n = object ? value->u.object.len : value->type == yajl_t_array ? value->u.array.len : 0;

  if (n && !most)
    return TRUE;
  for (size_t i = 0; i < n; i++) {
    if (is_deeper (object ? value->u.object.values[i] : value->u.array.values[i], most - 1))
      return TRUE;
  }
  return FALSE;
}

/* libxl writes "<default>" and "False" for an option that is not set. */
static gboolean
says_nothing (yajl_val value)
{
  switch (value->type) {
  case yajl_t_string:
    return !*value->u.string || strcmp (value->u.string, "<default>") == 0 || strcmp (value->u.string, "False") == 0;
  case yajl_t_number:
    return strspn (value->u.number.r, "-0.") == strlen (value->u.number.r);
  case yajl_t_object:
    for (size_t i = 0; i < value->u.object.len; i++) {
      if (!says_nothing (value->u.object.values[i]))
        return FALSE;
    }
    return TRUE;
  case yajl_t_array:
    for (size_t i = 0; i < value->u.array.len; i++) {
      if (!says_nothing (value->u.array.values[i]))
        return FALSE;
    }
    return TRUE;
  default:
    return value->type != yajl_t_true;
  }
}

static void
missing (Search *search, const char *path, yajl_val value)
{
  Gone gone = { NULL, value };

  if (says_nothing (value))
    return;
  if (value->type != yajl_t_string && value->type != yajl_t_number) {
    g_ptr_array_add (search->lost, g_strdup (path));
    return;
  }
  gone.path = g_strdup (path);
  g_array_append_val (search->gone, gone);
}

static gboolean
same_value (yajl_val sent, yajl_val again)
{
  if (sent->type == yajl_t_string)
    return strcmp (sent->u.string, again->u.string) == 0;
  return sent->type != yajl_t_number || strcmp (sent->u.number.r, again->u.number.r) == 0;
}

static void compare (Search *search, const char *path, yajl_val sent, yajl_val again);

static void
compare_members (Search *search, const char *path, yajl_val sent, yajl_val again)
{
  for (size_t i = 0; i < sent->u.object.len; i++) {
    const char *key = sent->u.object.keys[i];
    g_autofree char *inner = g_strconcat (path, *path ? "." : "", key, NULL);

    compare (search, inner, sent->u.object.values[i], xf_tree_member (again, key));
  }
}

static void
compare_items (Search *search, const char *path, yajl_val sent, yajl_val again)
{
  for (size_t i = 0; i < sent->u.array.len; i++) {
    g_autofree char *inner = g_strdup_printf ("%s[%zu]", path, i);

    compare (search, inner, sent->u.array.values[i], i < again->u.array.len ? again->u.array.values[i] : NULL);
  }
}

static void
compare (Search *search, const char *path, yajl_val sent, yajl_val again)
{
  if (!again)
    missing (search, path, sent);
  else if (sent->type != again->type || !same_value (sent, again))
    g_ptr_array_add (search->lost, g_strdup (path));
  else if (sent->type == yajl_t_object)
    compare_members (search, path, sent, again);
  else if (sent->type == yajl_t_array)
    compare_items (search, path, sent, again);
}

/* Finds the path in another tree by comparing again. */
static gboolean
is_gone (Search *search, const char *json, const char *path)
{
  g_autofree char *again = search->rewrite (json, search->data);
  yajl_val sent = again ? xf_tree_parse (json, NULL) : NULL, tree = sent ? xf_tree_parse (again, NULL) : NULL;
  Search inner = { .lost = g_ptr_array_new_with_free_func (g_free), .gone = g_array_new (FALSE, FALSE, sizeof (Gone)) };
  gboolean gone = FALSE;

  g_array_set_clear_func (inner.gone, clear_gone);
  if (tree)
    compare (&inner, "", sent, tree);
  for (guint i = 0; i < inner.gone->len; i++)
    gone = gone || g_str_equal (g_array_index (inner.gone, Gone, i).path, path);
  g_ptr_array_unref (inner.lost);
  g_array_unref (inner.gone);
  yajl_tree_free (tree);
  yajl_tree_free (sent);
  return gone;
}

/* A known key with another value than its default either appears in the output or is refused. */
static gboolean
is_known (Search *search, const Gone *gone)
{
  char **text = gone->value->type == yajl_t_string ? &gone->value->u.string : &gone->value->u.number.r, *kept = *text;
  g_autofree char *other = gone->value->type == yajl_t_string ? g_strconcat (kept, "x", NULL) : NULL, *json = NULL;

  if (!other)
    other = g_strdup (strcmp (kept, "1") == 0 ? "2" : "1");
  *text = other;
  json = xf_tree_write (search->tree);
  *text = kept;
  return json && !is_gone (search, json, gone->path);
}

static void
judge_gone (Search *search)
{
  for (guint i = 0; i < search->gone->len; i++) {
    const Gone *gone = &g_array_index (search->gone, Gone, i);

    if (search->gone->len > ASKED_MAX || !is_known (search, gone))
      g_ptr_array_add (search->lost, g_strdup (gone->path));
  }
}

static yajl_val
parse (const char *json, GError **error)
{
  yajl_val tree = xf_tree_parse (json, error);

  if (!tree || !is_deeper (tree, DEPTH_MAX))
    return tree;
  g_set_error (error, XF_ERROR, XF_ERROR_XML, "a configuration is nested deeper than %d", DEPTH_MAX);
  yajl_tree_free (tree);
  return NULL;
}

GPtrArray *
xf_config_lost (const char *json, XfConfigRewrite rewrite, gpointer data, GError **error)
{
  g_autofree char *again = rewrite (json, data);
  yajl_val tree = parse (json, error), back = tree ? parse (again ? again : "", error) : NULL;
  Search search = { .tree = tree, .rewrite = rewrite, .data = data };

  if (back) {
    search.lost = g_ptr_array_new_with_free_func (g_free);
    search.gone = g_array_new (FALSE, FALSE, sizeof (Gone));
    g_array_set_clear_func (search.gone, clear_gone);
    compare (&search, "", tree, back);
    judge_gone (&search);
    g_array_unref (search.gone);
  }
  yajl_tree_free (back);
  yajl_tree_free (tree);
  return search.lost;
}
