/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/act/remains.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "libxl/guest/guest.h"
#include "libxl/guest/look.h"
#include "libxl/guest/removal.h"
#include "libxl/resource/leftover.h"
#include "libxl/xen/dominfo.h"

/* ---- the state in Xen ------------------------------------------------------------------------------------- */

static XfFound
found_of (const libxl_dominfo *info)
{
  if (info->dying)
    return XF_ABSENT;
  if (info->shutdown)
    return info->shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND ? XF_SUSPENDED : XF_RUNNING;
  return info->paused ? XF_PAUSED : XF_RUNNING;
}

/* A UUID is in the list more than once while a domain dies, and when an ended domain is kept under another name: the
 * living one counts. A list without Domain-0 is impossible: libxl could not read the list, and no conclusion is
 * drawn. */
XfFound
xf_remains_look (XfDriver *driver, const XfJournalEntry *entry, guint32 *domid_out)
{
  XfFound found = XF_ABSENT;
  g_auto (XfDominfoList) list = xf_dominfo_list (driver->ctx);

  *domid_out = 0;
  if (!list.items)
    return XF_N_FOUND;
  for (int i = 0; i < list.n && found == XF_ABSENT; i++) {
    if (!xf_uuid_equal (libxl_uuid_bytearray_const (&list.items[i].uuid), entry->uuid)
        || xf_look_is_preserved (driver, &list.items[i]))
      continue;
    found = found_of (&list.items[i]);
    *domid_out = list.items[i].domid;
  }
  return found;
}

const char *
xf_remains_describe (XfFound found)
{
  static const char *const words[XF_N_FOUND + 1] = { "absent", "paused", "suspended", "running",
                                                     "in an unknown state" };

  return words[found];
}

/* The copy that a migrated guest left behind. */
static gboolean
is_left_copy (const XfJournalEntry *entry, const libxl_dominfo *info)
{
  return entry->side == XF_SIDE_SOURCE && entry->final && entry->domid == (gint64)info->domid
         && found_of (info) == XF_SUSPENDED;
}

/* The copy that a migration receives here, or that it has cancelled. */
static gboolean
is_received_copy (const XfJournalEntry *entry, const libxl_dominfo *info)
{
  gboolean arrived = g_str_equal (entry->state, "running");
  gboolean cancelled = entry->final && g_str_equal (entry->state, "cancelled") && entry->domid == (gint64)info->domid;

  return entry->side == XF_SIDE_DESTINATION && (cancelled || !(entry->final || arrived))
         && found_of (info) == XF_PAUSED;
}

gboolean
xf_remains_are (XfDriver *driver, const libxl_dominfo *info)
{
  const guint8 *uuid = libxl_uuid_bytearray_const (&info->uuid);
  g_autoptr (GPtrArray) entries = xf_journal_of_guest (driver->journal, XF_SIDE_DESTINATION, uuid);
  g_autoptr (GPtrArray) left = xf_journal_of_guest (driver->journal, XF_SIDE_SOURCE, uuid);

  if (info->domid == 0)
    return FALSE;
  if (xf_removal_has (driver, info->domid))
    return TRUE;
  g_ptr_array_extend (entries, left, NULL, NULL);
  for (guint i = 0; i < entries->len; i++) {
    const XfJournalEntry *entry = entries->pdata[i];

    if ((is_left_copy (entry, info) || is_received_copy (entry, info))
        && xf_journal_is_of_this_boot (driver->journal, entry))
      return TRUE;
  }
  return FALSE;
}

XfDomainDef *
xf_remains_def (XfDriver *driver, const guint8 *uuid)
{
  g_autoptr (GPtrArray) entries = xf_journal_of_guest (driver->journal, XF_SIDE_DESTINATION, uuid);

  for (guint i = 0; i < entries->len; i++) {
    const XfJournalEntry *entry = entries->pdata[i];

    if (!entry->final && entry->xml)
      return xf_domain_def_parse (entry->xml, XF_DOMAIN_PARSE_INACTIVE, NULL);
  }
  return NULL;
}

/* ---- its two ends ------------------------------------------------------------------------------------------ */

static void settle_entry (XfDriver *driver, XfJournalEntry *entry);

/* What could not be given back stays in the journal for the next daemon. */
static void
given_back (const GError *error, gpointer data)
{
  XfDriver *driver = data;
  g_autoptr (GPtrArray) entries = xf_journal_list (driver->journal);

  for (guint i = 0; i < entries->len; i++) {
    XfJournalEntry *entry = entries->pdata[i];

    if (entry->use != XF_ENTRY_RELEASES || xf_leftover_has (driver, entry))
      continue;
    entry->use = XF_ENTRY_IDLE;
    if (entry->secret || entry->resources)
      xf_journal_write_final (driver->journal, entry, entry->state, NULL, NULL);
    else
      xf_journal_drop (driver->journal, entry);
  }
}

/* Its domain is gone, so the entry is an ordinary end. First the resources of a guest that did not arrive are given
 * back. The entry of a source without a journal, which never asks, is kept no longer than that. */
static void
settle_entry (XfDriver *driver, XfJournalEntry *entry)
{
  entry->use = XF_ENTRY_IDLE;
  if (entry->side == XF_SIDE_DESTINATION && entry->resources) {
    entry->use = XF_ENTRY_RELEASES;
    xf_leftover_give_back (driver, entry, given_back, driver);
  } else if (entry->side == XF_SIDE_DESTINATION && !entry->secret) {
    xf_journal_drop (driver->journal, entry);
  }
}

static void
removed (const GError *error, gpointer data)
{
  XfDriver *driver = data;
  g_autoptr (GPtrArray) entries = xf_journal_list (driver->journal);

  for (guint i = 0; i < entries->len; i++) {
    XfJournalEntry *entry = entries->pdata[i];

    if (entry->use != XF_ENTRY_REMOVED || xf_removal_find (driver, entry->uuid))
      continue;
    settle_entry (driver, entry);
  }
}

static void
destroy (XfDriver *driver, XfJournalEntry *entry, guint32 domid)
{
  g_message ("removing domain %u, which a migration of '%s' has left and which does not run here", domid, entry->name);
  entry->use = XF_ENTRY_REMOVED;
  (void)xf_removal_new (driver, domid, entry->uuid, NULL, removed, driver);
}

/* The entry of a source that never asks is kept only while it identifies a domain, or resources to give back. */
static void
close_entry (XfDriver *driver, XfJournalEntry *entry, const char *state)
{
  gboolean held = entry->resources && g_str_equal (state, "cancelled");

  if (entry->secret || held || xf_removal_find (driver, entry->uuid))
    xf_journal_write_final (driver->journal, entry, state, NULL, NULL);
  if (!xf_removal_find (driver, entry->uuid) && (held || !entry->secret))
    settle_entry (driver, entry);
}

void
xf_remains_cancel (XfDriver *driver, XfJournalEntry *entry, XfFound found, guint32 domid, const char *reason)
{
  if (found == XF_PAUSED) {
    entry->domid = domid;
    destroy (driver, entry, domid);
  }
  g_free (entry->reason);
  entry->reason = g_strdup (reason);
  close_entry (driver, entry, "cancelled");
}

/* The definition is stored before the guest runs. But the daemon may have ended before that, and the guest after it. */
void
xf_remains_arrive (XfDriver *driver, XfJournalEntry *entry)
{
  const char *xml = entry->persistent_xml ? entry->persistent_xml : entry->xml;
  g_autoptr (GError) error = NULL;
  g_autoptr (XfDomainRef) ref = NULL;
  XfGuest *guest = xf_guest_find_uuid (driver, entry->uuid);

  if (xml && entry->flags & VIR_MIGRATE_PERSIST_DEST && !(guest && guest->persistent))
    ref = xf_driver_domain_define (driver, xml, 0, &error);
  if (error)
    g_warning ("cannot store the definition of domain '%s', which has arrived by migration: %s", entry->name,
               error->message);
  xf_journal_guest_is_here (driver->journal, entry->uuid);
  g_clear_pointer (&entry->reason, g_free);
  close_entry (driver, entry, "running");
}

/* ---- an administrator's decision --------------------------------------------------------------------------- */

gboolean
xf_remains_resolve (XfDriver *driver, const guint8 *id, gboolean here, const char *how)
{
  g_autofree char *decided = g_strdup_printf ("decided by an administrator, with %s", how);
  XfJournalEntry *entry = xf_journal_find (driver->journal, XF_SIDE_DESTINATION, id);
  guint32 domid;

  if (!entry || entry->final || entry->use != XF_ENTRY_IDLE || xf_remains_look (driver, entry, &domid) != XF_ABSENT)
    return FALSE;
  g_message ("the migration of '%s' from '%s': an administrator has decided, with %s, that the guest %s", entry->name,
             entry->peer ? entry->peer : "an unnamed host", how, here ? "has arrived here" : "has not run here");
  if (here)
    xf_remains_arrive (driver, entry);
  else
    xf_remains_cancel (driver, entry, XF_ABSENT, 0, decided);
  return TRUE;
}

void
xf_remains_resolve_guest (XfDriver *driver, const guint8 *uuid)
{
  g_autoptr (GPtrArray) entries = xf_journal_of_guest (driver->journal, XF_SIDE_DESTINATION, uuid);

  for (guint i = 0; i < entries->len; i++)
    (void)xf_remains_resolve (driver, ((XfJournalEntry *)entries->pdata[i])->id, TRUE, "virsh start --force-boot");
}

static gboolean
has_left_domain (XfDriver *driver, const XfJournalEntry *entry)
{
  g_auto (XfDominfo) info = { 0 };

  return xf_dominfo_get (driver->ctx, (guint32)entry->domid, &info) == 0
         && xf_uuid_equal (libxl_uuid_bytearray_const (&info.uuid), entry->uuid)
         && (is_left_copy (entry, &info) || is_received_copy (entry, &info));
}

/* The daemon ended after it had written an end and before that end's domain was gone. There may be thousands of
 * entries, and each names its domain: the list of all domains is not read. */
void
xf_remains_destroy (XfDriver *driver, XfJournalEntry *entry)
{
  if (entry->domid > 0 && xf_journal_is_of_this_boot (driver->journal, entry) && has_left_domain (driver, entry))
    destroy (driver, entry, (guint32)entry->domid);
  else if (entry->side == XF_SIDE_DESTINATION && entry->resources)
    settle_entry (driver, entry);
}
