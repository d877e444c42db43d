/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The journal: the promises of each migration, on persistent storage, one file for a migration and side. The entry is
 * written before its effect leaves the process, and read again at the next start (recover.c). From the journal and
 * Xen's state each side knows its promises. docs/exactly-once.md has the rules, and names the writer and the time of
 * each entry.
 *
 * A destination's end is kept until its source has asked for it (settle), and a day longer: "running", or
 * "cancelled", the tombstone; at most the last 4096. A source's end is kept only as "done", while the guest is still
 * defined here, so that autostart does not start it a second time.
 *
 * Files are JSON with a format number. A file that cannot be read, or is of a newer format, is left in place and
 * reported.
 */
#pragma once

#include "driver.h"

typedef struct XfJournal XfJournal;

typedef enum { XF_SIDE_SOURCE, XF_SIDE_DESTINATION } XfSide;

/* The use of an entry in this daemon. An end is not forgotten while the entry is in use. */
typedef enum {
  XF_ENTRY_IDLE,
  XF_ENTRY_MIGRATES, /* a migration uses it */
  XF_ENTRY_REMOVED,  /* the entry's domain is being removed */
  XF_ENTRY_RELEASES, /* its resources are being given back */
} XfEntryUse;

/* The entry owns its texts; NULL where there is none. */
typedef struct {
  XfSide side;
  guint8 id[XF_UUID_LENGTH]; /* of the migration */
  char *state;               /* a name of that side's table of states */
  gboolean final;
  char *name; /* of the guest here */
  guint8 uuid[XF_UUID_LENGTH];
  gint64 domid; /* -1: none; valid in the boot @boot_id only */
  char *boot_id;
  gint64 flags;        /* virDomainMigrateFlags */
  gboolean was_paused; /* the guest was paused before the migration */
  gint64 cap; /* the cap of its vCPUs, in percent of one CPU, before a source slowed the guest down; -1: it has not */
  char *peer; /* the other host, for messages */
  char *ask_uri; /* the URI that a source asks; NULL: none */
  char *secret;  /* both sides know it and prove it when one asks the other; NULL: the peer has no journal */
  char *xml,
    *persistent_xml;   /* a destination's, until it is final: the definitions of the guest that finish will start */
  char *resources;     /* likewise, until they are given back: those that may have something to give back, one a line */
  char *reason;        /* the reason for its end, or for its wait */
  gboolean answered;   /* a destination's end: its source has asked for it */
  gboolean given_back; /* a destination's end, with a definition here: only its source may start the guest */
  XfEntryUse use;      /* not written */
  gint64 changed_s;    /* Unix time of the last write */
} XfJournalEntry;

/* Opens @dir, creates it if it is missing, and reads its files. @boot_id: of the host's present boot. */
XfJournal *xf_journal_open (const char *dir, const char *boot_id, GError **error);

/* Waits until all writes are done. */
void xf_journal_free (XfJournal *journal);

/* Adds an entry that is not written yet. The journal owns it; valid until it is dropped. */
XfJournalEntry *xf_journal_add (XfJournal *journal, XfSide side, const guint8 *id, const char *name,
                                const guint8 *uuid);

/* Writes the entry as it is now, in @state. @done (may be NULL) is called when the entry is durable, or with an error
 * that names the file. */
void xf_journal_write (XfJournal *journal, XfJournalEntry *entry, const char *state, XfDone done, gpointer data);

/* The same for an end that is kept. Members that only finish needs are left out. */
void xf_journal_write_final (XfJournal *journal, XfJournalEntry *entry, const char *state, XfDone done, gpointer data);

/* Removes the entry, after everything that was queued before it. */
void xf_journal_drop (XfJournal *journal, XfJournalEntry *entry);

/* The callbacks of @data are not called afterwards. */
void xf_journal_forget (XfJournal *journal, gconstpointer data);

XfJournalEntry *xf_journal_find (XfJournal *journal, XfSide side, const guint8 *id);

/* The entries of a guest. The caller frees the array; the journal owns the entries. */
GPtrArray *xf_journal_of_guest (XfJournal *journal, XfSide side, const guint8 *uuid);

/* All of them, oldest first. */
GPtrArray *xf_journal_list (XfJournal *journal);

/* Forgets that the guest had moved away or was given back: it was started here, or is not defined here any longer. */
void xf_journal_guest_is_here (XfJournal *journal, const guint8 *uuid);

/* TRUE if the entry was written in this boot of the host: only then is its domid valid. */
gboolean xf_journal_is_of_this_boot (const XfJournal *journal, const XfJournalEntry *entry);

/* TRUE if the guest was being received here, and it is not known whether it has run. */
gboolean xf_journal_has_undecided (XfJournal *journal, const guint8 *uuid);

/* TRUE if the guest was received here and has ended, and its source host has taken it back to start it there. */
gboolean xf_journal_is_given_back (XfJournal *journal, const guint8 *uuid);

/* TRUE if a file that could not be read may be about this guest. */
gboolean xf_journal_may_know (const XfJournal *journal, const guint8 *uuid);

/* Files that could not be read, "PATH: REASON". */
const GPtrArray *xf_journal_unreadable (const XfJournal *journal);

/* journal/json.c: NULL and an error if @text is not an entry of this format. */
GBytes *xf_journal_entry_format (const XfJournalEntry *entry);
XfJournalEntry *xf_journal_entry_parse (const char *text, gsize length, GError **error);
/* Finds the UUID of the guest in a file of another format, if possible. */
gboolean xf_journal_entry_guess (const char *text, gsize length, guint8 *uuid_out);
void xf_journal_entry_free (XfJournalEntry *entry);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfJournalEntry, xf_journal_entry_free)
