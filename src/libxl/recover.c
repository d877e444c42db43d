/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/recover.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "libxl/guest.h"
#include "libxl/look.h"
#include "libxl/migrate_dest.h"
#include "libxl/migrate_source.h"
#include "libxl/removal.h"

/* What Xen shows of a guest. What libxl is still building, and what it has restored, are both paused and look the same:
 * the journal tells one from the other. One that has stopped by itself has run. */
typedef enum { ABSENT, PAUSED, SUSPENDED, RUNNING, N_FOUND } Found;

static const char *const found_words[N_FOUND + 1] = { "absent", "paused", "suspended", "running", "not to be seen" };

typedef enum {
  S_FORGET,     /* the guest is here, or nobody misses it */
  S_GO_ON,      /* xf_migrate_source_recover(): rolls back, asks or destroys, as its state says */
  S_IF_DEFINED, /* the same where a definition is left to be decided about, else forget */
} SourceAction;

typedef enum {
  D_CANCEL,  /* what is there is destroyed; it will never run */
  D_GO_ON,   /* xf_migrate_dest_recover(): waits for finish, or begins to live, as its state says */
  D_ARRIVED, /* it has run here, and may do so still */
  D_LEAVE,   /* a person must look */
  D_ENDED,   /* what came to life here is gone: it has run, or the host was booted before that */
} DestAction;

/* ---- the table -------------------------------------------------------------------------------------------- */

static const struct {
  const char *state;
  SourceAction actions[N_FOUND];
} source_rows[] = {
  /* Not all was sent: nobody else can run it. One that is absent has ended, or went with a reboot. */
  { "sending", { [ABSENT] = S_FORGET, [PAUSED] = S_GO_ON, [SUSPENDED] = S_GO_ON, [RUNNING] = S_GO_ON } },
  /* The destination decides. One that runs, or is paused and not suspended, was resumed: by a person, or by us just
   * before the end. */
  { "sent", { [ABSENT] = S_IF_DEFINED, [PAUSED] = S_FORGET, [SUSPENDED] = S_GO_ON, [RUNNING] = S_FORGET } },
  /* Decided, by the destination or by a person. */
  { "rolling back", { [ABSENT] = S_FORGET, [PAUSED] = S_GO_ON, [SUSPENDED] = S_GO_ON, [RUNNING] = S_FORGET } },
  { "destroying", { [ABSENT] = S_IF_DEFINED, [PAUSED] = S_GO_ON, [SUSPENDED] = S_GO_ON, [RUNNING] = S_FORGET } },
};

static const struct {
  const char *state;
  DestAction actions[N_FOUND];
} dest_rows[] = {
  { "prepared", { [ABSENT] = D_CANCEL, [PAUSED] = D_CANCEL, [SUSPENDED] = D_ARRIVED, [RUNNING] = D_ARRIVED } },
  { "restored", { [ABSENT] = D_CANCEL, [PAUSED] = D_GO_ON, [SUSPENDED] = D_ARRIVED, [RUNNING] = D_ARRIVED } },
  /* Nothing takes it away without writing so first, but the end of the guest and a boot of the host. */
  /* Written by itself for one that arrives paused. */
  { "running", { [ABSENT] = D_ARRIVED, [PAUSED] = D_ARRIVED, [SUSPENDED] = D_ARRIVED, [RUNNING] = D_ARRIVED } },
  { "unpausing", { [ABSENT] = D_ENDED, [PAUSED] = D_GO_ON, [SUSPENDED] = D_ARRIVED, [RUNNING] = D_ARRIVED } },
};

/* ---- what Xen shows --------------------------------------------------------------------------------------- */

static Found
found_of (const libxl_dominfo *info)
{
  if (info->dying)
    return ABSENT;
  if (info->shutdown)
    return info->shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND ? SUSPENDED : RUNNING;
  return info->paused ? PAUSED : RUNNING;
}

/* A uuid is in the list more than once while a domain dies, and when an ended one is kept under another name: the one
 * that lives counts. A host without its own
 * domain cannot be: then libxl could not look, and nothing is concluded from that. */
static Found
look (XfDriver *driver, const XfJournalEntry *entry, guint32 *domid_out)
{
  Found found = ABSENT;
  int n = 0;
  libxl_dominfo *list = libxl_list_domain (xf_ctx_libxl (driver->ctx), &n);

  *domid_out = 0;
  if (!list)
    return N_FOUND;
  for (int i = 0; i < n && found == ABSENT; i++) {
    if (!xf_uuid_equal (libxl_uuid_bytearray_const (&list[i].uuid), entry->uuid)
        || xf_look_is_preserved (driver, &list[i]))
      continue;
    found = found_of (&list[i]);
    *domid_out = list[i].domid;
  }
  if (list)
    libxl_dominfo_list_free (list, n);
  return found;
}

/* A domain of another boot is none of this one; but one that runs here runs here, whoever started it. */
static Found
look_for_half (XfDriver *driver, const XfJournalEntry *entry, guint32 *domid_out)
{
  Found found = look (driver, entry, domid_out);

  return found == PAUSED && !xf_journal_is_of_this_boot (driver->journal, entry) ? ABSENT : found;
}

/* What a guest that has moved away has left here. */
static gboolean
is_shell (const XfJournalEntry *entry, const libxl_dominfo *info)
{
  return entry->side == XF_SIDE_SOURCE && entry->final && entry->domid == (gint64)info->domid
         && found_of (info) == SUSPENDED;
}

/* What a migration builds here, or has built in vain. */
static gboolean
is_copy (const XfJournalEntry *entry, const libxl_dominfo *info)
{
  gboolean arrived = g_str_equal (entry->state, "running");
  gboolean cancelled = entry->final && g_str_equal (entry->state, "cancelled") && entry->domid == (gint64)info->domid;

  return entry->side == XF_SIDE_DESTINATION && (cancelled || !(entry->final || arrived)) && found_of (info) == PAUSED;
}

gboolean
xf_recover_is_half (XfDriver *driver, const libxl_dominfo *info)
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

    if ((is_shell (entry, info) || is_copy (entry, info)) && xf_journal_is_of_this_boot (driver->journal, entry))
      return TRUE;
  }
  return FALSE;
}

XfDomainDef *
xf_recover_def (XfDriver *driver, const guint8 *uuid)
{
  g_autoptr (GPtrArray) entries = xf_journal_of_guest (driver->journal, XF_SIDE_DESTINATION, uuid);

  for (guint i = 0; i < entries->len; i++) {
    const XfJournalEntry *entry = entries->pdata[i];

    if (!entry->final && entry->xml)
      return xf_domain_def_parse (entry->xml, XF_DOMAIN_PARSE_INACTIVE, NULL);
  }
  return NULL;
}

/* ---- what follows ----------------------------------------------------------------------------------------- */

/* It was slowed down for a migration that is over, or will be begun anew. */
static void
uncap (XfDriver *driver, XfJournalEntry *entry, guint32 domid)
{
  if (xf_migrate_source_set_cap (driver->ctx, domid, (int)entry->cap) != 0)
    g_warning ("domain '%s' was slowed down by a migration and stays so: see xl sched-credit2", entry->name);
  entry->cap = -1;
}

static void
recover_source (XfDriver *driver, XfJournalEntry *entry)
{
  XfGuest *guest = xf_guest_find_uuid (driver, entry->uuid);
  SourceAction action = S_GO_ON; /* of a state that this version does not know: asking harms nobody */
  guint32 domid;
  Found found = look (driver, entry, &domid);

  for (guint i = 0; i < G_N_ELEMENTS (source_rows); i++) {
    if (found < N_FOUND && g_str_equal (source_rows[i].state, entry->state))
      action = source_rows[i].actions[found];
  }
  g_message ("the journal has a migration of '%s' to '%s' that was '%s'; the domain is %s", entry->name,
             entry->peer ? entry->peer : "an unnamed host", entry->state, found_words[found]);
  if (entry->cap >= 0 && domid)
    uncap (driver, entry, domid);
  if (found == N_FOUND)
    return; /* the next daemon looks again */
  if (action == S_FORGET || !guest || (action == S_IF_DEFINED && !guest->persistent))
    xf_journal_drop (driver->journal, entry);
  else
    xf_migrate_source_recover (driver, entry, guest);
}

/* An end whose domain is gone is an end like others; of a source without a journal, which never asks, it was kept only
 * to know what the domain is. */
static void
removed (const GError *error, gpointer data)
{
  XfDriver *driver = data;
  g_autoptr (GPtrArray) entries = xf_journal_list (driver->journal);

  for (guint i = 0; i < entries->len; i++) {
    XfJournalEntry *entry = entries->pdata[i];

    if (!entry->final || !entry->in_use || xf_removal_find (driver, entry->uuid)
        || xf_migrate_dest_find_id (driver, entry->id))
      continue;
    entry->in_use = FALSE;
    if (entry->side == XF_SIDE_DESTINATION && !entry->secret)
      xf_journal_drop (driver->journal, entry);
  }
}

static void
destroy (XfDriver *driver, XfJournalEntry *entry, guint32 domid)
{
  g_message ("domain %u is what a migration of '%s' has left, and does not run here: removing it", domid, entry->name);
  entry->in_use = TRUE;
  (void)xf_removal_new (driver, domid, entry->uuid, NULL, removed, driver);
}

/* The entry of a source that never asks is not kept, unless it says what a domain is. */
static void
close_entry (XfDriver *driver, XfJournalEntry *entry, const char *state)
{
  if (entry->secret || xf_removal_find (driver, entry->uuid))
    xf_journal_write_final (driver->journal, entry, state, NULL, NULL);
  else
    xf_journal_drop (driver->journal, entry);
}

static void
cancel (XfDriver *driver, XfJournalEntry *entry, Found found, guint32 domid, const char *reason)
{
  if (found == PAUSED) {
    entry->domid = domid;
    destroy (driver, entry, domid);
  }
  g_free (entry->reason);
  entry->reason = g_strdup (reason);
  close_entry (driver, entry, "cancelled");
}

/* Its definition is stored before it runs; but the daemon may have ended before that, and the guest after it. */
static void
arrive (XfDriver *driver, XfJournalEntry *entry)
{
  const char *xml = entry->persistent_xml ? entry->persistent_xml : entry->xml;
  g_autoptr (GError) error = NULL;
  g_autoptr (XfDomainRef) ref = NULL;
  XfGuest *guest = xf_guest_find_uuid (driver, entry->uuid);

  if (xml && entry->flags & VIR_MIGRATE_PERSIST_DEST && !(guest && guest->persistent))
    ref = xf_driver_domain_define (driver, xml, 0, &error);
  if (error)
    g_warning ("domain '%s' came by a migration, and its definition cannot be stored: %s", entry->name, error->message);
  xf_journal_guest_is_here (driver->journal, entry->uuid);
  g_clear_pointer (&entry->reason, g_free);
  close_entry (driver, entry, "running");
}

/* A source that has no journal takes its guest back when its connection is gone; unless it was told already that the
 * guest is here, which for one that arrives paused needs no more than what is written. */
static gboolean
is_taken_back (const XfJournalEntry *entry)
{
  return !entry->secret && !(g_str_equal (entry->state, "unpausing") && entry->flags & VIR_MIGRATE_PAUSED);
}

/* In this boot only its own end takes a guest away. A boot of the host may have come before it ran or after: only of
 * one that was to stay paused it is known that it did not run. */
static void
ended (XfDriver *driver, XfJournalEntry *entry)
{
  if (xf_journal_is_of_this_boot (driver->journal, entry)) {
    arrive (driver, entry);
    return;
  }
  if (entry->flags & VIR_MIGRATE_PAUSED) {
    cancel (driver, entry, ABSENT, 0, "the host was booted before the guest ran here");
    return;
  }
  g_free (entry->reason);
  entry->reason = g_strdup_printf ("host '%s' was booted while the guest was being unpaused there: whether it has run, "
                                   "and so changed its disks, is not known",
                                   driver->hostname);
  g_warning ("domain '%s': %s. A person decides: at '%s', which tells it to this host, or here with xenferry "
             "migrations --resolve",
             entry->name, entry->reason, entry->peer ? entry->peer : "an unnamed host");
}

gboolean
xf_recover_resolve (XfDriver *driver, const guint8 *id, gboolean here, const char *how)
{
  g_autofree char *decided = g_strdup_printf ("decided by a person, with %s", how);
  XfJournalEntry *entry = xf_journal_find (driver->journal, XF_SIDE_DESTINATION, id);
  guint32 domid;

  if (!entry || entry->final || xf_migrate_dest_find_id (driver, id) || look (driver, entry, &domid) != ABSENT)
    return FALSE;
  g_message ("the migration of '%s' from '%s': a person decides, with %s, that the guest %s", entry->name,
             entry->peer ? entry->peer : "an unnamed host", how, here ? "has come here" : "has not run here");
  if (here)
    arrive (driver, entry);
  else
    cancel (driver, entry, ABSENT, 0, decided);
  return TRUE;
}

void
xf_recover_resolve_guest (XfDriver *driver, const guint8 *uuid)
{
  g_autoptr (GPtrArray) entries = xf_journal_of_guest (driver->journal, XF_SIDE_DESTINATION, uuid);

  for (guint i = 0; i < entries->len; i++)
    (void)xf_recover_resolve (driver, ((XfJournalEntry *)entries->pdata[i])->id, TRUE, "virsh start --force-boot");
}

static void
recover_dest (XfDriver *driver, XfJournalEntry *entry)
{
  g_autoptr (GError) error = NULL;
  DestAction action = D_LEAVE; /* of a state that this version does not know */
  guint32 domid;
  Found found = look_for_half (driver, entry, &domid);

  for (guint i = 0; i < G_N_ELEMENTS (dest_rows); i++) {
    if (found < N_FOUND && g_str_equal (dest_rows[i].state, entry->state))
      action = dest_rows[i].actions[found];
  }
  g_message ("the journal has a migration of '%s' from '%s' that was '%s'; the domain is %s", entry->name,
             entry->peer ? entry->peer : "an unnamed host", entry->state, found_words[found]);
  if (action == D_GO_ON && is_taken_back (entry))
    action = D_CANCEL;
  switch (action) {
  case D_CANCEL:
    cancel (driver, entry, found, domid, "the daemon ended before the guest was complete here");
    return;
  case D_ENDED:
    ended (driver, entry);
    return;
  case D_ARRIVED:
    arrive (driver, entry);
    return;
  case D_GO_ON:
    if (xf_migrate_dest_recover (driver, entry, domid, &error))
      return;
    g_warning ("the migration of '%s' cannot be taken up again: %s", entry->name, error->message);
    if (g_str_equal (entry->state, "restored")) {
      cancel (driver, entry, found, domid, error->message);
      return;
    }
    g_free (entry->reason);
    entry->reason = g_strdup_printf ("it cannot be taken up again on host '%s': %s", driver->hostname, error->message);
    break;
  case D_LEAVE:
    break;
  }
  g_warning ("domain '%s' is left as it is: '%s' waits to be told whether it runs here, and a person must decide there",
             entry->name, entry->peer ? entry->peer : "an unnamed host");
}

/* The daemon ended between an end's being written and the end of the domain that it is about. There may be thousands,
 * and each names its domain: no list of all is asked for. */
static void
bury (XfDriver *driver, XfJournalEntry *entry)
{
  libxl_dominfo info;

  if (entry->domid <= 0 || !xf_journal_is_of_this_boot (driver->journal, entry))
    return;
  libxl_dominfo_init (&info);
  if (libxl_domain_info (xf_ctx_libxl (driver->ctx), &info, (uint32_t)entry->domid) == 0
      && xf_uuid_equal (libxl_uuid_bytearray_const (&info.uuid), entry->uuid)
      && (is_shell (entry, &info) || is_copy (entry, &info)))
    destroy (driver, entry, info.domid);
  libxl_dominfo_dispose (&info);
}

void
xf_recover (XfDriver *driver)
{
  g_autoptr (GPtrArray) entries = xf_journal_list (driver->journal);

  for (guint i = 0; i < entries->len; i++) {
    XfJournalEntry *entry = entries->pdata[i];

    if (entry->final)
      bury (driver, entry);
    else if (entry->side == XF_SIDE_SOURCE)
      recover_source (driver, entry);
    else
      recover_dest (driver, entry);
  }
}
