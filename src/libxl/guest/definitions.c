/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/guest/definitions.h"

#include <string.h>

#include "base/error.h"
#include "conf/domain_name.h"
#include "conf/domain_refused.h"
#include "libxl/guest/driver_private.h"
#include "libxl/guest/store.h"

#define SUFFIX ".xml"

typedef struct {
  char *base; /* the file's name without its suffix */
  char *path;
  char *text; /* NULL: the file cannot be read */
  gsize length;
  XfDomainDef *def; /* NULL: refused, or given to a guest already */
  GError *error;    /* the reason for the refusal */
} File;

static void
file_free (gpointer data)
{
  File *file = data;

  g_free (file->base);
  g_free (file->path);
  g_free (file->text);
  xf_domain_def_free (file->def);
  g_clear_error (&file->error);
  g_free (file);
}

static File *
file_read (const char *directory, const char *name)
{
  File *file = g_new0 (File, 1);

  file->base = g_strndup (name, strlen (name) - strlen (SUFFIX));
  file->path = g_build_filename (directory, name, NULL);
  if (g_file_get_contents (file->path, &file->text, &file->length, &file->error))
    file->def = xf_domain_def_parse (file->text, XF_DOMAIN_PARSE_INACTIVE, &file->error);
  return file;
}

static int
compare (gconstpointer a, gconstpointer b)
{
  const File *const *left = a, *const *right = b;

  return strcmp ((*left)->base, (*right)->base);
}

static GPtrArray *
read_all (XfDriver *driver)
{
  g_autoptr (GDir) dir = g_dir_open (driver->config.config_dir, 0, NULL);
  GPtrArray *files = g_ptr_array_new_with_free_func (file_free);
  const char *name;

  while (dir && (name = g_dir_read_name (dir))) {
    if (g_str_has_suffix (name, SUFFIX))
      g_ptr_array_add (files, file_read (driver->config.config_dir, name));
  }
  g_ptr_array_sort (files, compare);
  return files;
}

/* Takes @def. */
static void
give (XfGuest *guest, const File *file, XfDomainDef *def)
{
  guest->persistent = def;
  if (!g_str_equal (guest->name, file->base))
    guest->file = g_strdup (file->base);
  guest->autostart = xf_store_is_autostart (guest);
}

static void
refuse (File *file, const GError *error)
{
  g_clear_pointer (&file->def, xf_domain_def_free);
  g_clear_error (&file->error);
  file->error = g_error_copy (error);
}

/* Domain-0 has no definition and is found later. */
static gboolean
is_dom0 (const char *name, const guint8 *uuid)
{
  static const guint8 zero[XF_UUID_LENGTH];

  return g_strcmp0 (name, "Domain-0") == 0 || xf_uuid_equal (uuid, zero);
}

static void
take_up (XfDriver *driver, File *file)
{
  XfGuest *owner = xf_guest_find_name (driver, file->base), *guest = NULL;
  g_autoptr (GError) error = NULL;

  if (is_dom0 (file->def->name, file->def->uuid))
    g_set_error (&error, XF_ERROR, XF_ERROR_DOMAIN_EXISTS, "its name or uuid is that of Domain-0");
  else if (owner && !g_str_equal (file->base, file->def->name))
    g_set_error (&error, XF_ERROR, XF_ERROR_DOMAIN_EXISTS, "it describes '%s', but the file belongs to domain '%s'",
                 file->def->name, owner->name);
  else
    guest = xf_guest_claim (driver, file->def->name, file->def->uuid, &error);
  if (guest && guest->persistent)
    g_set_error (&error, XF_ERROR, XF_ERROR_DOMAIN_EXISTS, "domain '%s' has a definition in another file", guest->name);
  if (error) {
    refuse (file, error);
    return;
  }
  give (guest, file, g_steal_pointer (&file->def));
  if (guest->file)
    g_warning ("the definition '%s' describes domain '%s', whose own file would be %s" SUFFIX
               ": it is used, and the next write moves it to its own name",
               file->path, guest->name, guest->name);
}

/* For a file without a UUID: always the same UUID for the same file. */
static void
uuid_of_file (const char *base, guint8 *uuid_out)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  guint8 digest[32];
  gsize length = sizeof (digest);

  g_checksum_update (sum, (const guchar *)"definition file ", -1);
  g_checksum_update (sum, (const guchar *)base, -1);
  g_checksum_get_digest (sum, digest, &length);
  memcpy (uuid_out, digest, XF_UUID_LENGTH);
  uuid_out[6] = (uuid_out[6] & 0x0f) | 0x80; /* version 8: custom layout */
  uuid_out[8] = (uuid_out[8] & 0x3f) | 0x80;
}

/* Under the name in the file, else under the file's name, else under its UUID. */
static XfGuest *
claim_any (XfDriver *driver, const File *file, const char *inside, const guint8 *uuid)
{
  g_autofree char *text = xf_uuid_to_string (uuid);
  const char *const names[] = { inside, file->base, text };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    XfGuest *guest = NULL;

    if (names[i] && xf_domain_name_check (names[i], NULL) && !is_dom0 (names[i], uuid)
        && !xf_guest_find_name (driver, names[i]))
      guest = xf_guest_claim (driver, names[i], uuid, NULL);
    if (guest)
      return guest;
  }
  return NULL;
}

static void
reserve (XfDriver *driver, const File *file)
{
  g_auto (XfDomainIdentity) identity = { 0 };
  const char *text = file->text ? file->text : "";
  XfGuest *guest;

  xf_domain_identity_read (&identity, text, file->text ? file->length : 0);
  if (!identity.has_uuid || is_dom0 (NULL, identity.uuid) || xf_guest_find_uuid (driver, identity.uuid))
    uuid_of_file (file->base, identity.uuid);
  guest = claim_any (driver, file, identity.name, identity.uuid);
  if (!guest) {
    g_warning ("leaving the definition '%s' alone: %s", file->path, file->error->message);
    return;
  }
  guest->refused = g_strdup_printf ("its definition '%s' is refused by this driver and left as it is: %s", file->path,
                                    file->error->message);
  give (guest, file, xf_domain_def_stand_in (text, file->text ? file->length : 0, guest->name, guest->uuid));
  g_warning ("domain '%s' cannot be started: %s", guest->name, guest->refused);
}

void
xf_definitions_load (XfDriver *driver)
{
  g_autoptr (GPtrArray) files = read_all (driver);

  for (guint i = 0; i < files->len; i++) {
    File *file = files->pdata[i];

    if (file->def && g_str_equal (file->base, file->def->name))
      take_up (driver, file);
  }
  for (guint i = 0; i < files->len; i++) {
    File *file = files->pdata[i];

    if (file->def)
      take_up (driver, file);
  }
  for (guint i = 0; i < files->len; i++) {
    File *file = files->pdata[i];

    if (file->error)
      reserve (driver, file);
  }
}

gboolean
xf_definitions_accepted (const XfGuest *guest, GError **error)
{
  if (!guest->refused)
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
               "domain '%s': %s; correct the file and restart the daemon, or remove it with virsh undefine",
               guest->name, guest->refused);
  return FALSE;
}

/* The guest whose definition is in the file NAME.xml although its name is another. */
static const XfGuest *
file_owner (XfDriver *driver, const char *name)
{
  for (guint i = 0; i < driver->guests->len; i++) {
    const XfGuest *guest = driver->guests->pdata[i];

    if (g_strcmp0 (guest->file, name) == 0)
      return guest;
  }
  return NULL;
}

gboolean
xf_definitions_allow (XfDriver *driver, const char *name, const guint8 *uuid, GError **error)
{
  const XfGuest *guest = xf_guest_find_uuid (driver, uuid), *owner = file_owner (driver, name);

  if (guest && !xf_definitions_accepted (guest, error))
    return FALSE;
  if (!owner || owner == guest)
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_DOMAIN_EXISTS,
               "the definition file of domain '%s', %s" SUFFIX
               ", holds the definition of domain '%s': rename the file and "
               "restart the daemon",
               name, name, owner->name);
  return FALSE;
}
