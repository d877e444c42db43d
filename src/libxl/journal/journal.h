/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The journal: what a migration must not forget, on persistent storage, one file a migration and side. An entry is
 * written before the effect of what it says leaves the process, and read again at the next start (recover.c): with it
 * and what Xen shows, either side knows what it has promised. docs/exactly-once.md has the rules, and says who
 * writes what when.
 *
 * A destination's end is kept until its source has asked for it (settle) and a day longer: "running", or "cancelled",
 * the tombstone; of those the last 4096. A source's end is kept only as "done", as long as the guest is still defined
 * here, so that autostart does not bring up a second one.
 *
 * Files are JSON with a format number. One that cannot be read, or is of a newer format, is left where it is and told
 * of.
 */
#pragma once

#include "driver.h"

typedef struct XfJournal XfJournal;

typedef enum { XF_SIDE_SOURCE, XF_SIDE_DESTINATION } XfSide;

/* What goes on with it in this daemon. An end is not forgotten while something does. */
typedef enum {
  XF_ENTRY_IDLE,
  XF_ENTRY_MIGRATES, /* it is a migration's */
  XF_ENTRY_REMOVED,  /* the domain that it is about is being removed */
} XfEntryUse;

/* Texts are the entry's; NULL where there is nothing to say. */
typedef struct {
  XfSide side;
  guint8 id[XF_UUID_LENGTH]; /* of the migration */
  char *state;               /* a name of that side's table of states */
  gboolean final;
  char *name; /* of the guest here */
  guint8 uuid[XF_UUID_LENGTH];
  gint64 domid; /* -1: none; valid in the boot @boot_id only */
  char *boot_id;
  gint64 flags;               /* virDomainMigrateFlags */
  gboolean was_paused;        /* the guest, before */
  gint64 cap;                 /* of its processors, percent of one, before a source slowed it down; -1: it has not */
  char *peer;                 /* the other host, for a person */
  char *ask_uri;              /* where a source asks; NULL: nowhere */
  char *secret;               /* who asks, and is asked, knows it; NULL: the peer has no journal */
  char *xml, *persistent_xml; /* a destination's, until it is final: what finish will bring to life */
  char *reason;               /* how it ended, or what it waits for */
  gboolean answered;          /* a destination's end: its source has asked for it */
  gboolean given_back;        /* a destination's end, with a definition here: it is its source that may start it */
  XfEntryUse use;             /* not written */
  gint64 changed_s;           /* Unix time, set when it is written */
} XfJournalEntry;

/* Opens @dir, made when missing, and reads what is there. @boot_id: of the host's present boot. */
XfJournal *xf_journal_open (const char *dir, const char *boot_id, GError **error);

/* Waits for what is being written. */
void xf_journal_free (XfJournal *journal);

/* A new entry, not written yet, the journal's; valid until it is dropped. */
XfJournalEntry *xf_journal_add (XfJournal *journal, XfSide side, const guint8 *id, const char *name,
                                const guint8 *uuid);

/* Writes it as it is now, in @state. @done, which may be NULL, is called when that is durable, or with an error that
 * names the file. */
void xf_journal_write (XfJournal *journal, XfJournalEntry *entry, const char *state, XfDone done, gpointer data);

/* The same for an end that is kept; what only finish needs is left out. */
void xf_journal_write_final (XfJournal *journal, XfJournalEntry *entry, const char *state, XfDone done, gpointer data);

/* Removes it, in its turn after everything that is being written. */
void xf_journal_drop (XfJournal *journal, XfJournalEntry *entry);

/* @data's callbacks are not called any more. */
void xf_journal_forget (XfJournal *journal, gconstpointer data);

XfJournalEntry *xf_journal_find (XfJournal *journal, XfSide side, const guint8 *id);

/* Those of a guest; the caller's array of entries that are the journal's. */
GPtrArray *xf_journal_of_guest (XfJournal *journal, XfSide side, const guint8 *uuid);

/* All of them, oldest first. */
GPtrArray *xf_journal_list (XfJournal *journal);

/* The guest runs here by somebody's will, or is defined here no more: that it had moved away, or was given back, is
 * history. */
void xf_journal_guest_is_here (XfJournal *journal, const guint8 *uuid);

/* It was written in this boot of the host: its domid means something. */
gboolean xf_journal_is_of_this_boot (const XfJournal *journal, const XfJournalEntry *entry);

/* The guest was being received here, and whether it has run is not known. */
gboolean xf_journal_has_undecided (XfJournal *journal, const guint8 *uuid);

/* It had come here and ended, and the host it came from has taken it back to start it there. */
gboolean xf_journal_is_given_back (XfJournal *journal, const guint8 *uuid);

/* A file that could not be read may be about this guest. */
gboolean xf_journal_may_know (const XfJournal *journal, const guint8 *uuid);

/* Files that could not be read, "PATH: REASON". */
const GPtrArray *xf_journal_unreadable (const XfJournal *journal);

/* journal/json.c: NULL and an error for what is no entry of this format. */
GBytes *xf_journal_entry_format (const XfJournalEntry *entry);
XfJournalEntry *xf_journal_entry_parse (const char *text, gsize length, GError **error);
/* The uuid of the guest that a file of another format is about, where it can be made out. */
gboolean xf_journal_entry_guess (const char *text, gsize length, guint8 *uuid_out);
void xf_journal_entry_free (XfJournalEntry *entry);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfJournalEntry, xf_journal_entry_free)
