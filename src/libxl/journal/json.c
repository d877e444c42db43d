/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A journal's entry as JSON: one table of members, both ways.
 */
#include <string.h>
#include <yajl/yajl_gen.h>
#include <yajl/yajl_tree.h>

#include "base/error.h"
#include "conf/uuid.h"
#include "libxl/journal/journal.h"

#define FORMAT 1

typedef enum { TEXT, UUID, NUMBER, BOOLEAN, SIDE } Kind;

#define AT(field) G_STRUCT_OFFSET (XfJournalEntry, field)

static const struct {
  const char *name;
  Kind kind;
  gsize offset;
  gboolean needed;
} members[] = {
  { "side", SIDE, AT (side), TRUE },
  { "migration", UUID, AT (id), TRUE },
  { "state", TEXT, AT (state), TRUE },
  { "final", BOOLEAN, AT (final), TRUE },
  { "name", TEXT, AT (name), TRUE },
  { "uuid", UUID, AT (uuid), TRUE },
  { "domid", NUMBER, AT (domid), TRUE },
  { "boot", TEXT, AT (boot_id), TRUE },
  { "flags", NUMBER, AT (flags), TRUE },
  { "was-paused", BOOLEAN, AT (was_paused), TRUE },
  { "cap", NUMBER, AT (cap), FALSE },
  { "peer", TEXT, AT (peer), FALSE },
  { "ask", TEXT, AT (ask_uri), FALSE },
  { "secret", TEXT, AT (secret), FALSE },
  { "xml", TEXT, AT (xml), FALSE },
  { "persistent-xml", TEXT, AT (persistent_xml), FALSE },
  { "resources", TEXT, AT (resources), FALSE },
  { "reason", TEXT, AT (reason), FALSE },
  { "answered", BOOLEAN, AT (answered), FALSE },
  { "given-back", BOOLEAN, AT (given_back), FALSE },
  { "changed", NUMBER, AT (changed_s), TRUE },
};

static const char *const sides[] = { [XF_SIDE_SOURCE] = "source", [XF_SIDE_DESTINATION] = "destination" };

void
xf_journal_entry_free (XfJournalEntry *entry)
{
  if (!entry)
    return;
  for (guint i = 0; i < G_N_ELEMENTS (members); i++) {
    if (members[i].kind == TEXT)
      g_free (G_STRUCT_MEMBER (char *, entry, members[i].offset));
  }
  g_free (entry);
}

static void
put_text (yajl_gen out, const char *text)
{
  yajl_gen_string (out, (const unsigned char *)text, strlen (text));
}

static void
put_member (yajl_gen out, const XfJournalEntry *entry, guint i)
{
  gconstpointer field = G_STRUCT_MEMBER_P (entry, members[i].offset);
  g_autofree char *uuid = NULL, *valid = NULL;

  if (members[i].kind == TEXT && !*(char *const *)field)
    return;
  put_text (out, members[i].name);
  switch (members[i].kind) {
  case TEXT:
    /* A peer's text may be invalid UTF-8, and a file that cannot be read again is worse than a wrong letter. */
    valid = g_utf8_make_valid (*(char *const *)field, -1);
    put_text (out, valid);
    return;
  case UUID:
    uuid = xf_uuid_to_string (field);
    put_text (out, uuid);
    return;
  case NUMBER:
    yajl_gen_integer (out, *(const gint64 *)field);
    return;
  case BOOLEAN:
    yajl_gen_bool (out, *(const gboolean *)field);
    return;
  case SIDE:
    put_text (out, sides[*(const XfSide *)field]);
    return;
  }
}

GBytes *
xf_journal_entry_format (const XfJournalEntry *entry)
{
  yajl_gen out = yajl_gen_alloc (NULL);
  const unsigned char *text;
  size_t length;
  GBytes *bytes;

  yajl_gen_config (out, yajl_gen_beautify, 1);
  yajl_gen_map_open (out);
  put_text (out, "format");
  yajl_gen_integer (out, FORMAT);
  for (guint i = 0; i < G_N_ELEMENTS (members); i++)
    put_member (out, entry, i);
  yajl_gen_map_close (out);
  (void)yajl_gen_get_buf (out, &text, &length);
  bytes = g_bytes_new (text, length);
  yajl_gen_free (out);
  return bytes;
}

static yajl_val
find (yajl_val tree, const char *name)
{
  const char *path[] = { name, NULL };

  return yajl_tree_get (tree, path, yajl_t_any);
}

/* FALSE if the member is present and of the wrong type. */
static gboolean
take_member (XfJournalEntry *entry, guint i, yajl_val value)
{
  gpointer field = G_STRUCT_MEMBER_P (entry, members[i].offset);
  const char *text = YAJL_GET_STRING (value);

  switch (members[i].kind) {
  case TEXT:
    *(char **)field = g_strdup (text);
    return text != NULL;
  case UUID:
    return text && xf_uuid_parse (text, field);
  case NUMBER:
    if (!YAJL_IS_INTEGER (value))
      return FALSE;
    *(gint64 *)field = YAJL_GET_INTEGER (value);
    return TRUE;
  case BOOLEAN:
    *(gboolean *)field = YAJL_IS_TRUE (value);
    return YAJL_IS_TRUE (value) || YAJL_IS_FALSE (value);
  case SIDE:
    *(XfSide *)field = g_strcmp0 (text, sides[XF_SIDE_SOURCE]) == 0 ? XF_SIDE_SOURCE : XF_SIDE_DESTINATION;
    return text && g_str_equal (text, sides[*(XfSide *)field]);
  }
  return FALSE;
}

static gboolean
take (XfJournalEntry *entry, yajl_val tree, GError **error)
{
  yajl_val format = find (tree, "format");

  if (!format || !YAJL_IS_INTEGER (format) || YAJL_GET_INTEGER (format) != FORMAT) {
    g_set_error (error, XF_ERROR, XF_ERROR_INTERNAL, "it is not of format %d, the one that this version knows", FORMAT);
    return FALSE;
  }
  for (guint i = 0; i < G_N_ELEMENTS (members); i++) {
    yajl_val value = find (tree, members[i].name);

    if (value ? take_member (entry, i, value) : !members[i].needed)
      continue;
    g_set_error (error, XF_ERROR, XF_ERROR_INTERNAL, "its member '%s' is %s", members[i].name,
                 value ? "of the wrong type" : "missing");
    return FALSE;
  }
  return TRUE;
}

XfJournalEntry *
xf_journal_entry_parse (const char *text, gsize length, GError **error)
{
  g_autoptr (XfJournalEntry) entry = g_new0 (XfJournalEntry, 1);
  char message[256] = "";
  g_autofree char *copy = g_strndup (text, length); /* NUL-terminated, as yajl needs it */
  yajl_val tree = strlen (copy) < length ? NULL : yajl_tree_parse (copy, message, sizeof (message));
  gboolean good;

  entry->cap = -1;
  good = tree && take (entry, tree, error);

  if (!tree)
    g_set_error (error, XF_ERROR, XF_ERROR_INTERNAL, "it is not JSON: %s", message);
  yajl_tree_free (tree);
  return good ? g_steal_pointer (&entry) : NULL;
}

gboolean
xf_journal_entry_guess (const char *text, gsize length, guint8 *uuid_out)
{
  char message[256];
  g_autofree char *copy = g_strndup (text, length);
  yajl_val tree = strlen (copy) < length ? NULL : yajl_tree_parse (copy, message, sizeof (message));
  yajl_val uuid = YAJL_IS_OBJECT (tree) ? find (tree, "uuid") : NULL;
  gboolean good = YAJL_IS_STRING (uuid) && xf_uuid_parse (YAJL_GET_STRING (uuid), uuid_out);

  yajl_tree_free (tree);
  return good;
}
