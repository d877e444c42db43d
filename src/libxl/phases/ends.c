/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/phases/ends.h"

#include "libxl/guest/driver_private.h"
#include "libxl/dest/dest.h"
#include "libxl/source/source.h"

/* Calls one of the two functions for each migration. Each call may end its migration and so change the list. */
static void
for_all (XfDriver *driver, void (*of_source) (XfMigrateSource *source, gconstpointer client),
         void (*of_dest) (XfMigrateDest *dest, gconstpointer client), gconstpointer client)
{
  g_autoptr (GPtrArray) sources = g_ptr_array_copy (driver->sources, NULL, NULL);
  g_autoptr (GPtrArray) destinations = g_ptr_array_copy (driver->destinations, NULL, NULL);

  for (guint i = 0; i < sources->len; i++) {
    if (g_ptr_array_find (driver->sources, sources->pdata[i], NULL))
      of_source (sources->pdata[i], client);
  }
  for (guint i = 0; i < destinations->len; i++) {
    if (g_ptr_array_find (driver->destinations, destinations->pdata[i], NULL))
      of_dest (destinations->pdata[i], client);
  }
}

static void
end_source (XfMigrateSource *source, gconstpointer client)
{
  xf_migrate_source_daemon_ends (source);
}

static void
end_dest (XfMigrateDest *dest, gconstpointer client)
{
  xf_migrate_dest_daemon_ends (dest);
}

void
xf_migrations_end (XfDriver *driver)
{
  driver->ends = TRUE;
  for_all (driver, end_source, end_dest, NULL);
}

void
xf_driver_client_gone (XfDriver *driver, gconstpointer client)
{
  for_all (driver, xf_migrate_source_client_gone, xf_migrate_dest_client_gone, client);
}
