/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes small files durably, off the loop, in the only thread of the daemon; the thread knows only names and bytes.
 * Files that are put while it works are written together: every file of a batch is written and synced, then all are
 * renamed into place, then the directory is synced once. So 256 simultaneous migrations cost the loop nothing and the
 * disk a few syncs. Everything is done in the order of the calls. A file is complete, in its old or its new state, or
 * absent.
 */
#pragma once

#include "driver.h"

typedef struct XfJournalWriter XfJournalWriter;

/* @dir exists, and no other program uses it. */
XfJournalWriter *xf_journal_writer_new (const char *dir);

/* Waits until everything that was put is done. Calls no callback. */
void xf_journal_writer_free (XfJournalWriter *writer);

/* Replaces @file of the directory by @contents (taken), or removes it (NULL). @done (may be NULL) is called from the
 * loop when that is durable, or has failed. @point: the name for tests (base/watch.h): POINT is reached before the
 * write, where a test may make it fail, and POINT:written when it is durable. */
void xf_journal_writer_put (XfJournalWriter *writer, const char *file, GBytes *contents, const char *point, XfDone done,
                            gpointer data);

/* The callbacks of @data are not called afterwards; the writes are still done. */
void xf_journal_writer_forget (XfJournalWriter *writer, gconstpointer data);
