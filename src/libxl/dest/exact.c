/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The guest's exact configuration, as libxl on the source has it, which can be more than the XML. Both must describe
 * the same guest, and this host's libxl must know all of it.
 */
#include "libxl/dest/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "libxl/convert/config.h"
#include "libxl/convert/lost.h"

/* The maximum of paths that an error names. */
#define LOST_SHOWN 8

static gboolean
disagree (const XfMigrateDest *dest, const char *about, GError **error)
{
  g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG,
               "the XML and the exact configuration of domain '%s' from '%s' disagree about its %s", dest->name,
               dest->from, about);
  return FALSE;
}

/* The configuration as this host's libxl understands it. */
static char *
rewrite_exact (const char *json, gpointer data)
{
  libxl_domain_config config;
  char *again = NULL;

  libxl_domain_config_init (&config);
  if (xf_config_from_json (xf_ctx_libxl (data), json, &config, NULL))
    again = xf_config_to_json (&config, NULL);
  libxl_domain_config_dispose (&config);
  return again;
}

/* A source with a newer libxl can know more, which the guest would lose. */
static gboolean
check_all_known (const XfMigrateDest *dest, GError **error)
{
  g_autoptr (GPtrArray) lost = xf_config_lost (dest->exact, rewrite_exact, dest->driver->ctx, error);
  g_autofree char *joined = NULL, *paths = NULL;

  if (!lost || !lost->len)
    return lost != NULL;
  g_ptr_array_set_size (lost, MIN (lost->len, LOST_SHOWN));
  g_ptr_array_add (lost, NULL);
  joined = g_strjoinv (", ", (char **)lost->pdata);
  paths = g_strescape (joined, NULL); /* the paths are the peer's text */
  g_set_error (
    error, XF_ERROR, XF_ERROR_CONFIG_UNSUPPORTED,
    "libxl on this host does not know all of the configuration of domain '%s' from '%s', and would leave out: "
    "%s; remove it from the guest there, or migrate it to a host with a newer Xen",
    dest->name, dest->from, paths);
  return FALSE;
}

gboolean
xf_migrate_dest_use_exact (XfMigrateDest *dest, GError **error)
{
  libxl_domain_config exact;

  libxl_domain_config_init (&exact);
  if (!xf_config_from_json (xf_ctx_libxl (dest->driver->ctx), dest->exact, &exact, error)
      || !check_all_known (dest, error)) {
    g_prefix_error (error, "the exact configuration of domain '%s' from '%s': ", dest->name, dest->from);
    libxl_domain_config_dispose (&exact);
    return FALSE;
  }
  /* The exact configuration replaces the checked one from the XML only after these checks. */
  if (!xf_uuid_equal (libxl_uuid_bytearray_const (&exact.c_info.uuid), dest->def->uuid)
      || exact.c_info.type != dest->config.c_info.type || exact.b_info.max_vcpus != dest->config.b_info.max_vcpus) {
    libxl_domain_config_dispose (&exact);
    return disagree (dest, "uuid, type or number of vcpus", error);
  }
  free (exact.c_info.name);
  exact.c_info.name = strdup (dest->name);
  libxl_domain_config_dispose (&dest->config);
  dest->config = exact;
  return TRUE;
}
