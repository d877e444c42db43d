/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/resource/leftover.h"

#include <string.h>

#include "libxl/convert/config.h"
#include "libxl/resource/resource.h"

typedef struct {
  XfDriver *driver;
  guint8 id[XF_UUID_LENGTH]; /* of the migration */
  XfDomainDef *def;
  libxl_domain_config config;
  XfResources *resources;
  XfDone done;
  gpointer data;
} Leftover;

static void
leftover_free (Leftover *leftover)
{
  xf_resources_free (leftover->resources);
  libxl_domain_config_dispose (&leftover->config);
  xf_domain_def_free (leftover->def);
  g_free (leftover);
}

static void
given_back (const GError *error, gpointer data)
{
  Leftover *leftover = data;
  XfJournalEntry *entry = xf_journal_find (leftover->driver->journal, XF_SIDE_DESTINATION, leftover->id);
  XfDone done = leftover->done;
  gpointer done_data = leftover->data;

  if (entry) {
    g_free (entry->resources);
    entry->resources = xf_resources_held (leftover->resources);
  }
  g_ptr_array_remove_fast (leftover->driver->leftovers, leftover);
  leftover_free (leftover);
  done (NULL, done_data);
}

void
xf_leftover_give_back (XfDriver *driver, XfJournalEntry *entry, XfDone done, gpointer data)
{
  g_autofree char *id = xf_uuid_to_string (entry->id);
  g_autoptr (GError) error = NULL;
  Leftover *leftover = g_new0 (Leftover, 1);
  XfResourceGuest guest = { XF_SIDE_DESTINATION, id, entry->peer, NULL, &leftover->config, (guint)entry->flags };

  leftover->driver = driver;
  memcpy (leftover->id, entry->id, XF_UUID_LENGTH);
  leftover->done = done;
  leftover->data = data;
  libxl_domain_config_init (&leftover->config);
  leftover->def = entry->xml ? xf_domain_def_parse (entry->xml, XF_DOMAIN_PARSE_INACTIVE, &error) : NULL;
  if (!leftover->def || !xf_config_from_def (leftover->def, &leftover->config, &error)) {
    g_warning (
      "migration %s of '%s': its resources cannot be given back, because its XML cannot be used: %s; give back "
      "by hand: %s",
      id, entry->name, error ? error->message : "there is none", entry->resources);
    leftover_free (leftover);
    done (NULL, data);
    return;
  }
  guest.def = leftover->def;
  leftover->resources = xf_resources_new_held (driver, &guest, entry->resources);
  if (!driver->leftovers)
    driver->leftovers = g_ptr_array_new ();
  g_ptr_array_add (driver->leftovers, leftover);
  xf_resources_run (leftover->resources, XF_VERB_ROLLBACK, given_back, leftover);
}

gboolean
xf_leftover_has (XfDriver *driver, const XfJournalEntry *entry)
{
  for (guint i = 0; driver->leftovers && i < driver->leftovers->len; i++) {
    if (xf_uuid_equal (((Leftover *)driver->leftovers->pdata[i])->id, entry->id))
      return TRUE;
  }
  return FALSE;
}

void
xf_leftovers_free (XfDriver *driver)
{
  if (!driver->leftovers)
    return;
  g_ptr_array_set_free_func (driver->leftovers, (GDestroyNotify)leftover_free);
  g_clear_pointer (&driver->leftovers, g_ptr_array_unref);
}
