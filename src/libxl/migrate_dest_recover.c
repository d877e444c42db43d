/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A destination that the daemon before us left in the journal, as an object again. Which row of the table applies,
 * recover.c decides; here the migration goes on from there.
 */
#include "libxl/migrate_dest_private.h"

#include "base/error.h"

static gboolean
read_entry (XfMigrateDest *dest, GError **error)
{
  const XfJournalEntry *entry = dest->entry;

  if (!entry->xml) {
    g_set_error (error, XF_ERROR, XF_ERROR_INTERNAL, "its journal has no XML");
    return FALSE;
  }
  dest->def = xf_domain_def_parse (entry->xml, XF_DOMAIN_PARSE_INACTIVE, error);
  if (dest->def && entry->persistent_xml)
    dest->persistent = xf_domain_def_parse (entry->persistent_xml, XF_DOMAIN_PARSE_INACTIVE, error);
  return dest->def && (dest->persistent || !entry->persistent_xml);
}

/* The id of the state machine is there from the beginning: it is in every message. */
static XfMigrateDest *
dest_new (XfDriver *driver, XfJournalEntry *entry, guint32 domid)
{
  XfMigrateDest *dest = xf_migrate_dest_new (driver, NULL);

  memcpy (dest->id, entry->id, XF_UUID_LENGTH);
  dest->entry = entry;
  dest->name = g_strdup (entry->name);
  dest->from = g_strdup (entry->peer ? entry->peer : "an unnamed host");
  dest->secret = g_strdup (entry->secret);
  dest->from_xenferry = dest->secret != NULL;
  dest->params.flags = entry->flags;
  dest->domid = domid;
  dest->has_memory = dest->written = dest->announced = TRUE;
  xf_migrate_dest_identify (dest);
  return dest;
}

gboolean
xf_migrate_dest_recover (XfDriver *driver, XfJournalEntry *entry, guint32 domid, GError **error)
{
  XfMigrateDest *dest = dest_new (driver, entry, domid);
  gboolean decided = g_str_equal (entry->state, xf_migrate_dest_states[UNPAUSING].name);

  dest->ctx = xf_ctx_new (dest->sm.id, error);
  if (!dest->ctx || !read_entry (dest, error) || !xf_migrate_dest_reserve (dest, error)) {
    dest->entry = NULL;
    xf_migrate_dest_free (dest);
    return FALSE;
  }
  xf_migrate_progress_init (&dest->progress, dest->def->memory_kib * 1024);
  xf_migrations_add_dest (driver, dest);
  g_message ("%s, from '%s': the daemon ended when it was '%s'", dest->sm.id, dest->from, entry->state);
  if (!decided) {
    xf_sm_restore (&dest->sm, RESTORED);
    xf_migrate_dest_arm (dest, driver->config.finish_timeout_s);
    return TRUE;
  }
  dest->decided = TRUE;
  dest->finish_asked = TRUE; /* and its caller is gone */
  xf_sm_restore (&dest->sm, UNPAUSING);
  xf_migrate_dest_revive (dest);
  return TRUE;
}
