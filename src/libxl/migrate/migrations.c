/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/migrate/migrations.h"

#include "libxl/guest/driver_private.h"

/* ---- the lists -------------------------------------------------------------------------------------------- */

void
xf_migrations_add_source (XfDriver *driver, XfMigrateSource *source)
{
  g_ptr_array_add (driver->sources, source);
}

void
xf_migrations_remove_source (XfDriver *driver, XfMigrateSource *source)
{
  g_ptr_array_remove (driver->sources, source);
}

void
xf_migrations_add_dest (XfDriver *driver, XfMigrateDest *dest)
{
  g_ptr_array_add (driver->destinations, dest);
}

void
xf_migrations_remove_dest (XfDriver *driver, XfMigrateDest *dest)
{
  g_ptr_array_remove (driver->destinations, dest);
}

XfCookie *
xf_migrate_cookie_new (XfDriver *driver, const char *name, const guint8 *uuid, const guint8 *id)
{
  XfCookie *cookie = xf_cookie_new (name, uuid, driver->hostname);

  xf_cookie_set_peer (cookie, id);
  return cookie;
}

/* ---- answers ---------------------------------------------------------------------------------------------- */

typedef struct {
  XfMigrateDone done;
  gpointer data;
  GBytes *cookie;
  char *xml, *uri;
  XfDomainRef *ref;
  GError *error;
} Answer;

static gboolean
deliver (gpointer data)
{
  Answer *answer = data;
  XfMigrateResult result = { .cookie = answer->cookie, .xml = answer->xml, .uri = answer->uri, .ref = answer->ref };

  answer->done (answer->error ? NULL : &result, answer->error, answer->data);
  g_clear_pointer (&answer->cookie, g_bytes_unref);
  g_clear_error (&answer->error);
  g_free (answer->xml);
  g_free (answer->uri);
  g_clear_pointer (&answer->ref, xf_domain_ref_free);
  g_free (answer);
  return G_SOURCE_REMOVE;
}

void
xf_migrate_answer_later (XfMigrateDone done, gpointer data, const XfMigrateResult *result, GError *error)
{
  Answer *answer = g_new0 (Answer, 1);

  answer->done = done;
  answer->data = data;
  answer->error = error;
  if (result) {
    answer->cookie = result->cookie ? g_bytes_ref (result->cookie) : NULL;
    answer->xml = g_strdup (result->xml);
    answer->uri = g_strdup (result->uri);
    answer->ref = result->ref ? xf_domain_ref_copy (result->ref) : NULL;
  }
  g_idle_add_full (G_PRIORITY_DEFAULT, deliver, answer, NULL);
}
