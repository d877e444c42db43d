/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The journal alone: it reads back what it wrote; order, groups, failures; foreign files; bounds.
 */
#include "libxl/journal/journal.h"

#include <glib/gstdio.h>
#include <string.h>

#include "conf/uuid.h"

typedef struct {
  char *dir;
  XfJournal *journal;
} Fixture;

static void
open_journal (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;

  fixture->journal = xf_journal_open (fixture->dir, "boot", &error);
  g_assert_no_error (error);
}

static void
reopen (Fixture *fixture)
{
  xf_journal_free (fixture->journal);
  open_journal (fixture);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autofree char *top = g_dir_make_tmp ("xf-journal-XXXXXX", NULL);

  fixture->dir = g_build_filename (top, "migrations", NULL);
  g_setenv ("XF_SIM_HOST", top, TRUE);
  open_journal (fixture);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_autofree char *command = g_strdup_printf ("rm -r %s", g_getenv ("XF_SIM_HOST"));

  xf_journal_free (fixture->journal);
  g_assert_true (g_spawn_command_line_sync (command, NULL, NULL, NULL, NULL));
  g_free (fixture->dir);
}

static XfJournalEntry *
add (Fixture *fixture, XfSide side, guint number)
{
  guint8 id[XF_UUID_LENGTH] = { 0 };

  memcpy (id, &number, sizeof (number));
  return xf_journal_add (fixture->journal, side, id, "g", id);
}

static char *
path_of (Fixture *fixture, const XfJournalEntry *entry)
{
  g_autofree char *id = xf_uuid_to_string (entry->id);
  g_autofree char *file = g_strdup_printf ("%s.%s.json", id, entry->side == XF_SIDE_SOURCE ? "source" : "destination");

  return g_build_filename (fixture->dir, file, NULL);
}

static gboolean
expired (gpointer data)
{
  *(gboolean *)data = TRUE;
  return G_SOURCE_CONTINUE;
}

#define WAIT(condition)                                                                                                \
  do {                                                                                                                 \
    gboolean late = FALSE;                                                                                             \
    guint late_id = g_timeout_add_seconds (20, expired, &late);                                                        \
    while (!(condition) && !late)                                                                                      \
      g_main_context_iteration (NULL, TRUE);                                                                           \
    g_source_remove (late_id);                                                                                         \
    g_assert_false (late);                                                                                             \
  } while (0)

static void
count (const GError *error, gpointer data)
{
  g_assert_no_error (error);
  ++*(guint *)data;
}

static void
fails (const GError *error, gpointer data)
{
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, ".source.json"));
  ++*(guint *)data;
}

/* ---- tests ------------------------------------------------------------------------------------------------ */

static void
test_comes_back (Fixture *fixture, gconstpointer data)
{
  XfJournalEntry *entry = add (fixture, XF_SIDE_DESTINATION, 7), *back;
  guint done = 0;

  entry->domid = 12;
  entry->flags = 0x10001;
  entry->was_paused = TRUE;
  entry->peer = g_strdup ("h\xff\"\n\\ost");
  entry->ask_uri = g_strdup ("xen+tcp://[::1]:1/system");
  entry->secret = g_strdup ("s");
  entry->xml = g_strdup ("<domain>\xc3\xa4</domain>");
  xf_journal_write (fixture->journal, entry, "prepared", count, &done);
  g_assert_cmpuint (done, ==, 0);
  WAIT (done == 1);
  reopen (fixture);
  g_assert_cmpuint (xf_journal_unreadable (fixture->journal)->len, ==, 0);
  {
    guint8 id[XF_UUID_LENGTH] = { 7 };

    back = xf_journal_find (fixture->journal, XF_SIDE_DESTINATION, id);
    g_assert_null (xf_journal_find (fixture->journal, XF_SIDE_SOURCE, id));
  }
  g_assert_nonnull (back);
  g_assert_cmpstr (back->state, ==, "prepared");
  g_assert_cmpint (back->domid, ==, 12);
  g_assert_cmpint (back->flags, ==, 0x10001);
  g_assert_true (back->was_paused && !back->final);
  g_assert_true (g_utf8_validate (back->peer, -1, NULL));
  g_assert_nonnull (strstr (back->peer, "\"\n\\ost"));
  g_assert_cmpstr (back->ask_uri, ==, "xen+tcp://[::1]:1/system");
  g_assert_cmpstr (back->xml, ==, "<domain>\xc3\xa4</domain>");
  g_assert_null (back->reason);
  g_assert_true (xf_journal_is_of_this_boot (fixture->journal, back));
}

/* Reports the longest time that the loop did not run; no limit is checked. */
static void
test_many (Fixture *fixture, gconstpointer data)
{
  static const char *const states[] = { "prepared", "restored", "unpausing" };
  gint64 start = g_get_monotonic_time (), last = start, longest = 0;
  guint done = 0;
  GPtrArray *entries = g_ptr_array_new ();

  for (guint i = 0; i < 256; i++) {
    g_ptr_array_add (entries, add (fixture, XF_SIDE_DESTINATION, i));
    for (gsize j = 0; j < G_N_ELEMENTS (states); j++)
      xf_journal_write (fixture->journal, entries->pdata[i], states[j], count, &done);
  }
  longest = g_get_monotonic_time () - last;
  while (done < 256 * G_N_ELEMENTS (states)) {
    gint64 before = g_get_monotonic_time ();

    g_main_context_iteration (NULL, FALSE);
    longest = MAX (longest, g_get_monotonic_time () - before);
    g_usleep (100);
  }
  g_test_message ("768 states of 256 migrations in %.1f ms; the loop was away for %.2f ms at most",
                  (double)(g_get_monotonic_time () - start) / 1000, (double)longest / 1000);
  reopen (fixture);
  for (guint i = 0; i < 256; i++) {
    guint8 id[XF_UUID_LENGTH] = { 0 };

    memcpy (id, &i, sizeof (i));
    g_assert_cmpstr (xf_journal_find (fixture->journal, XF_SIDE_DESTINATION, id)->state, ==, "unpausing");
  }
  g_ptr_array_unref (entries);
}

/* An entry that is written and dropped at once does not exist afterwards, however the writes were grouped. */
static void
test_order (Fixture *fixture, gconstpointer data)
{
  XfJournalEntry *gone = add (fixture, XF_SIDE_SOURCE, 1), *kept = add (fixture, XF_SIDE_SOURCE, 2);
  g_autofree char *gone_path = path_of (fixture, gone), *kept_path = path_of (fixture, kept);

  for (guint i = 0; i < 50; i++)
    xf_journal_write (fixture->journal, gone, i % 2 ? "sending" : "sent", NULL, NULL);
  xf_journal_drop (fixture->journal, gone);
  xf_journal_write (fixture->journal, kept, "sending", NULL, NULL);
  xf_journal_write (fixture->journal, kept, "sent", NULL, NULL);
  reopen (fixture); /* waits for the writes */
  g_assert_false (g_file_test (gone_path, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (kept_path, G_FILE_TEST_EXISTS));
  g_assert_cmpstr (xf_journal_find (fixture->journal, XF_SIDE_SOURCE, (guint8[XF_UUID_LENGTH]){ 2 })->state, ==,
                   "sent");
}

/* A failed write is reported to its waiter; a write without a waiter is repeated. */
static void
test_failure (Fixture *fixture, gconstpointer data)
{
  XfJournalEntry *waited = add (fixture, XF_SIDE_SOURCE, 1), *later = add (fixture, XF_SIDE_SOURCE, 2),
                 *forgotten = add (fixture, XF_SIDE_SOURCE, 3);
  g_autofree char *away = g_strconcat (fixture->dir, ".away", NULL), *waited_path = path_of (fixture, waited),
                  *later_path = path_of (fixture, later);
  guint failed = 0, never = 0;

  g_assert_cmpint (g_rename (fixture->dir, away), ==, 0);
  xf_journal_write (fixture->journal, waited, "sending", fails, &failed);
  xf_journal_write (fixture->journal, forgotten, "sending", fails, &never);
  xf_journal_forget (fixture->journal, &never);
  xf_journal_write_final (fixture->journal, later, "done", NULL, NULL);
  WAIT (failed == 1);
  g_assert_cmpint (g_rename (away, fixture->dir), ==, 0);
  WAIT (g_file_test (later_path, G_FILE_TEST_EXISTS));
  g_assert_false (g_file_test (waited_path, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (never, ==, 0);
}

static void
test_not_ours (Fixture *fixture, gconstpointer data)
{
  static const char good[] = "{\"format\":1,\"side\":\"source\",\"migration\":\"01000000-0000-0000-0000-000000000000\","
                             "\"state\":\"sent\",\"final\":false,\"name\":\"g\","
                             "\"uuid\":\"01000000-0000-0000-0000-000000000000\",\"domid\":1,\"boot\":\"b\",\"flags\":0,"
                             "\"was-paused\":false,\"changed\":1,\"a newer word\":{}}";
  static const char *const replacements[][2] = {
    { "\"format\":1", "\"format\":2" },
    { "\"format\":1,", "" },
    { "\"sent\"", "null" },
    { "\"domid\":1", "\"domid\":\"1\"" },
    { "\"domid\":1", "\"domid\":1e400" },
    { "\"final\":false", "\"final\":0" },
    { "\"source\"", "\"both\"" },
    { "01000000-0000-0000-0000-000000000000\",\"state", "01\",\"state" },
    { "01000000-0000-0000-0000-000000000000\",\"state", "02000000-0000-0000-0000-000000000000\",\"state" },
    { "}", "" },
    { "}}", "}} trailing" },
  };
  g_autofree char *path = g_build_filename (fixture->dir, "01000000-0000-0000-0000-000000000000.source.json", NULL);

  g_assert_true (g_file_set_contents (path, good, -1, NULL));
  reopen (fixture);
  g_assert_cmpuint (xf_journal_unreadable (fixture->journal)->len, ==, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (replacements); i++) {
    g_autoptr (GString) text = g_string_new (good);
    g_autofree char *left = NULL;

    g_assert_cmpuint (g_string_replace (text, replacements[i][0], replacements[i][1], 1), ==, 1);
    g_assert_true (g_file_set_contents (path, text->str, -1, NULL));
    reopen (fixture);
    g_test_message ("%zu: %s", i, text->str);
    g_assert_cmpuint (xf_journal_unreadable (fixture->journal)->len, ==, 1);
    g_assert_null (xf_journal_find (fixture->journal, XF_SIDE_SOURCE, (guint8[XF_UUID_LENGTH]){ 1 }));
    g_assert_true (g_file_get_contents (path, &left, NULL, NULL));
    g_assert_cmpstr (left, ==, text->str);
  }
  g_assert_true (g_file_set_contents (path, "{\0}", 3, NULL));
  reopen (fixture);
  g_assert_cmpuint (xf_journal_unreadable (fixture->journal)->len, ==, 1);
}

/* An end of a destination is kept until it has been asked for and one day longer, even if the clock was set back; other
 * entries are kept without a limit. */
static void
test_bounds (Fixture *fixture, gconstpointer data)
{
  static const struct {
    XfSide side;
    gboolean final;
    gboolean answered;
    gint64 age_s;
    gboolean stays;
  } entries[] = {
    { XF_SIDE_DESTINATION, TRUE, TRUE, 23 * 3600, TRUE },   { XF_SIDE_DESTINATION, TRUE, TRUE, 25 * 3600, FALSE },
    { XF_SIDE_DESTINATION, TRUE, FALSE, 99 * 3600, TRUE },  { XF_SIDE_DESTINATION, TRUE, TRUE, -25 * 3600, TRUE },
    { XF_SIDE_DESTINATION, FALSE, FALSE, 99 * 3600, TRUE }, { XF_SIDE_SOURCE, TRUE, FALSE, 99 * 3600, TRUE },
    { XF_SIDE_SOURCE, FALSE, FALSE, 99 * 3600, TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (entries); i++) {
    XfJournalEntry *entry = add (fixture, entries[i].side, i);
    g_autofree char *path = path_of (fixture, entry);
    g_autoptr (GBytes) text = NULL;

    entry->final = entries[i].final;
    entry->answered = entries[i].answered;
    entry->state = g_strdup ("s");
    entry->changed_s = g_get_real_time () / G_USEC_PER_SEC - entries[i].age_s;
    text = xf_journal_entry_format (entry);
    g_assert_true (g_file_set_contents (path, g_bytes_get_data (text, NULL), (gssize)g_bytes_get_size (text), NULL));
  }
  reopen (fixture);
  reopen (fixture);
  for (guint i = 0; i < G_N_ELEMENTS (entries); i++)
    g_assert_true ((xf_journal_find (fixture->journal, entries[i].side, (guint8[XF_UUID_LENGTH]){ (guint8)i }) != NULL)
                   == entries[i].stays);
}

/* An unreadable file holds back its guest, or all guests if it does not say which. */
static void
test_may_know (Fixture *fixture, gconstpointer data)
{
  static const struct {
    const char *text;
    gboolean it, others;
  } files[] = {
    { "{ \"format\": 2, \"uuid\": \"01000000-0000-0000-0000-000000000000\" }", TRUE, FALSE },
    { "{ \"format\": 2, \"uuid\": \"01000000\" }", TRUE, TRUE },
    { "{ \"format\": 2, \"uuid\": \"01000000-0000-0000", TRUE, TRUE },
    { "[]", TRUE, TRUE },
    { "", TRUE, TRUE },
  };
  const guint8 it[XF_UUID_LENGTH] = { 1 }, other[XF_UUID_LENGTH] = { 2 };
  g_autofree char *path = path_of (fixture, add (fixture, XF_SIDE_SOURCE, 7));

  g_assert_false (xf_journal_may_know (fixture->journal, it));
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++) {
    g_assert_true (g_file_set_contents (path, files[i].text, -1, NULL));
    reopen (fixture);
    g_test_message ("%s", files[i].text);
    g_assert_true (xf_journal_may_know (fixture->journal, it) == files[i].it);
    g_assert_true (xf_journal_may_know (fixture->journal, other) == files[i].others);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
#define ADD(name, function) g_test_add ("/journal/" name, Fixture, NULL, set_up, function, tear_down)
  ADD ("comes-back", test_comes_back);
  ADD ("many", test_many);
  ADD ("order", test_order);
  ADD ("failure", test_failure);
  ADD ("not-ours", test_not_ours);
  ADD ("bounds", test_bounds);
  ADD ("may-know", test_may_know);
  return g_test_run ();
}
