/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Makes a destination again from a journal entry that the last daemon left. recover.c chooses the row of the table;
 * the migration continues here.
 */
#include "libxl/dest/private.h"

#include "base/error.h"
#include "libxl/convert/config.h"

/* The definition made from libxl's configuration of the domain. */
static XfDomainDef *
def_from_libxl (XfMigrateDest *dest)
{
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  libxl_domain_config config;
  XfDomainDef *def = NULL;

  libxl_domain_config_init (&config);
  if (libxl_retrieve_domain_configuration (xf_ctx_libxl (dest->ctx), dest->domid, &config, NULL) == 0)
    def = xf_config_to_def (&config, notes, NULL);
  libxl_domain_config_dispose (&config);
  return def;
}

static XfDomainDef *
parse (const char *xml, const XfMigrateDest *dest)
{
  g_autoptr (GError) error = NULL;
  XfDomainDef *def = xml ? xf_domain_def_parse (xml, XF_DOMAIN_PARSE_INACTIVE, &error) : NULL;

  if (error)
    g_warning ("%s: the XML of its journal cannot be used: %s", dest->sm.id, error->message);
  return def;
}

/* The XML was valid when it was written. If this daemon refuses it, the domain here is still that of the guest, and
 * the migration does not fail because of it. */
static gboolean
read_entry (XfMigrateDest *dest, GError **error)
{
  const XfJournalEntry *entry = dest->entry;

  dest->def = parse (entry->xml, dest);
  if (!dest->def)
    dest->def = def_from_libxl (dest);
  if (!dest->def || !xf_uuid_equal (dest->def->uuid, entry->uuid)) {
    g_set_error (error, XF_ERROR, XF_ERROR_INTERNAL, "neither the XML in its journal entry nor libxl describes it");
    return FALSE;
  }
  dest->persistent = parse (entry->persistent_xml, dest);
  if (!xf_config_from_def (dest->def, &dest->config, NULL))
    g_warning ("%s: libxl's configuration cannot be made from its XML: its resources are not checked again",
               dest->sm.id);
  return xf_migrate_dest_find_resources (dest, NULL, NULL) || xf_migrate_dest_find_resources (dest, "", error);
}

/* The id of the state machine is set from the start: every message contains it. */
static XfMigrateDest *
dest_new (XfDriver *driver, XfJournalEntry *entry, guint32 domid)
{
  XfMigrateDest *dest = xf_migrate_dest_new (driver, NULL);

  memcpy (dest->id, entry->id, XF_UUID_LENGTH);
  dest->entry = entry;
  entry->use = XF_ENTRY_MIGRATES;
  dest->name = g_strdup (entry->name);
  dest->from = g_strdup (entry->peer ? entry->peer : "an unnamed host");
  dest->secret = g_strdup (entry->secret);
  dest->params.flags = entry->flags;
  dest->domid = domid;
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
    entry->use = XF_ENTRY_IDLE;
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
  dest->demand = XF_DEST_START;
  xf_sm_restore (&dest->sm, COMMITTING);
  xf_migrate_dest_revive (dest);
  return TRUE;
}
