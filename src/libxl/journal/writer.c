/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/journal/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/watch.h"

/* The maximum of one batch. Later files wait for no more than these. */
#define BATCH_MAX 256

/* The longest time between two attempts; the time doubles with each. */
#define AGAIN_MAX_S 60

typedef struct {
  char *path, *path_new;
  GBytes *contents; /* NULL: remove the file */
  char *point;
  int errnum;       /* the result of the thread */
  const char *step; /* the failed step */
  gboolean end;     /* no file: ends the thread */

  /* used by the loop only */
  XfDone done;
  gpointer data;
  gboolean waited; /* a caller waits for its result */
  guint64 serial;
  guint again_s, again_id; /* it has failed and no caller waits: when it is tried again */
  XfJournalWriter *writer;
} Put;

struct XfJournalWriter {
  char *dir;
  GThread *thread; /* from the first put on */
  GAsyncQueue *todo, *ready;
  GPtrArray *waiting;  /* of Put whose result is not reported yet, borrowed */
  GPtrArray *failed;   /* of Put that will be tried again, owned */
  GHashTable *serials; /* file -> serial of its last put */
  guint64 serial;
  gint told_id; /* an idle source will read @ready; set by the thread, cleared by the loop */
};

static void
put_free (Put *put)
{
  g_clear_handle_id (&put->again_id, g_source_remove);
  g_clear_pointer (&put->contents, g_bytes_unref);
  g_free (put->path);
  g_free (put->path_new);
  g_free (put->point);
  g_free (put);
}

/* ---- the thread ------------------------------------------------------------------------------------------- */

static gboolean
failed (Put *put, const char *step)
{
  put->errnum = errno;
  put->step = step;
  return FALSE;
}

static gboolean
write_new (Put *put)
{
  gsize length;
  const guint8 *bytes = g_bytes_get_data (put->contents, &length);
  xf_autofd fd = open (put->path_new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

  errno = fd < 0 ? errno : xf_watch_point (put->point);
  if (errno)
    return failed (put, "create");
  if (!xf_fd_write_all (fd, bytes, length))
    return failed (put, "write");
  /* Started for the whole batch before the first wait. */
  (void)sync_file_range (fd, 0, 0, SYNC_FILE_RANGE_WRITE);
  return TRUE;
}

static gboolean
sync_path (Put *put, const char *path, int flags)
{
  xf_autofd fd = open (path, flags | O_CLOEXEC);

  return (fd >= 0 && fsync (fd) == 0) || failed (put, "sync");
}

static gboolean
put_in_place (Put *put)
{
  if (put->contents)
    return rename (put->path_new, put->path) == 0 || failed (put, "rename");
  errno = xf_watch_point (put->point);
  if (errno)
    return failed (put, "remove");
  return unlink (put->path) == 0 || errno == ENOENT || failed (put, "remove");
}

/* An older state of a file is not written if the same batch holds a newer one. Its caller gets the result of the
 * newer one. */
static gboolean
is_superseded (GPtrArray *batch, guint at)
{
  const Put *put = batch->pdata[at];

  for (guint i = at + 1; i < batch->len; i++) {
    if (g_str_equal (((Put *)batch->pdata[i])->path, put->path))
      return TRUE;
  }
  return FALSE;
}

static void
take_result_of_last (GPtrArray *batch, guint at)
{
  Put *put = batch->pdata[at];

  for (guint i = batch->len - 1; i > at; i--) {
    const Put *last = batch->pdata[i];

    if (g_str_equal (last->path, put->path)) {
      put->errnum = last->errnum;
      put->step = last->step;
      return;
    }
  }
}

/* A file that was not renamed into place is not valid. */
static void
remove_new (const Put *put)
{
  if (put->contents && put->errnum)
    (void)unlink (put->path_new);
}

/* One sync for the whole batch. If it fails, every file of the batch has failed. */
static void
sync_directory (XfJournalWriter *writer, GPtrArray *batch)
{
  Put result = { 0 };

  if (batch->len == 0 || sync_path (&result, writer->dir, O_RDONLY | O_DIRECTORY))
    return;
  for (guint i = 0; i < batch->len; i++) {
    Put *put = batch->pdata[i];

    if (put->errnum)
      continue;
    put->errnum = result.errnum;
    put->step = result.step;
  }
}

static void
tell_watcher (const Put *put)
{
  g_autofree char *point = g_strconcat (put->point, ":written", NULL);

  if (!put->errnum)
    (void)xf_watch_point (point);
}

static void
work (XfJournalWriter *writer, GPtrArray *batch)
{
  g_autofree gboolean *skip = g_new0 (gboolean, batch->len);

  for (guint i = 0; i < batch->len; i++) {
    Put *put = batch->pdata[i];

    skip[i] = is_superseded (batch, i);
    if (!skip[i] && put->contents)
      (void)write_new (put);
  }
  for (guint i = 0; i < batch->len; i++) {
    Put *put = batch->pdata[i];

    if (!skip[i] && put->contents && !put->errnum)
      (void)sync_path (put, put->path_new, O_RDONLY);
  }
  for (guint i = 0; i < batch->len; i++) {
    Put *put = batch->pdata[i];

    if (!skip[i] && !put->errnum)
      (void)put_in_place (put);
    if (!skip[i])
      remove_new (put);
  }
  sync_directory (writer, batch);
  for (guint i = 0; i < batch->len; i++) {
    if (skip[i])
      take_result_of_last (batch, i);
    else
      tell_watcher (batch->pdata[i]);
  }
}

static gboolean tell (gpointer data);

static gpointer
run (gpointer data)
{
  XfJournalWriter *writer = data;
  g_autoptr (GPtrArray) batch = g_ptr_array_new ();

  for (;;) {
    Put *put = g_async_queue_pop (writer->todo);

    g_ptr_array_set_size (batch, 0);
    for (; put && !put->end; put = batch->len < BATCH_MAX ? g_async_queue_try_pop (writer->todo) : NULL)
      g_ptr_array_add (batch, put);
    work (writer, batch);
    for (guint i = 0; i < batch->len; i++)
      g_async_queue_push (writer->ready, batch->pdata[i]);
    if (put) {
      put_free (put);
      return NULL;
    }
    if (g_atomic_int_compare_and_exchange (&writer->told_id, 0, 1))
      g_idle_add_full (G_PRIORITY_DEFAULT, tell, writer, NULL);
  }
}

/* ---- the loop --------------------------------------------------------------------------------------------- */

static void
queue (XfJournalWriter *writer, Put *put)
{
  g_ptr_array_add (writer->waiting, put);
  g_async_queue_push (writer->todo, put);
}

static gboolean
is_last (const Put *put)
{
  const guint64 *serial = g_hash_table_lookup (put->writer->serials, put->path);

  return serial && *serial == put->serial;
}

static gboolean
try_again (gpointer data)
{
  Put *put = data;
  guint at;

  put->again_id = 0;
  if (g_ptr_array_find (put->writer->failed, put, &at))
    (void)g_ptr_array_steal_index_fast (put->writer->failed, at);
  if (!is_last (put)) {
    put_free (put);
    return G_SOURCE_REMOVE;
  }
  put->errnum = 0;
  queue (put->writer, put);
  return G_SOURCE_REMOVE;
}

/* A write without a waiting caller is retried until it succeeds or a newer one replaces it. */
static void
keep_for_later (Put *put)
{
  put->again_s = put->again_s ? MIN (put->again_s * 2, AGAIN_MAX_S) : 1;
  put->again_id = g_timeout_add_seconds (put->again_s, try_again, put);
  g_ptr_array_add (put->writer->failed, put);
}

static void
tell_one (Put *put)
{
  g_autoptr (GError) error = NULL;

  if (put->errnum)
    xf_error_set_errno (&error, put->errnum, "cannot %s '%s'", put->step, put->path);
  if (put->done)
    put->done (error, put->data);
  else if (error)
    g_warning ("%s", error->message);
  if (error && !put->waited && is_last (put)) {
    keep_for_later (put);
    return;
  }
  if (!error && is_last (put))
    g_hash_table_remove (put->writer->serials, put->path);
  put_free (put);
}

static gboolean
tell (gpointer data)
{
  XfJournalWriter *writer = data;
  Put *put;

  g_atomic_int_set (&writer->told_id, 0);
  while ((put = g_async_queue_try_pop (writer->ready))) {
    g_ptr_array_remove (writer->waiting, put);
    tell_one (put);
  }
  return G_SOURCE_REMOVE;
}

XfJournalWriter *
xf_journal_writer_new (const char *dir)
{
  XfJournalWriter *writer = g_new0 (XfJournalWriter, 1);

  writer->dir = g_strdup (dir);
  writer->todo = g_async_queue_new ();
  writer->ready = g_async_queue_new ();
  writer->waiting = g_ptr_array_new ();
  writer->failed = g_ptr_array_new_with_free_func ((GDestroyNotify)put_free);
  writer->serials = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return writer;
}

void
xf_journal_writer_free (XfJournalWriter *writer)
{
  Put *put;

  if (!writer)
    return;
  if (writer->thread) {
    put = g_new0 (Put, 1);
    put->end = TRUE;
    g_async_queue_push (writer->todo, put);
    (void)g_thread_join (writer->thread);
  }
  while (g_source_remove_by_user_data (writer)) {
  }
  while ((put = g_async_queue_try_pop (writer->ready)))
    put_free (put);
  g_async_queue_unref (writer->todo);
  g_async_queue_unref (writer->ready);
  g_ptr_array_unref (writer->waiting);
  g_ptr_array_unref (writer->failed);
  g_hash_table_unref (writer->serials);
  g_free (writer->dir);
  g_free (writer);
}

void
xf_journal_writer_put (XfJournalWriter *writer, const char *file, GBytes *contents, const char *point, XfDone done,
                       gpointer data)
{
  Put *put = g_new0 (Put, 1);

  put->path = g_build_filename (writer->dir, file, NULL);
  put->path_new = g_strconcat (put->path, ".new", NULL);
  put->contents = contents;
  put->point = g_strdup (point);
  put->done = done;
  put->data = data;
  put->waited = done != NULL;
  put->writer = writer;
  put->serial = ++writer->serial;
  g_hash_table_replace (writer->serials, g_strdup (put->path), g_memdup2 (&put->serial, sizeof (put->serial)));
  if (!writer->thread)
    writer->thread = g_thread_new ("journal", run, writer);
  queue (writer, put);
}

void
xf_journal_writer_forget (XfJournalWriter *writer, gconstpointer data)
{
  for (guint i = 0; i < writer->waiting->len; i++) {
    Put *put = writer->waiting->pdata[i];

    if (put->data == data)
      put->done = NULL;
  }
}
