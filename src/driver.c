/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The values of the contract (driver.h): creation, copies, disposal.
 */
#include "driver.h"

#include <string.h>

/* ---- configuration ---------------------------------------------------------------------------------------- */

#define AT(field) G_STRUCT_OFFSET (XfDriverConfig, field)

static const glong config_strings[] = {
  AT (config_dir),     AT (state_dir),        AT (lib_dir),
  AT (migration_host), AT (migration_listen), AT (peer_uri),
  AT (boot_id),        AT (pki_dir),          AT (tls),
  AT (compression),    AT (checksums),        AT (pump_path),
  AT (pump_user),      AT (save_helper_path), AT (exceed_downtime),
  AT (hook_dir),       AT (resource_dir),     AT (resources),
  AT (script_dir),     AT (sys_dir),
};

void
xf_driver_config_copy (XfDriverConfig *copy, const XfDriverConfig *config)
{
  *copy = *config;
  for (guint i = 0; i < G_N_ELEMENTS (config_strings); i++) {
    char **string = G_STRUCT_MEMBER_P (copy, config_strings[i]);

    *string = g_strdup (*string);
  }
}

void
xf_driver_config_clear (XfDriverConfig *config)
{
  for (guint i = 0; i < G_N_ELEMENTS (config_strings); i++)
    g_clear_pointer ((char **)G_STRUCT_MEMBER_P (config, config_strings[i]), g_free);
}

/* ---- checks ------------------------------------------------------------------------------------------------ */

XfCheckFinding *
xf_check_finding_new (const char *host, const char *resource, gboolean blocks, const char *text)
{
  XfCheckFinding *finding = g_new0 (XfCheckFinding, 1);

  *finding = (XfCheckFinding){ g_strdup (host), g_strdup (resource), blocks, g_strdup (text) };
  return finding;
}

void
xf_check_finding_free (gpointer data)
{
  XfCheckFinding *finding = data;

  g_free (finding->host);
  g_free (finding->resource);
  g_free (finding->text);
  g_free (finding);
}

/* ---- guests ----------------------------------------------------------------------------------------------- */

XfDomainRef *
xf_domain_ref_new (const char *name, const guint8 *uuid, int id)
{
  XfDomainRef *ref = g_new0 (XfDomainRef, 1);

  ref->name = g_strdup (name);
  memcpy (ref->uuid, uuid, XF_UUID_LENGTH);
  ref->id = id;
  return ref;
}

XfDomainRef *
xf_domain_ref_copy (const XfDomainRef *ref)
{
  return xf_domain_ref_new (ref->name, ref->uuid, ref->id);
}

void
xf_domain_ref_free (XfDomainRef *ref)
{
  g_free (ref->name);
  g_free (ref);
}

void
xf_domain_stats_free (XfDomainStats *stats)
{
  xf_domain_ref_free (stats->ref);
  g_array_unref (stats->params);
  g_free (stats);
}

/* ---- migrations ------------------------------------------------------------------------------------------- */

void
xf_migration_info_free (XfMigrationInfo *info)
{
  g_free (info->guest);
  g_free (info->state);
  g_free (info->peer);
  g_free (info->reason);
  g_free (info);
}
