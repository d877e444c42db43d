/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Puts small files on disk for good, off the loop: the one thread of the daemon, which knows nothing but names and
 * bytes. What is put while it works is written together: every file of a batch is written and synced, then all are
 * renamed into place, then the directory is synced once. So 256 migrations at a time cost the loop nothing and the disk
 * a few syncs. Everything happens in the order in which it was put; a file is there whole, in its old or its new state,
 * or not.
 */
#pragma once

#include "driver.h"

typedef struct XfJournalWriter XfJournalWriter;

/* @dir exists and is nobody else's. */
XfJournalWriter *xf_journal_writer_new (const char *dir);

/* Waits until all that was put is done; nobody is told any more. */
void xf_journal_writer_free (XfJournalWriter *writer);

/* Replaces @file of the directory by @contents (taken), or removes it (NULL). @done, which may be NULL, is called from
 * the loop when that is durable, or cannot be. @point: what tests call that (base/watch.h): POINT before it is written,
 * where it may be told to fail, and POINT:written when it is durable. */
void xf_journal_writer_put (XfJournalWriter *writer, const char *file, GBytes *contents, const char *point, XfDone done,
                            gpointer data);

/* @data's callbacks are not called any more; what was put is still done. */
void xf_journal_writer_forget (XfJournalWriter *writer, gconstpointer data);
