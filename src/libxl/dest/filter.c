/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The hook `migrate`: the administrator's scripts see the XML of a guest before it is received, may refuse it, and may
 * change what --xml may change (docs/hooks.md).
 */
#include "libxl/dest/private.h"

#include "base/error.h"
#include "libxl/guest/hook.h"
#include "libxl/convert/merge.h"

typedef struct XfMigrateFilter {
  XfMigrateDest *dest; /* NULL: it has ended */
  XfHook *hook;
  XfDone done;
} Filter;

/* Applies the scripts' changes to the exact configuration too. */
static gboolean
change_exact (XfMigrateDest *dest, const XfDomainDef *changed, GError **error)
{
  char *merged;

  if (!dest->exact)
    return TRUE;
  merged = xf_config_merge_defs (dest->exact, dest->def, changed, error);
  if (!merged)
    return FALSE;
  g_free (dest->exact);
  dest->exact = merged;
  return TRUE;
}

static gboolean
take (XfMigrateDest *dest, const char *xml, GError **error)
{
  g_autoptr (XfDomainDef) changed = xf_hook_take_xml (dest->def, xml, error);

  if (!changed || !xf_domain_def_set_name (changed, dest->name, error) || !change_exact (dest, changed, error))
    return FALSE;
  xf_domain_def_free (dest->def);
  dest->def = g_steal_pointer (&changed);
  libxl_domain_config_dispose (&dest->config);
  libxl_domain_config_init (&dest->config);
  return xf_migrate_dest_check_host (dest, error);
}

static void
filtered (const char *xml, const GError *error, gpointer data)
{
  g_autofree Filter *filter = data;
  XfMigrateDest *dest = filter->dest;
  g_autoptr (GError) refused = NULL;

  if (!dest)
    return;
  dest->filter = NULL;
  if (xml && !error && !take (dest, xml, &refused))
    error = refused;
  filter->done (error, dest);
}

void
xf_migrate_dest_filter (XfMigrateDest *dest, XfDone done)
{
  g_autofree char *xml = xf_domain_def_format (dest->def, XF_DOMAIN_FORMAT_SECURE, NULL);
  Filter *filter = dest->filter = g_new (Filter, 1);

  *filter = (Filter){ dest, NULL, done };
  filter->hook = xf_hook_run (dest->driver, dest->name, xml, "migrate", "begin", filtered, filter);
}

void
xf_migrate_dest_stop_filter (XfMigrateDest *dest)
{
  Filter *filter = g_steal_pointer (&dest->filter);

  if (!filter)
    return;
  filter->dest = NULL;
  xf_hook_stop (filter->hook); /* calls back later */
}
