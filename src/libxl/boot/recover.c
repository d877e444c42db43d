/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/boot/recover.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "libxl/guest/guest.h"
#include "libxl/dest/dest.h"
#include "libxl/source/source.h"
#include "libxl/act/remains.h"

typedef enum {
  S_FORGET,     /* the guest is here, or is gone for good */
  S_GO_ON,      /* xf_migrate_source_recover(): rolls back, asks or destroys, depending on its state */
  S_IF_DEFINED, /* the same if a definition is left to decide about, else S_FORGET */
} SourceAction;

typedef enum {
  D_CANCEL,  /* destroys the domain; it will never run */
  D_GO_ON,   /* xf_migrate_dest_recover(): waits for finish, or starts the guest, depending on its state */
  D_ARRIVED, /* the guest has run here, and may still run */
  D_LEAVE,   /* an administrator must check */
  D_ENDED,   /* the guest was started here and is gone: it has run, or the host was booted before that */
} DestAction;

/* ---- the table -------------------------------------------------------------------------------------------- */

static const struct {
  const char *state;
  SourceAction actions[XF_N_FOUND];
} source_rows[] = {
  /* Not everything was sent: no other host can run the guest. A guest that is absent has ended, or was lost in a
   * reboot. */
  { "sending", { [XF_ABSENT] = S_FORGET, [XF_PAUSED] = S_GO_ON, [XF_SUSPENDED] = S_GO_ON, [XF_RUNNING] = S_GO_ON } },
  /* The destination decides. A guest that runs, or is paused and not suspended, was resumed: by the administrator, or
   * by the last daemon just before its end. */
  { "sent", { [XF_ABSENT] = S_IF_DEFINED, [XF_PAUSED] = S_FORGET, [XF_SUSPENDED] = S_GO_ON, [XF_RUNNING] = S_FORGET } },
  /* Decided, by the destination or by the administrator. */
  { "rolling back",
    { [XF_ABSENT] = S_FORGET, [XF_PAUSED] = S_GO_ON, [XF_SUSPENDED] = S_GO_ON, [XF_RUNNING] = S_FORGET } },
  { "destroying",
    { [XF_ABSENT] = S_IF_DEFINED, [XF_PAUSED] = S_GO_ON, [XF_SUSPENDED] = S_GO_ON, [XF_RUNNING] = S_FORGET } },
};

static const struct {
  const char *state;
  DestAction actions[XF_N_FOUND];
} dest_rows[] = {
  { "prepared",
    { [XF_ABSENT] = D_CANCEL, [XF_PAUSED] = D_CANCEL, [XF_SUSPENDED] = D_ARRIVED, [XF_RUNNING] = D_ARRIVED } },
  { "restored",
    { [XF_ABSENT] = D_CANCEL, [XF_PAUSED] = D_GO_ON, [XF_SUSPENDED] = D_ARRIVED, [XF_RUNNING] = D_ARRIVED } },
  /* Only the guest's own end and a boot of the host remove the domain without a write to the journal first. */
  /* Written without `unpausing` for a guest that arrives paused. */
  { "running",
    { [XF_ABSENT] = D_ARRIVED, [XF_PAUSED] = D_ARRIVED, [XF_SUSPENDED] = D_ARRIVED, [XF_RUNNING] = D_ARRIVED } },
  { "unpausing",
    { [XF_ABSENT] = D_ENDED, [XF_PAUSED] = D_GO_ON, [XF_SUSPENDED] = D_ARRIVED, [XF_RUNNING] = D_ARRIVED } },
};

/* A domain of another boot does not exist in this one; but a guest that runs here runs here, whichever program
 * started it. */
static XfFound
look_for_half (XfDriver *driver, const XfJournalEntry *entry, guint32 *domid_out)
{
  XfFound found = xf_remains_look (driver, entry, domid_out);

  return found == XF_PAUSED && !xf_journal_is_of_this_boot (driver->journal, entry) ? XF_ABSENT : found;
}

/* ---- the actions ------------------------------------------------------------------------------------------ */

/* The guest was slowed down for a migration that is over, or will start again. */
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
  SourceAction action = S_GO_ON; /* for a state that this version does not know: asking is harmless */
  guint32 domid;
  XfFound found = xf_remains_look (driver, entry, &domid);

  for (guint i = 0; i < G_N_ELEMENTS (source_rows); i++) {
    if (found < XF_N_FOUND && g_str_equal (source_rows[i].state, entry->state))
      action = source_rows[i].actions[found];
  }
  g_message ("the journal has a migration of '%s' to '%s' that was '%s'; the domain is %s", entry->name,
             entry->peer ? entry->peer : "an unnamed host", entry->state, xf_remains_describe (found));
  if (entry->cap >= 0 && domid)
    uncap (driver, entry, domid);
  if (found == XF_N_FOUND)
    return; /* the next daemon tries again */
  if (action == S_FORGET || !guest || (action == S_IF_DEFINED && !guest->persistent))
    xf_journal_drop (driver->journal, entry);
  else
    xf_migrate_source_recover (driver, entry, guest);
}

/* A source without a journal takes its guest back when its connection ends, unless it has had the answer that the
 * guest is here. For a guest that arrives paused that answer needs only the written entry. */
static gboolean
is_taken_back (const XfJournalEntry *entry)
{
  return !entry->secret && !(g_str_equal (entry->state, "unpausing") && entry->flags & VIR_MIGRATE_PAUSED);
}

/* In this boot only its own end removes a guest. A boot of the host may have been before it ran or after: only a
 * guest that was to stay paused is known not to have run. */
static void
ended (XfDriver *driver, XfJournalEntry *entry)
{
  if (xf_journal_is_of_this_boot (driver->journal, entry)) {
    xf_remains_arrive (driver, entry);
    return;
  }
  if (entry->flags & VIR_MIGRATE_PAUSED) {
    xf_remains_cancel (driver, entry, XF_ABSENT, 0, "the host was booted before the guest ran here");
    return;
  }
  g_free (entry->reason);
  entry->reason = g_strdup_printf ("host '%s' was booted while the guest was being unpaused there: whether it has run, "
                                   "and so changed its disks, is not known",
                                   driver->hostname);
  g_warning (
    "domain '%s': %s. An administrator must decide: at '%s', which reports it to this host, or here with xenferry "
    "migrations --resolve",
    entry->name, entry->reason, entry->peer ? entry->peer : "an unnamed host");
}

static void
recover_dest (XfDriver *driver, XfJournalEntry *entry)
{
  g_autoptr (GError) error = NULL;
  DestAction action = D_LEAVE; /* for a state that this version does not know */
  guint32 domid;
  XfFound found = look_for_half (driver, entry, &domid);

  for (guint i = 0; i < G_N_ELEMENTS (dest_rows); i++) {
    if (found < XF_N_FOUND && g_str_equal (dest_rows[i].state, entry->state))
      action = dest_rows[i].actions[found];
  }
  g_message ("the journal has a migration of '%s' from '%s' that was '%s'; the domain is %s", entry->name,
             entry->peer ? entry->peer : "an unnamed host", entry->state, xf_remains_describe (found));
  if (action == D_GO_ON && is_taken_back (entry))
    action = D_CANCEL;
  switch (action) {
  case D_CANCEL:
    xf_remains_cancel (driver, entry, found, domid, "the daemon ended before the guest was complete here");
    return;
  case D_ENDED:
    ended (driver, entry);
    return;
  case D_ARRIVED:
    xf_remains_arrive (driver, entry);
    return;
  case D_GO_ON:
    if (xf_migrate_dest_recover (driver, entry, domid, &error))
      return;
    g_warning ("the migration of '%s' cannot be continued: %s", entry->name, error->message);
    if (g_str_equal (entry->state, "restored")) {
      xf_remains_cancel (driver, entry, found, domid, error->message);
      return;
    }
    g_free (entry->reason);
    entry->reason = g_strdup_printf ("it cannot be continued on host '%s': %s", driver->hostname, error->message);
    break;
  case D_LEAVE:
    break;
  }
  g_warning ("domain '%s' is not changed: '%s' waits for the answer whether it runs here, and an administrator must "
             "decide there",
             entry->name, entry->peer ? entry->peer : "an unnamed host");
}

void
xf_recover (XfDriver *driver)
{
  g_autoptr (GPtrArray) entries = xf_journal_list (driver->journal);

  for (guint i = 0; i < entries->len; i++) {
    XfJournalEntry *entry = entries->pdata[i];

    if (entry->final)
      xf_remains_destroy (driver, entry);
    else if (entry->side == XF_SIDE_SOURCE)
      recover_source (driver, entry);
    else
      recover_dest (driver, entry);
  }
}
