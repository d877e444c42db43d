/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "conf/domain_name.h"
#include "libxl/driver_private.h"

#define STATUS_GROUP "status"

/* Every path that a name is a part of is made here, and none leads out of its directory: NULL for a name that would. */
static char *
path_of_name (XfDriver *driver, const char *below, const char *name)
{
  g_autofree char *file = xf_domain_name_check (name, NULL) ? g_strconcat (name, ".xml", NULL) : NULL;

  return file ? g_build_filename (driver->config.config_dir, below, file, NULL) : NULL;
}

static char *
definition_path (XfDriver *driver, const char *name)
{
  return path_of_name (driver, "", name);
}

static char *
autostart_path (XfDriver *driver, const char *name)
{
  return path_of_name (driver, "autostart", name);
}

static char *
status_path (XfDriver *driver, const guint8 *uuid)
{
  g_autofree char *text = xf_uuid_to_string (uuid);
  g_autofree char *file = g_strconcat (text, ".status", NULL);

  return g_build_filename (driver->config.state_dir, file, NULL);
}

gboolean
xf_store_open (XfDriver *driver, GError **error)
{
  g_autofree char *autostart = g_build_filename (driver->config.config_dir, "autostart", NULL);
  const char *const directories[] = { autostart, driver->config.state_dir, driver->config.lib_dir };

  for (gsize i = 0; i < G_N_ELEMENTS (directories); i++) {
    if (g_mkdir_with_parents (directories[i], 0700) < 0)
      return xf_error_set_errno (error, errno, "cannot make the directory '%s'", directories[i]);
  }
  return TRUE;
}

static void
load_definition (XfDriver *driver, const char *file)
{
  g_autofree char *path = g_build_filename (driver->config.config_dir, file, NULL);
  g_autofree char *xml = NULL, *link = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (XfDomainDef) def = NULL;
  XfGuest *guest = NULL;

  if (g_file_get_contents (path, &xml, NULL, &error))
    def = xf_domain_def_parse (xml, XF_DOMAIN_PARSE_INACTIVE, &error);
  if (def)
    guest = xf_guest_claim (driver, def->name, def->uuid, &error);
  if (!guest) {
    g_warning ("leaving the definition '%s' alone: %s", path, error->message);
    return;
  }
  guest->persistent = g_steal_pointer (&def);
  link = autostart_path (driver, guest->name);
  guest->autostart = g_file_test (link, G_FILE_TEST_IS_SYMLINK);
}

void
xf_store_load_definitions (XfDriver *driver)
{
  g_autoptr (GDir) dir = g_dir_open (driver->config.config_dir, 0, NULL);
  const char *file;

  while (dir && (file = g_dir_read_name (dir))) {
    if (g_str_has_suffix (file, ".xml"))
      load_definition (driver, file);
  }
}

gboolean
xf_store_write_definition (XfDriver *driver, const XfDomainDef *def, GError **error)
{
  g_autofree char *path = definition_path (driver, def->name);
  g_autofree char *xml = xf_domain_def_format (def, XF_DOMAIN_FORMAT_SECURE | XF_DOMAIN_FORMAT_INACTIVE, NULL);

  if (!path)
    return xf_domain_name_check (def->name, error);
  /* It may hold passwords. */
  return xf_file_replace (path, xml, strlen (xml), 0600, error);
}

static void
remove_file (const char *path)
{
  if (path && unlink (path) < 0 && errno != ENOENT)
    g_warning ("cannot remove '%s': %s", path, g_strerror (errno));
}

void
xf_store_remove_definition (XfGuest *guest)
{
  g_autofree char *path = definition_path (guest->driver, guest->name);
  g_autofree char *link = autostart_path (guest->driver, guest->name);

  remove_file (link);
  remove_file (path);
}

gboolean
xf_store_set_autostart (XfGuest *guest, gboolean yes, GError **error)
{
  g_autofree char *path = definition_path (guest->driver, guest->name);
  g_autofree char *link = autostart_path (guest->driver, guest->name);

  if (!link)
    return xf_domain_name_check (guest->name, error);
  if (unlink (link) < 0 && errno != ENOENT)
    return xf_error_set_errno (error, errno, "cannot remove '%s'", link);
  if (yes && symlink (path, link) < 0)
    return xf_error_set_errno (error, errno, "cannot make the link '%s'", link);
  guest->autostart = yes;
  return TRUE;
}

/* ---- running guests --------------------------------------------------------------------------------------- */

void
xf_store_write_status (XfGuest *guest)
{
  g_autofree char *path = NULL, *xml = NULL, *text = NULL;
  g_autoptr (GKeyFile) file = NULL;
  g_autoptr (GError) error = NULL;

  if (guest->domid <= 0 || !guest->def)
    return;
  path = status_path (guest->driver, guest->uuid);
  xml = xf_domain_def_format (guest->def, XF_DOMAIN_FORMAT_SECURE, NULL);
  file = g_key_file_new ();
  g_key_file_set_integer (file, STATUS_GROUP, "domid", guest->domid);
  g_key_file_set_integer (file, STATUS_GROUP, "state", guest->state);
  g_key_file_set_integer (file, STATUS_GROUP, "reason", guest->reason);
  g_key_file_set_boolean (file, STATUS_GROUP, "foreign", guest->foreign);
  g_key_file_set_string (file, STATUS_GROUP, "xml", xml);
  text = g_key_file_to_data (file, NULL, NULL);
  /* Volatile: written in one piece, but not worth a sync. */
  if (!g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error))
    g_warning ("domain '%s' will not be known after a restart: %s", guest->name, error->message);
}

void
xf_store_remove_status (XfGuest *guest)
{
  g_autofree char *path = status_path (guest->driver, guest->uuid);

  remove_file (path);
}

XfDomainDef *
xf_store_read_status (XfDriver *driver, const guint8 *uuid, int domid, int *state_out, int *reason_out,
                      gboolean *foreign_out)
{
  g_autofree char *path = status_path (driver, uuid);
  g_autofree char *xml = NULL;
  g_autoptr (GKeyFile) file = g_key_file_new ();

  if (!g_key_file_load_from_file (file, path, G_KEY_FILE_NONE, NULL)
      || g_key_file_get_integer (file, STATUS_GROUP, "domid", NULL) != domid)
    return NULL;
  *state_out = g_key_file_get_integer (file, STATUS_GROUP, "state", NULL);
  *reason_out = g_key_file_get_integer (file, STATUS_GROUP, "reason", NULL);
  *foreign_out = g_key_file_get_boolean (file, STATUS_GROUP, "foreign", NULL);
  xml = g_key_file_get_string (file, STATUS_GROUP, "xml", NULL);
  return xml ? xf_domain_def_parse (xml, XF_DOMAIN_PARSE_NONE, NULL) : NULL;
}

#define USERDATA "libvirt-xml"

void
xf_store_write_userdata (XfGuest *guest)
{
  g_autofree char *xml = NULL;

  if (guest->domid <= 0 || !guest->def)
    return;
  xml = xf_domain_def_format (guest->def, XF_DOMAIN_FORMAT_SECURE, NULL);
  if (libxl_userdata_store (xf_ctx_libxl (guest->driver->ctx), guest->domid, USERDATA, (const uint8_t *)xml,
                            strlen (xml) + 1)
      != 0)
    g_info ("domain '%s': its XML could not be left with libxl", guest->name);
}

XfDomainDef *
xf_store_read_userdata (XfDriver *driver, const guint8 *uuid, int domid)
{
  g_autofree char *xml = NULL;
  g_autoptr (GError) error = NULL;
  XfDomainDef *def;
  uint8_t *data = NULL;
  int length = 0;

  if (libxl_userdata_retrieve (xf_ctx_libxl (driver->ctx), domid, USERDATA, &data, &length) == 0 && data && length > 0)
    xml = g_strndup ((const char *)data, length);
  free (data); /* libxl allocates with malloc */
  if (!xml)
    return NULL;
  def = xf_domain_def_parse (xml, XF_DOMAIN_PARSE_NONE, &error);
  if (def && xf_uuid_equal (def->uuid, uuid))
    return def;
  g_info ("domain %d: the XML that was left with libxl is not used: %s", domid,
          error ? error->message : "not its uuid");
  xf_domain_def_free (def);
  return NULL;
}
