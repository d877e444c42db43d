/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The journal and the record for the administrator: migrations under way, the ones that wait and for which host, how
 * they ended, conflicts; and the administrator's decision for a source that still asks.
 */
#include <string.h>

#include "base/error.h"
#include "libxl/guest/driver_private.h"
#include "libxl/dest/dest.h"
#include "libxl/source/source.h"
#include "libxl/guest/operation.h"
#include "libxl/migrate/record.h"
#include "libxl/act/remains.h"

static XfMigrateSource *
find_source (XfDriver *driver, const guint8 *id)
{
  g_autofree char *text = xf_uuid_to_string (id);

  for (guint i = 0; i < driver->sources->len; i++) {
    if (g_str_equal (xf_migrate_source_id (driver->sources->pdata[i]), text))
      return driver->sources->pdata[i];
  }
  return NULL;
}

/* The state of a migration under way is newer than its last write. */
static const char *
state_of (XfDriver *driver, const XfJournalEntry *entry)
{
  XfMigrateSource *source = entry->side == XF_SIDE_SOURCE ? find_source (driver, entry->id) : NULL;
  XfMigrateDest *dest = entry->side == XF_SIDE_DESTINATION ? xf_migrate_dest_find_id (driver, entry->id) : NULL;

  if (source)
    return xf_migrate_source_state (source);
  return dest ? xf_migrate_dest_state (dest) : entry->state;
}

static XfMigrationInfo *
describe (XfDriver *driver, const XfJournalEntry *entry)
{
  XfMigrationInfo *info = g_new0 (XfMigrationInfo, 1);

  memcpy (info->id, entry->id, XF_UUID_LENGTH);
  info->is_source = entry->side == XF_SIDE_SOURCE;
  info->is_final = entry->final;
  info->guest = g_strdup (entry->name);
  info->state = g_strdup (state_of (driver, entry));
  info->peer = g_strdup (entry->peer);
  info->reason = g_strdup (entry->given_back ? "given back: its source host may start it" : entry->reason);
  info->changed_s = entry->changed_s;
  return info;
}

static int
by_change (gconstpointer a, gconstpointer b)
{
  const XfMigrationInfo *first = *(const XfMigrationInfo *const *)a, *second = *(const XfMigrationInfo *const *)b;

  return first->changed_s < second->changed_s ? -1 : first->changed_s > second->changed_s;
}

GPtrArray *
xf_driver_migrations (XfDriver *driver)
{
  GPtrArray *list = g_ptr_array_new_with_free_func ((GDestroyNotify)xf_migration_info_free);
  g_autoptr (GPtrArray) entries = xf_journal_list (driver->journal);
  const GPtrArray *unreadable = xf_journal_unreadable (driver->journal);

  for (guint i = 0; i < entries->len; i++)
    g_ptr_array_add (list, describe (driver, entries->pdata[i]));
  xf_record_add_to (driver, list);
  g_ptr_array_sort (list, by_change);
  for (guint i = 0; i < unreadable->len; i++) {
    XfMigrationInfo *info = g_new0 (XfMigrationInfo, 1);

    info->reason = g_strdup (unreadable->pdata[i]);
    g_ptr_array_add (list, info);
  }
  return list;
}

void
xf_driver_migration_resolve (XfDriver *driver, const guint8 *id, gboolean here, XfDone done, gpointer data)
{
  XfMigrateSource *source = find_source (driver, id);
  XfGuest *guest = source ? xf_migrate_source_guest (source) : NULL;
  g_autofree char *text = NULL;
  GError *error = NULL;

  if (source && !here && xf_migrate_source_is_stuck (source)) {
    g_set_error (
      &error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
      "domain '%s' does not run at '%s': its migration is rolled back, and the guest could not be resumed here. "
      "To end the guest: virsh destroy '%s'",
      guest->name, xf_migrate_source_host (source), guest->name);
    xf_operation_answer (done, NULL, data, error, NULL);
    return;
  }
  if (guest && xf_job_decide (guest, here, here ? "--resolve here" : "--resolve there", done, data))
    return;
  if (xf_remains_resolve (driver, id, here, here ? "--resolve here" : "--resolve there")) {
    xf_operation_answer (done, NULL, data, NULL, NULL);
    return;
  }
  text = xf_uuid_to_string (id);
  g_set_error (&error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
               "migration %s does not wait for a decision here: only a source that is 'settling' or 'stuck' does, and "
               "a destination whose host was booted while it was 'unpausing'",
               text);
  xf_operation_answer (done, NULL, data, error, NULL);
}
