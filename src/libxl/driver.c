/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The driver object: its creation, its parts in order, its end.
 */
#include "driver.h"

#include <libvirt/libvirt.h>
#include <unistd.h>

#include "base/error.h"
#include "base/watch.h"
#include "libxl/boot/autostart.h"
#include "libxl/act/death.h"
#include "libxl/boot/discover.h"
#include "libxl/guest/definitions.h"
#include "libxl/guest/driver_private.h"
#include "libxl/act/dump.h"
#include "libxl/guest/hook.h"
#include "libxl/boot/find.h"
#include "libxl/guest/guest.h"
#include "libxl/resource/leftover.h"
#include "libxl/resource/retry.h"
#include "libxl/phases/ends.h"
#include "libxl/migrate/check.h"
#include "libxl/migrate/migrations.h"
#include "libxl/transport/door.h"
#include "libxl/boot/recover.h"
#include "libxl/guest/removal.h"
#include "libxl/act/restart.h"
#include "libxl/migrate/record.h"
#include "libxl/migrate/telling.h"
#include "libxl/guest/store.h"

/* The time for which the end of the daemon waits for operations in progress. */
#define END_TIMEOUT_S 5

/* Turns of the loop for the answers and waiters of the last operation. */
#define END_TURNS 4

static char *
read_boot_id (void)
{
  char *id = xf_watcher_boot_id ? xf_watcher_boot_id () : NULL;

  if (id)
    return id;
  if (!g_file_get_contents ("/proc/sys/kernel/random/boot_id", &id, NULL, NULL))
    return g_strdup ("unknown");
  return g_strchomp (id);
}

static gboolean
open_journal (XfDriver *driver, GError **error)
{
  g_autofree char *dir = g_build_filename (driver->config.lib_dir, "migrations", NULL);

  driver->journal = xf_journal_open (dir, driver->config.boot_id, error);
  return driver->journal != NULL;
}

XfDriver *
xf_driver_new (const XfDriverConfig *config, const XfPeerOps *peers, gpointer peers_data, GError **error)
{
  XfDriver *driver = g_new0 (XfDriver, 1);

  xf_driver_config_copy (&driver->config, config);
  if (!driver->config.boot_id)
    driver->config.boot_id = read_boot_id ();
  driver->peers = peers;
  driver->peers_data = peers_data;
  driver->hostname = g_strdup (g_get_host_name ());
  driver->guests = g_ptr_array_new_with_free_func ((GDestroyNotify)xf_guest_free);
  driver->claims = g_ptr_array_new ();
  driver->removals = g_ptr_array_new ();
  driver->dumps = g_ptr_array_new ();
  driver->hooks = g_ptr_array_new ();
  driver->sources = g_ptr_array_new ();
  driver->destinations = g_ptr_array_new ();
  driver->door = xf_migrate_door_new ();
  driver->ctx = xf_ctx_new ("libxl", error);
  if (!driver->ctx || !xf_store_open (driver, error) || !open_journal (driver, error)) {
    xf_driver_free (driver);
    return NULL;
  }
  xf_death_start (driver);
  xf_definitions_load (driver);
  if (!xf_find_running (driver, error)) {
    xf_driver_free (driver);
    return NULL;
  }
  xf_recover (driver);
  xf_hooks_reconnect (driver);
  driver->discover = xf_discover_new (driver);
  return driver;
}

static gboolean
tick (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

static gboolean
is_busy (XfDriver *driver)
{
  gboolean busy = !xf_removals_stop (driver) || driver->sources->len || driver->destinations->len || driver->hooks->len;

  for (guint i = 0; !busy && i < driver->guests->len; i++)
    busy = ((XfGuest *)driver->guests->pdata[i])->job != NULL;
  return busy;
}

/* Jobs hold operations of libxl, which cannot be dropped: they are aborted, and the loop runs until they have ended.
 * An operation that does not end in time ends with the process. */
static void
settle_down (XfDriver *driver)
{
  gint64 deadline = g_get_monotonic_time () + END_TIMEOUT_S * G_USEC_PER_SEC;
  guint id = g_timeout_add (50, tick, NULL);

  xf_autostart_stop (driver);
  xf_migrations_end (driver);
  xf_restarts_stop (driver);
  xf_hooks_end (driver);
  do {
    while (is_busy (driver) && g_get_monotonic_time () < deadline)
      g_main_context_iteration (NULL, TRUE);
    /* What the ended operations have left for the loop needs the driver. */
    for (guint turn = 0; turn < END_TURNS; turn++)
      g_main_context_iteration (NULL, FALSE);
  } while (is_busy (driver) && g_get_monotonic_time () < deadline);
  if (is_busy (driver))
    g_warning ("ending although an operation on a guest has not ended");
  g_source_remove (id);
}

void
xf_driver_free (XfDriver *driver)
{
  driver->listener = NULL;
  g_clear_pointer (&driver->discover, xf_discover_free);
  if (driver->ctx) {
    settle_down (driver);
    xf_death_stop (driver);
  }
  xf_checks_stop (driver);
  xf_leftovers_free (driver);
  xf_retries_free (driver);
  g_clear_pointer (&driver->journal, xf_journal_free);
  g_clear_pointer (&driver->door, xf_migrate_door_free);
  xf_dumps_forget (driver);
  xf_hooks_free (driver);
  g_ptr_array_unref (driver->guests);
  g_ptr_array_unref (driver->claims);
  xf_tellings_free (driver);
  xf_record_free (driver);
  xf_removals_free (driver);
  g_ptr_array_unref (driver->sources);
  g_ptr_array_unref (driver->destinations);
  g_clear_pointer (&driver->ctx, xf_ctx_free);
  xf_driver_config_clear (&driver->config);
  g_free (driver->hostname);
  g_free (driver);
}

void
xf_driver_take_connection (XfDriver *driver, int fd, XfDriverOther other, gpointer data)
{
  xf_migrate_door_take (driver->door, fd, other, data);
}

void
xf_driver_set_listener (XfDriver *driver, XfEventFunc func, gpointer data)
{
  driver->listener = func;
  driver->listener_data = data;
}

void
xf_driver_set_client_probe (XfDriver *driver, gboolean (*is_there) (gconstpointer client))
{
  driver->client_is_there = is_there;
}

gboolean
xf_driver_supports_feature (XfDriver *driver, int feature)
{
  switch (feature) {
  case 4:  /* MIGRATION_P2P */
  case 6:  /* MIGRATION_V3 */
  case 7:  /* MIGRATE_CHANGE_PROTECTION: else a failed prepare is never confirmed (docs/wire.md, Features) */
  case 12: /* MIGRATION_OFFLINE */
  case 13: /* MIGRATION_PARAMS */
  case XF_FEATURE_XENFERRY:
    return TRUE;
  default:
    return FALSE;
  }
}

const char *
xf_driver_hostname (XfDriver *driver)
{
  return driver->hostname;
}
