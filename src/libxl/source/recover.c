/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Makes a source again from a journal entry that the last daemon left. recover.c chooses the row of the table; the
 * migration continues here.
 */
#include "libxl/source/private.h"

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "conf/uuid.h"

static guint
state_of (const XfJournalEntry *entry)
{
  for (guint i = 0; i < N_STATES; i++) {
    if (g_str_equal (xf_migrate_source_states[i].name, entry->state))
      return i;
  }
  return SETTLING; /* the journal of a version with more states: SETTLING is harmless */
}

static XfMigrateSource *
source_new (XfDriver *driver, XfJournalEntry *entry, XfGuest *guest)
{
  const char *host = entry->peer ? entry->peer : "an unnamed host";
  XfMigrateSource *source = xf_migrate_source_new (driver, guest, entry->id, host);

  source->entry = entry;
  source->params.flags = entry->flags;
  source->state_before = entry->was_paused ? VIR_DOMAIN_PAUSED : VIR_DOMAIN_RUNNING;
  source->request = entry->was_paused ? XF_REQUEST_WOKEN : XF_REQUEST_MADE;
  if (entry->was_paused)
    source->stand = XF_STAND_PAUSED;
  else if (guest->state == VIR_DOMAIN_PAUSED && guest->reason == VIR_DOMAIN_PAUSED_MIGRATION)
    source->stand = XF_STAND_HELD;
  return source;
}

void
xf_migrate_source_recover (XfDriver *driver, XfJournalEntry *entry, XfGuest *guest)
{
  g_autoptr (GError) error = NULL;
  XfMigrateSource *source = source_new (driver, entry, guest);
  guint state = state_of (entry);

  source->ctx = xf_ctx_new (source->sm.id, &error);
  /* Nothing else has begun yet: the guest has no job, and without libxl there would be no driver. */
  if (!source->ctx || !xf_job_begin (guest, &source->job, &error))
    g_error ("%s: %s", source->sm.id, error->message);
  xf_migrations_add_source (driver, source);
  {
    g_autofree char *text = g_strdup_printf ("the daemon ended when the migration was '%s'", entry->state);

    xf_migrate_source_set_ended_by (source, entry->reason ? entry->reason : text);
  }
  g_message ("%s, to '%s': the daemon ended when it was '%s'", source->sm.id, source->host, entry->state);
  switch (state) {
  case SENT:
  case SETTLING:
    xf_sm_restore (&source->sm, SETTLING);
    xf_migrate_source_settle (source, NULL, NULL, NULL);
    return;
  case DESTROYING:
    xf_sm_restore (&source->sm, DESTROYING);
    xf_migrate_source_leave (source);
    return;
  default: /* not everything was sent, or the destination has promised: no other host can run the guest */
    xf_sm_restore (&source->sm, ROLLING_BACK);
    xf_migrate_source_roll_back (source);
    return;
  }
}
