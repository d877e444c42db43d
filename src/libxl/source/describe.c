/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The last part of begin: surveys the guest (source/survey.h), and writes what the destination needs into the cookie. A
 * libvirtd ignores it: a guest with properties that domain XML cannot express is not sent to it.
 */
#include "libxl/source/private.h"

#include <libvirt/libvirt.h>

#include "base/error.h"

GError *
xf_migrate_unsaid_error (const char *name, const char *host, const char *unsaid)
{
  return g_error_new (
    XF_ERROR, XF_ERROR_MIGRATE_UNSAFE,
    "domain '%s' would lose a part of its configuration on '%s', because a libvirtd accepts domain XML "
    "alone: %s; remove it from the guest, or migrate with --p2p --unsafe and lose it",
    name, host, unsaid);
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
  g_propagate_error (error, xf_migrate_unsaid_error (source->guest->name, source->host, source->unsaid));
  return FALSE;
}

static void
surveyed (const XfSurveyResult *result, const GError *error, gpointer data)
{
  XfMigrateSource *source = data;
  XfDone done;

  if (error) {
    g_autoptr (GError) told = xf_migrate_source_error (source, "begin", error->code, error->message);

    (void)xf_migrate_source_abort (source, told); /* answers */
    return;
  }
  source->unsaid = g_strdup (result->unsaid);
  source->warnings = g_strdup (result->warnings);
  source->cookie->config = g_strdup (result->config);
  source->cookie->facts = g_hash_table_ref (result->facts);
  g_clear_pointer (&source->survey, xf_survey_free);
  xf_sm_move (&source->sm, BEGUN);
  done = g_steal_pointer (&source->done);
  done (NULL, source->done_data);
}

void
xf_migrate_source_describe (XfMigrateSource *source, XfDone done, gpointer data)
{
  if (source->guest->domid < 0) { /* offline */
    xf_sm_move (&source->sm, BEGUN);
    done (NULL, data);
    return;
  }
  source->done = done;
  source->done_data = data;
  source->survey = xf_survey_new (source->driver, source->guest, source->id, source->host, source->xml, &source->params,
                                  surveyed, source);
}
