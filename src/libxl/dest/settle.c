/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Answers a source that asks for the result of its migration. The answer is a promise, and so is durable before it is
 * given: an entry was written before its guest ran, and a migration that is undecided at the time of the question is
 * cancelled by it.
 */
#include "libxl/dest/private.h"

#include <string.h>

#include "base/error.h"
#include "base/secret.h"
#include "libxl/act/remains.h"
#include "libxl/migrate/record.h"

typedef struct {
  XfVerdictDone done;
  gpointer data;
  XfVerdict verdict;
  GError *error;
} Answer;

static gboolean
deliver (gpointer data)
{
  Answer *answer = data;

  answer->done (answer->verdict, answer->error, answer->data);
  g_clear_error (&answer->error);
  g_free (answer);
  return G_SOURCE_REMOVE;
}

/* @error is taken. */
static void
answer_later (XfVerdictDone done, gpointer data, XfVerdict verdict, GError *error)
{
  Answer *answer = g_new (Answer, 1);

  *answer = (Answer){ done, data, verdict, error };
  g_idle_add_full (G_PRIORITY_DEFAULT, deliver, answer, NULL);
}

static GError *
unknown (const XfDriver *driver, const guint8 *id)
{
  g_autofree char *text = xf_uuid_to_string (id);

  return g_error_new (XF_ERROR, XF_ERROR_NO_DOMAIN,
                      "host '%s' knows nothing of migration %s: it was never there, it is older than a day, or the "
                      "journal was lost",
                      driver->hostname, text);
}

static GError *
undecided (const XfDriver *driver, const XfJournalEntry *entry)
{
  return g_error_new (XF_ERROR, XF_ERROR_OPERATION_FAILED,
                      "host '%s' cannot answer: %s; an administrator must decide, at the source or there (xenferry "
                      "migrations --resolve)",
                      driver->hostname,
                      entry->reason ? entry->reason : "its journal has the migration, which could not be continued");
}

typedef struct {
  XfVerdictDone done;
  gpointer data;
  XfVerdict verdict;
} Telling;

static void
rewritten (const GError *error, gpointer data)
{
  g_autofree Telling *telling = data;

  telling->done (telling->verdict, error, telling->data);
}

/* A cancellation, or that the guest was given back, may be known here and not be on disk yet: a promise must survive
 * a crash. */
static void
tell_when_durable (XfDriver *driver, XfJournalEntry *entry, XfVerdict verdict, XfVerdictDone done, gpointer data)
{
  Telling *telling = g_new (Telling, 1);

  *telling = (Telling){ done, data, verdict };
  entry->answered = TRUE;
  xf_journal_write_final (driver->journal, entry, entry->state, rewritten, telling);
}

/* The guest was started here. TRUE if it has ended: it does not run here, and has not moved on to another host. */
static gboolean
has_ended (XfDriver *driver, const XfJournalEntry *entry)
{
  const XfGuest *guest = xf_guest_find_uuid (driver, entry->uuid);

  return !entry->reason && !(guest && (guest->domid >= 0 || guest->job));
}

/* The guest is to be started on its source host: before that is allowed, this host must not start it any longer,
 * neither by autostart nor by a client's start without --force-boot. A guest without a definition here cannot be
 * started from one. */
static void
give_back (XfDriver *driver, XfJournalEntry *entry, XfVerdictDone done, gpointer data)
{
  const XfGuest *guest = xf_guest_find_uuid (driver, entry->uuid);

  entry->given_back = guest && guest->persistent;
  g_message ("domain '%s' has ended here and is to be started at '%s'%s", entry->name,
             entry->peer ? entry->peer : "an unnamed host",
             entry->given_back ? ": it is started here only with virsh start --force-boot" : "");
  tell_when_durable (driver, entry, XF_VERDICT_HAS_RUN, done, data);
}

/* The source reports that the guest runs there, and it runs here; any other question says that it does not run there.
 */
static void
note_conflict (XfDriver *driver, const guint8 *id, const guint8 *uuid, const char *name, const char *from,
               XfPurpose purpose)
{
  g_autofree char *text = g_strdup_printf (
    "domain '%s' runs on two hosts: an administrator has decided at its source, '%s', that it continues there, and it "
    "runs here too. Both copies write to its disks: end one of them now with virsh destroy, and check its disks",
    name, from ? from : "an unnamed host");
  XfMigrationInfo conflict = { .guest = (char *)name, .peer = (char *)from, .reason = text };

  conflict.state = (char *)"conflict";
  memcpy (conflict.id, id, XF_UUID_LENGTH);
  if (purpose == XF_PURPOSE_HERE)
    xf_record_conflict (driver, &conflict, uuid, TRUE);
  else
    xf_record_no_conflict (driver, FALSE, id);
}

/* `running` was on disk before the guest ran. */
static void
tell_runs (XfDriver *driver, XfJournalEntry *entry, XfPurpose purpose, XfVerdictDone done, gpointer data)
{
  XfVerdict verdict = has_ended (driver, entry) ? XF_VERDICT_HAS_RUN : XF_VERDICT_RUNS;

  if (!entry->answered) {
    entry->answered = TRUE;
    xf_journal_write_final (driver->journal, entry, entry->state, NULL, NULL);
  }
  note_conflict (driver, entry->id, entry->uuid, entry->name, entry->peer,
                 verdict == XF_VERDICT_RUNS ? purpose : XF_PURPOSE_KNOW);
  answer_later (done, data, verdict, NULL);
}

static gboolean
is_secret (const char *secret, const char *guess)
{
  gsize length = secret ? strlen (secret) : 0;

  return length > 0 && strlen (guess) == length && xf_secret_equal (secret, guess, length);
}

void
xf_migrate_dest_tell_settlers (XfMigrateDest *dest, XfVerdict verdict, const GError *error)
{
  for (guint i = 0; i < dest->settlers->len; i++) {
    XfMigrateSettler *settler = &g_array_index (dest->settlers, XfMigrateSettler, i);

    if (!error && verdict == XF_VERDICT_RUNS)
      note_conflict (dest->driver, dest->id, dest->guest->uuid, dest->name, dest->from, settler->purpose);
    settler->done (verdict, error, settler->data);
  }
  g_array_set_size (dest->settlers, 0);
}

/* An administrator says that the guest has arrived here, and it has not: this domain may be the last copy. */
static GError *
not_called (XfMigrateDest *dest)
{
  return xf_migrate_dest_error (
    dest, xf_sm_name (&dest->sm), XF_ERROR_OPERATION_INVALID,
    "an administrator has decided at its source that it runs here, but finish was not called");
}

/* Cancels a migration that is undecided, unless the question says that it has arrived here. */
static void
settle (XfMigrateDest *dest, const char *secret, XfPurpose purpose, XfVerdictDone done, gpointer data)
{
  gboolean decided = dest->demand != XF_DEST_AWAITS_FINISH || xf_migrate_dest_rolls_back (dest);
  const XfMigrateSettler settler = { done, data, purpose };

  if (!is_secret (dest->secret, secret)) {
    answer_later (done, data, XF_VERDICT_WILL_NOT_RUN, unknown (dest->driver, dest->id));
    return;
  }
  if (dest->sm.state == FAILED) {
    answer_later (done, data, XF_VERDICT_WILL_NOT_RUN, NULL);
    return;
  }
  if (purpose == XF_PURPOSE_THERE && !decided) {
    answer_later (done, data, XF_VERDICT_WILL_NOT_RUN, not_called (dest));
    return;
  }
  g_array_append_val (dest->settlers, settler);
  if (dest->entry)
    dest->entry->answered = TRUE;
  /* A finish in progress decides; a roll back answers once the result is certain. */
  if (decided)
    return;
  dest->error = xf_migrate_dest_error (dest, xf_sm_name (&dest->sm), XF_ERROR_ABORTED,
                                       "its source asked whether the guest runs here before finish was called");
  xf_migrate_dest_roll_back (dest);
}

void
xf_driver_settle (XfDriver *driver, const guint8 *id, const char *secret, XfPurpose purpose, XfVerdictDone done,
                  gpointer data)
{
  XfMigrateDest *dest = xf_migrate_dest_find_id (driver, id);
  XfJournalEntry *entry;

  if (dest) {
    settle (dest, secret, purpose, done, data);
    return;
  }
  entry = xf_journal_find (driver->journal, XF_SIDE_DESTINATION, id);
  if (!entry || !is_secret (entry->secret, secret)) {
    answer_later (done, data, XF_VERDICT_WILL_NOT_RUN, unknown (driver, id));
    return;
  }
  if (purpose == XF_PURPOSE_HERE || purpose == XF_PURPOSE_THERE)
    (void)xf_remains_resolve (driver, id, purpose == XF_PURPOSE_THERE, "a command at its source");
  if (!entry->final)
    answer_later (done, data, XF_VERDICT_WILL_NOT_RUN, undecided (driver, entry));
  else if (!g_str_equal (entry->state, xf_migrate_dest_states[RUNNING].name))
    tell_when_durable (driver, entry, XF_VERDICT_WILL_NOT_RUN, done, data);
  else if (purpose == XF_PURPOSE_START && has_ended (driver, entry))
    give_back (driver, entry, done, data);
  else
    tell_runs (driver, entry, purpose, done, data);
}
