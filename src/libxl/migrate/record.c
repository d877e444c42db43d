/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/migrate/record.h"

#include <string.h>

#include "conf/uuid.h"

typedef struct {
  XfMigrationInfo *info;
  guint8 uuid[XF_UUID_LENGTH];
  gboolean twice;
} Conflict;

struct XfRecord {
  GPtrArray *ends;      /* of XfMigrationInfo, oldest first */
  GPtrArray *conflicts; /* of Conflict */
};

static void
conflict_free (gpointer data)
{
  Conflict *conflict = data;

  xf_migration_info_free (conflict->info);
  g_free (conflict);
}

static struct XfRecord *
record_of (XfDriver *driver)
{
  if (driver->record)
    return driver->record;
  driver->record = g_new (struct XfRecord, 1);
  driver->record->ends = g_ptr_array_new_with_free_func ((GDestroyNotify)xf_migration_info_free);
  driver->record->conflicts = g_ptr_array_new_with_free_func (conflict_free);
  return driver->record;
}

static XfMigrationInfo *
copy (const XfMigrationInfo *info)
{
  XfMigrationInfo *fresh = g_memdup2 (info, sizeof (*info));

  fresh->guest = g_strdup (info->guest);
  fresh->state = g_strdup (info->state);
  fresh->peer = g_strdup (info->peer);
  fresh->reason = g_strdup (info->reason);
  return fresh;
}

static XfMigrationInfo *
copy_of_now (const XfMigrationInfo *info)
{
  XfMigrationInfo *fresh = copy (info);

  fresh->changed_s = g_get_real_time () / G_USEC_PER_SEC;
  return fresh;
}

static gboolean
is_same (const XfMigrationInfo *info, gboolean is_source, const guint8 *id)
{
  return info->is_source == is_source && xf_uuid_equal (info->id, id);
}

static XfMigrationInfo *
find_in (const GPtrArray *list, const XfMigrationInfo *like)
{
  for (guint i = 0; i < list->len; i++) {
    if (is_same (list->pdata[i], like->is_source, like->id))
      return list->pdata[i];
  }
  return NULL;
}

/* ---- ends ------------------------------------------------------------------------------------------------- */

void
xf_record_end (XfDriver *driver, const XfMigrationInfo *end)
{
  struct XfRecord *record = record_of (driver);
  XfMigrationInfo *former = find_in (record->ends, end);

  if (former)
    g_ptr_array_remove (record->ends, former);
  else if (record->ends->len >= XF_RECORD_MAX)
    g_ptr_array_remove_index (record->ends, 0);
  g_ptr_array_add (record->ends, copy_of_now (end));
}

/* ---- conflicts -------------------------------------------------------------------------------------------- */

gboolean
xf_record_is_active (XfDriver *driver, const guint8 *uuid)
{
  const XfGuest *guest = xf_guest_find_uuid (driver, uuid);

  return guest && guest->domid >= 0;
}

static Conflict *
find_conflict (const struct XfRecord *record, gboolean is_source, const guint8 *id)
{
  for (guint i = 0; i < record->conflicts->len; i++) {
    Conflict *conflict = record->conflicts->pdata[i];

    if (is_same (conflict->info, is_source, id))
      return conflict;
  }
  return NULL;
}

void
xf_record_conflict (XfDriver *driver, const XfMigrationInfo *info, const guint8 *uuid, gboolean twice)
{
  struct XfRecord *record = record_of (driver);
  XfGuest *guest = xf_guest_find_uuid (driver, uuid);
  Conflict *conflict = find_conflict (record, info->is_source, info->id);

  if (!conflict) {
    g_warning ("%s", info->reason);
    conflict = g_new0 (Conflict, 1);
    conflict->info = copy_of_now (info);
    memcpy (conflict->uuid, uuid, XF_UUID_LENGTH);
    g_ptr_array_add (record->conflicts, conflict);
  }
  conflict->twice = twice;
  if (guest)
    xf_guest_set_message (guest, info->reason);
}

void
xf_record_no_conflict (XfDriver *driver, gboolean is_source, const guint8 *id)
{
  Conflict *conflict = driver->record ? find_conflict (driver->record, is_source, id) : NULL;
  XfGuest *guest = conflict ? xf_guest_find_uuid (driver, conflict->uuid) : NULL;

  if (!conflict)
    return;
  g_message ("the conflict about domain '%s' is over", conflict->info->guest);
  if (guest && g_strcmp0 (guest->message, conflict->info->reason) == 0)
    xf_guest_set_message (guest, NULL);
  g_ptr_array_remove (driver->record->conflicts, conflict);
}

/* ---- for display ------------------------------------------------------------------------------------------ */

/* The conflict replaces what is known of the end of that migration. */
static void
add_conflict (GPtrArray *list, const Conflict *conflict)
{
  XfMigrationInfo *known = find_in (list, conflict->info);

  if (known)
    g_ptr_array_remove (list, known);
  g_ptr_array_add (list, copy (conflict->info));
}

void
xf_record_add_to (XfDriver *driver, GPtrArray *list)
{
  const struct XfRecord *record = driver->record;

  for (guint i = 0; record && i < record->ends->len; i++) {
    const XfMigrationInfo *end = record->ends->pdata[i];

    if (!xf_journal_find (driver->journal, end->is_source ? XF_SIDE_SOURCE : XF_SIDE_DESTINATION, end->id))
      g_ptr_array_add (list, copy (end));
  }
  for (guint i = 0; record && i < record->conflicts->len; i++) {
    const Conflict *conflict = record->conflicts->pdata[i];

    if (conflict->twice == xf_record_is_active (driver, conflict->uuid))
      add_conflict (list, conflict);
  }
}

void
xf_record_free (XfDriver *driver)
{
  if (!driver->record)
    return;
  g_ptr_array_unref (driver->record->ends);
  g_ptr_array_unref (driver->record->conflicts);
  g_clear_pointer (&driver->record, g_free);
}
