/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The last part of begin: writes the guest's exact configuration, as libxl has it, into the cookie. Domain XML cannot
 * express everything that libxl can, and a guest that xl started may use all of it; between two xenferry daemons
 * nothing is lost. A libvirtd ignores this part of the cookie: a guest with properties that domain XML cannot express
 * is not sent to it.
 */
#include "libxl/source/private.h"

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "libxl/convert/config.h"
#include "libxl/convert/merge.h"

typedef struct XfMigrateFetch {
  XfMigrateSource *source; /* NULL: the source has ended */
  libxl_domain_config config;
  XfDone done;
  gpointer data;
} Fetch;

static void
fetch_free (Fetch *fetch)
{
  libxl_domain_config_dispose (&fetch->config);
  g_free (fetch);
}

void
xf_migrate_source_drop_fetch (XfMigrateSource *source, const GError *told)
{
  g_autoptr (GError) ended = NULL;
  Fetch *fetch = g_steal_pointer (&source->fetch);

  if (!fetch)
    return;
  /* libxl still writes into it: it is freed when libxl has answered. */
  fetch->source = NULL;
  if (!told)
    ended = xf_migrate_source_error (source, "begin", XF_ERROR_ABORTED, "it has ended");
  fetch->done (told ? told : ended, fetch->data);
}

static char *
json_of (const XfDomainDef *def, GError **error)
{
  libxl_domain_config config;
  char *json = NULL;

  libxl_domain_config_init (&config);
  if (xf_config_from_def (def, &config, error))
    json = xf_config_to_json (&config, error);
  libxl_domain_config_dispose (&config);
  return json;
}

/* Applies the changes of --xml to the exact configuration too. */
static char *
with_changes (XfMigrateSource *source, const char *exact, GError **error)
{
  g_autoptr (XfDomainDef) wanted = NULL;
  g_autofree char *known = NULL, *changed = NULL;

  if (!source->params.destination_xml)
    return g_strdup (exact);
  wanted = xf_domain_def_parse (source->xml, XF_DOMAIN_PARSE_INACTIVE, error);
  known = wanted ? json_of (source->guest->def, error) : NULL;
  changed = known ? json_of (wanted, error) : NULL;
  return changed ? xf_config_merge (exact, known, changed, error) : NULL;
}

/* NULL: domain XML expresses everything. */
static char *
list_unsaid (const libxl_domain_config *config)
{
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *xml G_GNUC_UNUSED = xf_config_to_xml (config, notes);

  if (!notes->len)
    return NULL;
  g_ptr_array_add (notes, NULL);
  return g_strjoinv ("; ", (char **)notes->pdata);
}

gboolean
xf_migrate_source_fits_libvirtd (const XfMigrateSource *source, GError **error)
{
  if (!source->unsaid)
    return TRUE;
  if (source->params.flags & VIR_MIGRATE_UNSAFE) {
    g_warning ("%s: it migrates to a libvirtd with --unsafe: %s", source->sm.id, source->unsaid);
    return TRUE;
  }
  g_set_error (error, XF_ERROR, XF_ERROR_MIGRATE_UNSAFE,
               "domain '%s' would lose a part of its configuration on '%s', because a libvirtd accepts domain XML "
               "alone: %s; remove it from the guest, or migrate with --p2p --unsafe and lose it",
               source->guest->name, source->host, source->unsaid);
  return FALSE;
}

static void
fetched (int rc, gpointer data)
{
  Fetch *fetch = data;
  XfMigrateSource *source = fetch->source;
  g_autoptr (GError) error = NULL;
  g_autofree char *exact = NULL, *json = NULL;

  if (!source) {
    fetch_free (fetch);
    return;
  }
  source->fetch = NULL;
  if (rc == 0) {
    source->unsaid = list_unsaid (&fetch->config);
    exact = xf_config_to_json (&fetch->config, &error);
  } else {
    g_warning ("%s: libxl cannot read its configuration (libxl error %d): it migrates as its XML describes it",
               source->sm.id, rc);
  }
  if (exact)
    json = with_changes (source, exact, &error);
  source->cookie->config = g_steal_pointer (&json);
  if (error) {
    g_autoptr (GError) told = xf_migrate_source_error (source, "begin", error->code, error->message);

    (void)xf_migrate_source_abort (source, told);
    fetch->done (told, fetch->data);
  } else {
    xf_sm_move (&source->sm, BEGUN);
    fetch->done (NULL, fetch->data);
  }
  fetch_free (fetch);
}

void
xf_migrate_source_describe (XfMigrateSource *source, XfDone done, gpointer data)
{
  Fetch *fetch;
  XfAo *ao;

  if (source->guest->domid < 0) { /* offline */
    xf_sm_move (&source->sm, BEGUN);
    done (NULL, data);
    return;
  }
  fetch = g_new0 (Fetch, 1);
  fetch->source = source;
  fetch->done = done;
  fetch->data = data;
  libxl_domain_config_init (&fetch->config);
  source->fetch = fetch;
  ao = xf_ao_new (source->driver->ctx, fetched, fetch);
  xf_ao_started (ao, libxl_retrieve_domain_configuration (xf_ctx_libxl (source->driver->ctx), source->guest->domid,
                                                          &fetch->config, xf_ao_how (ao)));
}
