/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/guest/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "conf/domain_name.h"
#include "libxl/guest/driver_private.h"

#define STATUS_GROUP "status"

/* @base: from a file that exists, or a name that was checked. */
static char *
file_path (XfDriver *driver, const char *below, const char *base)
{
  g_autofree char *file = g_strconcat (base, ".xml", NULL);

  return g_build_filename (driver->config.config_dir, below, file, NULL);
}

/* NULL for a name that leads out of the directory: no such file is created. */
static char *
definition_path (XfDriver *driver, const char *name)
{
  return xf_domain_name_check (name, NULL) ? file_path (driver, "", name) : NULL;
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

static const char *
file_of (const XfGuest *guest)
{
  return guest->file ? guest->file : guest->name;
}

static void
remove_file (const char *path)
{
  if (path && unlink (path) < 0 && errno != ENOENT)
    g_warning ("cannot remove '%s': %s", path, g_strerror (errno));
}

static void
remove_files (XfGuest *guest)
{
  g_autofree char *path = file_path (guest->driver, "", file_of (guest));
  g_autofree char *link = file_path (guest->driver, "autostart", file_of (guest));

  remove_file (link);
  remove_file (path);
}

/* The definition is written; the file of another name that it was read from would be a second copy. */
static void
leave_former_file (XfGuest *guest)
{
  g_autoptr (GError) error = NULL;

  if (!guest->file)
    return;
  remove_files (guest);
  g_clear_pointer (&guest->file, g_free);
  if (guest->autostart && !xf_store_set_autostart (guest, TRUE, &error))
    g_warning ("domain '%s' does not start with the host any more: %s", guest->name, error->message);
}

gboolean
xf_store_write_definition (XfGuest *guest, const XfDomainDef *def, GError **error)
{
  g_autofree char *path = definition_path (guest->driver, def->name);
  g_autofree char *xml = xf_domain_def_format (def, XF_DOMAIN_FORMAT_SECURE | XF_DOMAIN_FORMAT_INACTIVE, NULL);

  if (!path)
    return xf_domain_name_check (def->name, error);
  if ((!guest->persistent || guest->file) && g_file_test (path, G_FILE_TEST_EXISTS)) {
    g_set_error (
      error, XF_ERROR, XF_ERROR_DOMAIN_EXISTS,
      "the file '%s' exists and was not written by this daemon: move it away, or restart the daemon to have it "
      "read",
      path);
    return FALSE;
  }
  /* The file may hold passwords. */
  if (!xf_file_replace (path, xml, strlen (xml), 0600, error))
    return FALSE;
  leave_former_file (guest);
  return TRUE;
}

void
xf_store_remove_definition (XfGuest *guest)
{
  remove_files (guest);
}

gboolean
xf_store_is_autostart (const XfGuest *guest)
{
  g_autofree char *link = file_path (guest->driver, "autostart", file_of (guest));

  return g_file_test (link, G_FILE_TEST_IS_SYMLINK);
}

gboolean
xf_store_set_autostart (XfGuest *guest, gboolean yes, GError **error)
{
  g_autofree char *path = file_path (guest->driver, "", file_of (guest));
  g_autofree char *link = file_path (guest->driver, "autostart", file_of (guest));

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
  /* Volatile: replaced atomically, but not worth a sync. */
  if (!g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error))
    g_warning ("domain '%s' will not be recognised after a restart: %s", guest->name, error->message);
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
  g_autoptr (XfDomainDef) def = NULL;

  if (!g_key_file_load_from_file (file, path, G_KEY_FILE_NONE, NULL)
      || g_key_file_get_integer (file, STATUS_GROUP, "domid", NULL) != domid)
    return NULL;
  *state_out = g_key_file_get_integer (file, STATUS_GROUP, "state", NULL);
  *reason_out = g_key_file_get_integer (file, STATUS_GROUP, "reason", NULL);
  *foreign_out = g_key_file_get_boolean (file, STATUS_GROUP, "foreign", NULL);
  xml = g_key_file_get_string (file, STATUS_GROUP, "xml", NULL);
  def = xml ? xf_domain_def_parse (xml, XF_DOMAIN_PARSE_NONE, NULL) : NULL;
  return def && xf_uuid_equal (def->uuid, uuid) ? g_steal_pointer (&def) : NULL;
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
    g_info ("domain '%s': its XML could not be stored with libxl", guest->name);
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
  g_info ("domain %d: the XML that is stored with libxl is not used: %s", domid,
          error ? error->message : "it has another uuid");
  xf_domain_def_free (def);
  return NULL;
}
