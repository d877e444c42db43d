/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What must be on disk before the next step: `sent` before perform is answered, `unpausing` before the guest runs; and
 * on disk means synced. The tests hold the journal's thread at its point and check that the step is not taken.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "libxl/journal/journal.h"
#include "mover.h"

/* Enough time for the step to happen if nothing holds it. */
#define HELD_MS 300

static gboolean
is_held (Mover *mover, const char *point)
{
  g_autofree char *path = g_build_filename (mover->host->dir, "trace", NULL), *text = NULL;
  g_autofree char *line = g_strdup_printf ("paused-at - %s\n", point);

  return g_file_get_contents (path, &text, NULL, NULL) && strstr (text, line);
}

/* ---- the source ------------------------------------------------------------------------------------------- */

static void
test_sent (Mover *mover, gconstpointer data)
{
  mover_begin (mover);
  host_set_control (mover->host, "pause=journal:source:sent\n");
  mover_perform (mover);
  host_wait (is_held (mover, "journal:source:sent"));
  host_idle (HELD_MS);
  g_assert_false (mover->done);
  g_assert_false (mover_runs (mover));
  host_set_control (mover->host, "");
  mover_wait (mover);
  mover_stop_receiving (mover);
  mover_forget (mover);
}

/* ---- the destination -------------------------------------------------------------------------------------- */

static void
test_unpausing (Mover *mover, gconstpointer data)
{
  mover_record (mover);
  mover_prepare (mover);
  host_set_control (mover->host, "pause=journal:destination:unpausing\n");
  mover_send (mover);
  mover_ask_finish (mover, FALSE);
  host_wait (is_held (mover, "journal:destination:unpausing"));
  host_idle (HELD_MS);
  g_assert_false (mover->done);
  g_assert_false (mover_runs (mover));
  host_set_control (mover->host, "");
  mover_wait (mover);
  g_assert_true (mover_runs (mover));
  mover_forget (mover);
}

static gboolean
is_gone (gconstpointer token)
{
  return FALSE;
}

/* A source without a secret is not a xenferry, and takes its guest back when its connection ends. The connection may
 * end while `unpausing` is being written, before the loop notices: then the guest does not run here. */
static void
test_source_gone (Mover *mover, gconstpointer data)
{
  mover_record (mover);
  mover_prepare (mover);
  host_set_control (mover->host, "pause=journal:destination:unpausing\n");
  mover_send (mover);
  mover_ask_finish (mover, FALSE);
  host_wait (is_held (mover, "journal:destination:unpausing"));
  xf_driver_set_client_probe (mover->host->driver, is_gone);
  host_set_control (mover->host, "");
  host_wait (mover->done);
  g_assert_error (mover->error, XF_ERROR, XF_ERROR_NO_CONNECT);
  host_wait (host_count_domains (mover->host) == 0);
  mover_forget (mover);
}

/* ---- the disk --------------------------------------------------------------------------------------------- */

static struct {
  gint files, directories; /* synced: entries before their rename, and the journal's directory */
  gint fails;
} syncs;

/* Replaces libc's in the whole program. */
int
fsync (int fd)
{
  g_autofree char *link = g_strdup_printf ("/proc/self/fd/%d", fd), *path = g_file_read_link (link, NULL);

  if (path && g_str_has_suffix (path, ".json.new"))
    g_atomic_int_inc (&syncs.files);
  else if (path && g_str_has_suffix (path, "/migrations"))
    g_atomic_int_inc (&syncs.directories);
  if (g_atomic_int_get (&syncs.fails)) {
    errno = EIO;
    return -1;
  }
  return syscall (SYS_fsync, fd);
}

static void
written (const GError *error, gpointer data)
{
  mover_done (NULL, error, data);
}

static void
test_synced (Mover *mover, gconstpointer data)
{
  g_autofree char *dir = g_build_filename (mover->host->dir, "own", "migrations", NULL);
  XfJournal *journal = xf_journal_open (dir, "boot", NULL);
  XfJournalEntry *entry = xf_journal_add (journal, XF_SIDE_SOURCE, mover_uuid, "g", mover_uuid);

  g_atomic_int_set (&syncs.files, 0);
  g_atomic_int_set (&syncs.directories, 0);
  xf_journal_write (journal, entry, "sent", written, mover);
  mover_wait (mover);
  g_assert_cmpint (g_atomic_int_get (&syncs.files), ==, 1);
  g_assert_cmpint (g_atomic_int_get (&syncs.directories), ==, 1);
  g_atomic_int_set (&syncs.fails, 1);
  xf_journal_write (journal, entry, "sent", written, mover);
  host_wait (mover->done);
  g_atomic_int_set (&syncs.fails, 0);
  g_assert_nonnull (mover->error);
  xf_journal_free (journal);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_always_fatal (G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK);
  g_test_add ("/durable/sent", Mover, NULL, mover_set_up, test_sent, mover_tear_down);
  g_test_add ("/durable/unpausing", Mover, NULL, mover_set_up, test_unpausing, mover_tear_down);
  g_test_add ("/durable/source-gone", Mover, NULL, mover_set_up, test_source_gone, mover_tear_down);
  g_test_add ("/durable/synced", Mover, NULL, mover_set_up, test_synced, mover_tear_down);
  return g_test_run ();
}
