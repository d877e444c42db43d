/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/source/survey.h"

#include "libxl/convert/config.h"
#include "libxl/convert/merge.h"
#include "libxl/guest/driver_private.h"
#include "libxl/xen/ao.h"

struct XfSurvey {
  XfDriver *driver;
  libxl_domain_config config;
  uint32_t domid;
  gboolean answered;  /* libxl does not write into it any longer */
  XfDomainDef *def;   /* the guest here */
  XfDomainDef *other; /* as --xml describes it for the destination, or NULL */
  char *id, *host, *xml;
  guint flags;
  XfResources *resources;
  XfSurveyResult result;
  XfSurveyDone done; /* NULL: it was freed */
  gpointer data;
};

static void
dispose (XfSurvey *survey)
{
  xf_resources_free (survey->resources);
  libxl_domain_config_dispose (&survey->config);
  xf_domain_def_free (survey->def);
  xf_domain_def_free (survey->other);
  g_clear_pointer (&survey->result.facts, g_hash_table_unref);
  g_free (survey->result.config);
  g_free (survey->result.unsaid);
  g_free (survey->result.warnings);
  g_free (survey->id);
  g_free (survey->host);
  g_free (survey->xml);
  g_free (survey);
}

void
xf_survey_free (XfSurvey *survey)
{
  if (!survey)
    return;
  survey->done = NULL;
  if (survey->answered)
    dispose (survey);
}

static void
tell (XfSurvey *survey, const GError *error)
{
  if (survey->resources) {
    survey->result.warnings = xf_resources_warnings (survey->resources);
    survey->result.findings = xf_resources_findings (survey->resources);
  }
  survey->done (&survey->result, error, survey->data);
}

/* ---- the guest's resources -------------------------------------------------------------------------------- */

static void
checked (const GError *error, gpointer data)
{
  tell (data, error);
}

static void
facts_gathered (const GError *error, gpointer data)
{
  XfSurvey *survey = data;

  survey->result.facts = g_hash_table_ref (xf_resources_facts (survey->resources));
  xf_resources_run (survey->resources, XF_VERB_CHECK, checked, survey);
}

/* @known: the exact configuration was read. */
static gboolean
look_at_resources (XfSurvey *survey, gboolean known, GError **error)
{
  const XfResourceGuest guest = {
    .side = XF_SIDE_SOURCE,
    .id = survey->id,
    .peer = survey->host,
    .def = survey->other ? survey->other : survey->def,
    .config = known ? &survey->config : NULL,
    .flags = survey->flags,
    .domid = &survey->domid,
  };

  survey->resources = xf_resources_new (survey->driver, &guest, error);
  if (survey->resources)
    xf_resources_run (survey->resources, XF_VERB_TELL, facts_gathered, survey);
  return survey->resources != NULL;
}

/* ---- the exact configuration ------------------------------------------------------------------------------ */

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

static gboolean
take_config (XfSurvey *survey, GError **error)
{
  g_autofree char *exact = xf_config_to_json (&survey->config, error);

  survey->result.unsaid = list_unsaid (&survey->config);
  if (exact && survey->other) /* --xml changes the exact configuration too */
    survey->result.config = xf_config_merge_defs (exact, survey->def, survey->other, error);
  else
    survey->result.config = g_steal_pointer (&exact);
  return survey->result.config != NULL;
}

static void
fetched (int rc, gpointer data)
{
  XfSurvey *survey = data;
  g_autoptr (GError) error = NULL;

  survey->answered = TRUE;
  if (!survey->done) {
    dispose (survey);
    return;
  }
  if (rc != 0)
    g_warning ("domain '%s': libxl cannot read its configuration (libxl error %d): it migrates as its XML describes it",
               survey->def->name, rc);
  if (survey->xml)
    survey->other = xf_domain_def_parse (survey->xml, XF_DOMAIN_PARSE_INACTIVE, &error);
  if (error || (rc == 0 && !take_config (survey, &error)) || !look_at_resources (survey, rc == 0, &error))
    tell (survey, error);
}

XfSurvey *
xf_survey_new (XfDriver *driver, const XfGuest *guest, const char *id, const char *host, const char *xml,
               const XfMigrateParams *params, XfSurveyDone done, gpointer data)
{
  XfSurvey *survey = g_new0 (XfSurvey, 1);
  XfAo *ao = xf_ao_new (driver->ctx, fetched, survey);

  survey->driver = driver;
  survey->domid = (uint32_t)guest->domid;
  survey->def = xf_domain_def_copy (guest->def);
  survey->id = g_strdup (id);
  survey->host = g_strdup (host);
  survey->xml = params->destination_xml ? g_strdup (xml) : NULL;
  survey->flags = params->flags;
  survey->done = done;
  survey->data = data;
  libxl_domain_config_init (&survey->config);
  xf_ao_started (ao, libxl_retrieve_domain_configuration (xf_ctx_libxl (driver->ctx), guest->domid, &survey->config,
                                                          xf_ao_how (ao)));
  return survey;
}
