/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/journal/journal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "conf/uuid.h"
#include "libxl/journal/writer.h"

/* How long a destination's end is kept after its source has asked for it. */
#define KEPT_S (24 * 3600)
#define PURGE_EVERY_S 3600

/* The maximum of kept ends; the oldest are dropped first. */
#define KEPT_MAX 4096

/* A larger file is not a journal file. */
#define FILE_MAX (16 * 1024 * 1024)

/* The guest of a file that cannot be read, if it could be found. */
typedef struct {
  gboolean known;
  guint8 uuid[XF_UUID_LENGTH];
} XfJournalGuess;

struct XfJournal {
  char *dir, *boot_id;
  XfJournalWriter *writer;
  GPtrArray *entries;   /* of XfJournalEntry, owned; at the start in the order of their last change */
  GHashTable *by_id[2]; /* for each side: id -> entry */
  GHashTable *by_guest; /* uuid -> GPtrArray of entries, in the order of entries */
  GPtrArray *unreadable;
  GArray *unreadable_of; /* of XfJournalGuess: the guest of each of them */
  guint purge_id;
};

static guint
uuid_hash (gconstpointer uuid)
{
  guint64 halves[2];

  memcpy (halves, uuid, sizeof (halves));
  halves[0] = (halves[0] ^ halves[1]) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
  return (guint)(halves[0] >> 32);
}

static gboolean
uuid_is (gconstpointer a, gconstpointer b)
{
  return xf_uuid_equal (a, b);
}

/* The entries own the keys. */
static void
add_entry (XfJournal *journal, XfJournalEntry *entry)
{
  GPtrArray *of_guest = g_hash_table_lookup (journal->by_guest, entry->uuid);

  g_ptr_array_add (journal->entries, entry);
  g_hash_table_insert (journal->by_id[entry->side], entry->id, entry);
  if (!of_guest) {
    of_guest = g_ptr_array_new ();
    g_hash_table_insert (journal->by_guest, g_memdup2 (entry->uuid, XF_UUID_LENGTH), of_guest);
  }
  g_ptr_array_add (of_guest, entry);
}

static void
remove_entry (XfJournal *journal, XfJournalEntry *entry)
{
  GPtrArray *of_guest = g_hash_table_lookup (journal->by_guest, entry->uuid);

  g_hash_table_remove (journal->by_id[entry->side], entry->id);
  g_ptr_array_remove (of_guest, entry);
  if (of_guest->len == 0)
    g_hash_table_remove (journal->by_guest, entry->uuid);
  g_ptr_array_remove (journal->entries, entry);
}

static const char *
side_name (const XfJournalEntry *entry)
{
  return entry->side == XF_SIDE_SOURCE ? "source" : "destination";
}

static char *
file_name (const XfJournalEntry *entry)
{
  g_autofree char *id = xf_uuid_to_string (entry->id);

  return g_strdup_printf ("%s.%s.json", id, side_name (entry));
}

/* ---- reading ---------------------------------------------------------------------------------------------- */

static void
load (XfJournal *journal, const char *file)
{
  g_autofree char *path = g_build_filename (journal->dir, file, NULL), *text = NULL, *expected = NULL;
  g_autoptr (GError) error = NULL;
  XfJournalEntry *entry = NULL;
  XfJournalGuess guess = { 0 };
  gsize length;

  if (g_file_get_contents (path, &text, &length, &error)) {
    if (length <= FILE_MAX)
      entry = xf_journal_entry_parse (text, length, &error);
    else
      g_set_error (&error, XF_ERROR, XF_ERROR_INTERNAL, "it is too large");
  }
  expected = entry ? file_name (entry) : NULL;
  if (entry && g_str_equal (expected, file)) {
    add_entry (journal, entry);
    return;
  }
  guess.known = text && length <= FILE_MAX && xf_journal_entry_guess (text, length, guess.uuid);
  g_array_append_val (journal->unreadable_of, guess);
  xf_journal_entry_free (entry);
  g_ptr_array_add (journal->unreadable,
                   g_strdup_printf ("%s: %s", path, error ? error->message : "its name is not that of its migration"));
  g_warning ("a journal entry cannot be used and is left alone: %s",
             (char *)journal->unreadable->pdata[journal->unreadable->len - 1]);
}

static int
by_change (gconstpointer a, gconstpointer b)
{
  const XfJournalEntry *first = *(const XfJournalEntry *const *)a, *second = *(const XfJournalEntry *const *)b;

  return first->changed_s < second->changed_s ? -1 : first->changed_s > second->changed_s;
}

static gboolean
load_all (XfJournal *journal, GError **error)
{
  g_autoptr (GDir) dir = NULL;
  const char *file;

  if (g_mkdir_with_parents (journal->dir, 0700) < 0)
    return xf_error_set_errno (error, errno, "cannot make the directory '%s'", journal->dir);
  dir = g_dir_open (journal->dir, 0, error);
  while (dir && (file = g_dir_read_name (dir))) {
    g_autofree char *path = g_build_filename (journal->dir, file, NULL);

    if (g_str_has_suffix (file, ".json"))
      load (journal, file);
    else if (g_str_has_suffix (file, ".new"))
      (void)unlink (path); /* never renamed into place: never valid */
  }
  g_ptr_array_sort (journal->entries, by_change);
  return dir != NULL;
}

/* ---- purging ---------------------------------------------------------------------------------------------- */

static gboolean
is_end (const XfJournalEntry *entry)
{
  return entry->final && entry->use == XF_ENTRY_IDLE && !entry->given_back && entry->side == XF_SIDE_DESTINATION;
}

/* The source has had its answer. Without that, the end is kept whatever the clock says: the source may have been off
 * for as long. */
static gboolean
is_old (const XfJournalEntry *entry)
{
  gint64 age = g_get_real_time () / G_USEC_PER_SEC - entry->changed_s;

  return is_end (entry) && entry->answered && age > KEPT_S;
}

/* Drops the oldest end, preferably one that the source has asked for. */
static void
drop_one_end (XfJournal *journal)
{
  XfJournalEntry *oldest = NULL;

  for (guint i = 0; i < journal->entries->len; i++) {
    XfJournalEntry *entry = journal->entries->pdata[i];

    if (is_end (entry) && (!oldest || (entry->answered && !oldest->answered)))
      oldest = entry;
  }
  if (oldest)
    xf_journal_drop (journal, oldest);
}

static guint
count_ends (const XfJournal *journal)
{
  guint n = 0;

  for (guint i = 0; i < journal->entries->len; i++)
    n += is_end (journal->entries->pdata[i]);
  return n;
}

static gboolean
purge (gpointer data)
{
  XfJournal *journal = data;

  for (guint i = journal->entries->len; i-- > 0;) {
    if (is_old (journal->entries->pdata[i]))
      xf_journal_drop (journal, journal->entries->pdata[i]);
  }
  for (guint n = count_ends (journal); n > KEPT_MAX; n--)
    drop_one_end (journal);
  return G_SOURCE_CONTINUE;
}

/* ---- life ------------------------------------------------------------------------------------------------- */

XfJournal *
xf_journal_open (const char *dir, const char *boot_id, GError **error)
{
  XfJournal *journal = g_new0 (XfJournal, 1);

  journal->dir = g_strdup (dir);
  journal->boot_id = g_strdup (boot_id);
  journal->entries = g_ptr_array_new_with_free_func ((GDestroyNotify)xf_journal_entry_free);
  for (guint side = 0; side < G_N_ELEMENTS (journal->by_id); side++)
    journal->by_id[side] = g_hash_table_new (uuid_hash, uuid_is);
  journal->by_guest = g_hash_table_new_full (uuid_hash, uuid_is, g_free, (GDestroyNotify)g_ptr_array_unref);
  journal->unreadable = g_ptr_array_new_with_free_func (g_free);
  journal->unreadable_of = g_array_new (FALSE, FALSE, sizeof (XfJournalGuess));
  if (!load_all (journal, error)) {
    xf_journal_free (journal);
    return NULL;
  }
  journal->writer = xf_journal_writer_new (dir);
  (void)purge (journal);
  journal->purge_id = g_timeout_add_seconds (PURGE_EVERY_S, purge, journal);
  return journal;
}

void
xf_journal_free (XfJournal *journal)
{
  if (!journal)
    return;
  g_clear_handle_id (&journal->purge_id, g_source_remove);
  g_clear_pointer (&journal->writer, xf_journal_writer_free);
  for (guint side = 0; side < G_N_ELEMENTS (journal->by_id); side++)
    g_hash_table_unref (journal->by_id[side]);
  g_hash_table_unref (journal->by_guest);
  g_ptr_array_unref (journal->entries);
  g_ptr_array_unref (journal->unreadable);
  g_array_unref (journal->unreadable_of);
  g_free (journal->boot_id);
  g_free (journal->dir);
  g_free (journal);
}

/* ---- entries ---------------------------------------------------------------------------------------------- */

XfJournalEntry *
xf_journal_add (XfJournal *journal, XfSide side, const guint8 *id, const char *name, const guint8 *uuid)
{
  XfJournalEntry *entry = g_new0 (XfJournalEntry, 1);

  entry->side = side;
  memcpy (entry->id, id, XF_UUID_LENGTH);
  entry->name = g_strdup (name);
  memcpy (entry->uuid, uuid, XF_UUID_LENGTH);
  entry->domid = -1;
  entry->cap = -1;
  entry->boot_id = g_strdup (journal->boot_id);
  add_entry (journal, entry);
  return entry;
}

void
xf_journal_write (XfJournal *journal, XfJournalEntry *entry, const char *state, XfDone done, gpointer data)
{
  g_autofree char *file = file_name (entry), *point = NULL;

  if (entry->state != state) {
    g_free (entry->state);
    entry->state = g_strdup (state);
  }
  entry->changed_s = g_get_real_time () / G_USEC_PER_SEC;
  point = g_strdelimit (g_strdup_printf ("journal:%s:%s", side_name (entry), state), " ", '-');
  xf_journal_writer_put (journal->writer, file, xf_journal_entry_format (entry), point, done, data);
}

void
xf_journal_write_final (XfJournal *journal, XfJournalEntry *entry, const char *state, XfDone done, gpointer data)
{
  if (!entry->final && entry->side == XF_SIDE_DESTINATION && count_ends (journal) >= KEPT_MAX)
    drop_one_end (journal);
  entry->final = TRUE;
  if (!g_str_equal (state, "cancelled"))
    g_clear_pointer (&entry->resources, g_free); /* the guest has them */
  if (!entry->resources)
    g_clear_pointer (&entry->xml, g_free);
  g_clear_pointer (&entry->persistent_xml, g_free);
  xf_journal_write (journal, entry, state, done, data);
}

void
xf_journal_drop (XfJournal *journal, XfJournalEntry *entry)
{
  g_autofree char *file = file_name (entry);
  g_autofree char *point = g_strdup_printf ("journal:%s:removed", side_name (entry));

  xf_journal_writer_put (journal->writer, file, NULL, point, NULL, NULL);
  remove_entry (journal, entry);
}

void
xf_journal_forget (XfJournal *journal, gconstpointer data)
{
  xf_journal_writer_forget (journal->writer, data);
}

XfJournalEntry *
xf_journal_find (XfJournal *journal, XfSide side, const guint8 *id)
{
  return g_hash_table_lookup (journal->by_id[side], id);
}

GPtrArray *
xf_journal_of_guest (XfJournal *journal, XfSide side, const guint8 *uuid)
{
  GPtrArray *found = g_ptr_array_new (), *all = g_hash_table_lookup (journal->by_guest, uuid);

  for (guint i = 0; all && i < all->len; i++) {
    if (((XfJournalEntry *)all->pdata[i])->side == side)
      g_ptr_array_add (found, all->pdata[i]);
  }
  return found;
}

GPtrArray *
xf_journal_list (XfJournal *journal)
{
  GPtrArray *list = g_ptr_array_new (); /* a copy would own the entries too */

  g_ptr_array_extend (list, journal->entries, NULL, NULL);
  return list;
}

void
xf_journal_guest_is_here (XfJournal *journal, const guint8 *uuid)
{
  g_autoptr (GPtrArray) left = xf_journal_of_guest (journal, XF_SIDE_SOURCE, uuid);
  g_autoptr (GPtrArray) came = xf_journal_of_guest (journal, XF_SIDE_DESTINATION, uuid);

  for (guint i = 0; i < left->len; i++) {
    if (((XfJournalEntry *)left->pdata[i])->final)
      xf_journal_drop (journal, left->pdata[i]);
  }
  for (guint i = 0; i < came->len; i++) {
    XfJournalEntry *entry = came->pdata[i];

    if (!entry->given_back)
      continue;
    entry->given_back = FALSE;
    xf_journal_write (journal, entry, entry->state, NULL, NULL);
  }
}

gboolean
xf_journal_is_given_back (XfJournal *journal, const guint8 *uuid)
{
  g_autoptr (GPtrArray) entries = xf_journal_of_guest (journal, XF_SIDE_DESTINATION, uuid);

  for (guint i = 0; i < entries->len; i++) {
    if (((XfJournalEntry *)entries->pdata[i])->given_back)
      return TRUE;
  }
  return FALSE;
}

gboolean
xf_journal_is_of_this_boot (const XfJournal *journal, const XfJournalEntry *entry)
{
  return g_str_equal (journal->boot_id, entry->boot_id);
}

gboolean
xf_journal_has_undecided (XfJournal *journal, const guint8 *uuid)
{
  g_autoptr (GPtrArray) entries = xf_journal_of_guest (journal, XF_SIDE_DESTINATION, uuid);

  for (guint i = 0; i < entries->len; i++) {
    if (!((XfJournalEntry *)entries->pdata[i])->final)
      return TRUE;
  }
  return FALSE;
}

gboolean
xf_journal_may_know (const XfJournal *journal, const guint8 *uuid)
{
  for (guint i = 0; i < journal->unreadable_of->len; i++) {
    const XfJournalGuess *guess = &g_array_index (journal->unreadable_of, XfJournalGuess, i);

    if (!guess->known || xf_uuid_equal (guess->uuid, uuid))
      return TRUE;
  }
  return FALSE;
}

const GPtrArray *
xf_journal_unreadable (const XfJournal *journal)
{
  return journal->unreadable;
}
