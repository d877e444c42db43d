/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/wants.h"

#include <string.h>

#include "base/error.h"
#include "conf/xml.h"

#define DEADLINE_MAX_S 600
#define ENTRIES_MAX 256

static const char *const want_names[] = { NULL, "mandatory", "best-effort", "ignore" };

XfWants *
xf_wants_new (void)
{
  XfWants *wants = g_new0 (XfWants, 1);

  wants->entries = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return wants;
}

void
xf_wants_free (XfWants *wants)
{
  if (!wants)
    return;
  g_hash_table_unref (wants->entries);
  g_free (wants);
}

static XfWant
parse_want (const char *text)
{
  for (guint i = XF_WANT_MANDATORY; i < G_N_ELEMENTS (want_names); i++) {
    if (g_strcmp0 (text, want_names[i]) == 0)
      return i;
  }
  return XF_WANT_UNSAID;
}

static gboolean
is_name (const char *text)
{
  return text && *text && strlen (text) <= 256 && !strpbrk (text, " \t\r\n=,");
}

static void
put (XfWants *wants, const char *name, XfWant want, guint deadline_s)
{
  XfWantEntry *entry = g_hash_table_lookup (wants->entries, name);

  if (!entry) {
    entry = g_new0 (XfWantEntry, 1);
    g_hash_table_insert (wants->entries, g_strdup (name), entry);
  }
  if (want != XF_WANT_UNSAID)
    entry->want = want;
  if (deadline_s)
    entry->deadline_s = deadline_s;
}

static gboolean
add_word (XfWants *wants, const char *word, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (word, "=", 2);
  XfWant want = parse_want (parts[1]);

  if (g_str_equal (word, "urgent")) {
    wants->urgent = TRUE;
    return TRUE;
  }
  if (!is_name (parts[0]) || want == XF_WANT_UNSAID) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG,
                 "'%s' is neither 'urgent' nor RESOURCE=mandatory, RESOURCE=best-effort or RESOURCE=ignore", word);
    return FALSE;
  }
  put (wants, parts[0], want, 0);
  return TRUE;
}

gboolean
xf_wants_add_text (XfWants *wants, const char *text, GError **error)
{
  g_auto (GStrv) words = g_strsplit_set (text ? text : "", " ,\t", -1);

  for (guint i = 0; words[i]; i++) {
    if (*words[i] && !add_word (wants, words[i], error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
is_own (const xmlNode *node, const char *name)
{
  return node->type == XML_ELEMENT_NODE && node->ns && xmlStrEqual (node->ns->href, BAD_CAST XF_WANTS_NAMESPACE)
         && xmlStrEqual (node->name, BAD_CAST name);
}

static gboolean
add_resource (XfWants *wants, const xmlNode *node, GError **error)
{
  g_autofree char *name = xf_xml_attr (node, "name"), *text = xf_xml_attr (node, "want");
  XfWant want = parse_want (text);
  gint64 deadline_s = 0;

  if (!is_name (name) || (text && want == XF_WANT_UNSAID)
      || !xf_xml_attr_number (node, "deadline", 1, DEADLINE_MAX_S, &deadline_s)) {
    g_set_error (
      error, XF_ERROR, XF_ERROR_XML,
      "metadata: a <resource> needs a name, want='mandatory', 'best-effort' or 'ignore', and a deadline of 1 "
      "to %d seconds if it has one; this is not so for '%s'",
      DEADLINE_MAX_S, name ? name : "");
    return FALSE;
  }
  put (wants, name, want, (guint)deadline_s);
  if (g_hash_table_size (wants->entries) <= ENTRIES_MAX)
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_XML, "metadata: more than %d <resource> elements", ENTRIES_MAX);
  return FALSE;
}

static gboolean
add_resources (XfWants *wants, const xmlNode *node, GError **error)
{
  g_autofree char *policy = xf_xml_attr (node, "policy");

  if (policy && !g_str_equal (policy, "urgent") && !g_str_equal (policy, "careful")) {
    g_set_error (error, XF_ERROR, XF_ERROR_XML,
                 "metadata: the policy of <resources> is 'careful' or 'urgent', and not '%s'", policy);
    return FALSE;
  }
  if (policy)
    wants->urgent = g_str_equal (policy, "urgent");
  for (const xmlNode *child = node->children; child; child = child->next) {
    if (is_own (child, "resource") && !add_resource (wants, child, error))
      return FALSE;
  }
  return TRUE;
}

gboolean
xf_wants_add_metadata (XfWants *wants, const XfDomainDef *def, GError **error)
{
  const xmlNode *metadata = xf_xml_child (xmlDocGetRootElement (def->doc), "metadata");

  for (const xmlNode *node = metadata ? metadata->children : NULL; node; node = node->next) {
    if (is_own (node, "resources") && !add_resources (wants, node, error))
      return FALSE;
  }
  return TRUE;
}

XfWantEntry
xf_wants_find (const XfWants *wants, const char *kind, const char *name)
{
  const XfWantEntry *of_kind = g_hash_table_lookup (wants->entries, kind);
  const XfWantEntry *own = g_hash_table_lookup (wants->entries, name);
  XfWantEntry found = of_kind ? *of_kind : (XfWantEntry){ 0 };

  if (own && own->want != XF_WANT_UNSAID)
    found.want = own->want;
  if (own && own->deadline_s)
    found.deadline_s = own->deadline_s;
  return found;
}
