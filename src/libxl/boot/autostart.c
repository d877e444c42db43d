/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/boot/autostart.h"

#include "libxl/guest/guest.h"

#define LOOK_S 1

static void
autostarted (const XfDomainRef *ref, const GError *error, gpointer data)
{
  if (error)
    g_warning ("autostart: %s", error->message);
}

/* TRUE if the guest may run on another host, and no migration is under way that would ask. */
static gboolean
is_elsewhere (XfGuest *guest)
{
  XfJournal *journal = guest->driver->journal;
  g_autoptr (GPtrArray) entries = xf_journal_of_guest (journal, XF_SIDE_SOURCE, guest->uuid);

  if (xf_journal_is_given_back (journal, guest->uuid)) {
    g_message ("autostart: domain '%s' is not started, it was given back to its source host", guest->name);
    return TRUE;
  }
  if (xf_journal_may_know (journal, guest->uuid) || xf_journal_has_undecided (journal, guest->uuid)) {
    g_warning (
      "autostart: domain '%s' is not started: its journal entry cannot be read, or waits for an "
      "administrator's decision (see xenferry migrations); start it by hand if it does not run on another host",
      guest->name);
    return TRUE;
  }
  if (entries->len == 0)
    return FALSE;
  g_message ("autostart: domain '%s' is not started, it has moved to another host; start it by hand where it is to run",
             guest->name);
  return TRUE;
}

/* FALSE: a migration of the guest is asking its destination; try again later. */
static gboolean
autostart (XfGuest *guest)
{
  if (!guest->autostart || guest->domid >= 0)
    return TRUE;
  if (guest->job)
    return FALSE;
  if (!is_elsewhere (guest))
    xf_driver_domain_start (guest->driver, guest->uuid, 0, autostarted, NULL);
  return TRUE;
}

static gboolean
is_over (gpointer uuid, gpointer driver)
{
  XfGuest *guest = xf_guest_find_uuid (driver, uuid);

  return !guest || autostart (guest);
}

static gboolean
look (gpointer data)
{
  XfDriver *driver = data;

  for (guint i = driver->autostarts->len; i > 0; i--) {
    if (is_over (driver->autostarts->pdata[i - 1], driver))
      g_ptr_array_remove_index (driver->autostarts, i - 1);
  }
  if (driver->autostarts->len)
    return G_SOURCE_CONTINUE;
  driver->autostart_id = 0;
  return G_SOURCE_REMOVE;
}

void
xf_driver_autostart (XfDriver *driver)
{
  g_autofree char *marker = g_build_filename (driver->config.state_dir, "autostarted", NULL);
  g_autofree char *done_for = NULL;

  /* A restart of the daemon is not a boot of the host. */
  if (g_file_get_contents (marker, &done_for, NULL, NULL) && g_str_equal (done_for, driver->config.boot_id))
    return;
  (void)g_file_set_contents (marker, driver->config.boot_id, -1, NULL);
  driver->autostarts = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < driver->guests->len; i++) {
    XfGuest *guest = driver->guests->pdata[i];

    if (autostart (guest))
      continue;
    g_message ("autostart: domain '%s' is not started yet, it may have moved to another host, which is being asked",
               guest->name);
    g_ptr_array_add (driver->autostarts, g_memdup2 (guest->uuid, XF_UUID_LENGTH));
  }
  if (driver->autostarts->len)
    driver->autostart_id = g_timeout_add_seconds (LOOK_S, look, driver);
}

void
xf_autostart_stop (XfDriver *driver)
{
  g_clear_handle_id (&driver->autostart_id, g_source_remove);
  g_clear_pointer (&driver->autostarts, g_ptr_array_unref);
}
