/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Disks, one resource for each target. The source tells how large the disk is and what identifies it; the destination
 * checks that it finds the same disk, that a guest can use it, and that no other guest here writes to it. Everything
 * that touches a path happens in a thread.
 *
 * A disk that is not a path of dom0 (a network disk, another backend domain, a script of its own) is not looked at.
 */
#include <libxl_utils.h>
#include <string.h>

#include "base/watch.h"
#include "libxl/resource/kinds.h"
#include "libxl/resource/look.h"

/* How long to wait for the disks of other guests, whose storage may be another one and not answer. */
#define OTHERS_MS 2000

/* File systems (struct statfs, f_type) that several hosts can share, and number a file alike; and those that only one
 * host can have. */
static const guint32 shared_systems[] = { 0x6969 /* NFS */, 0x01161970 /* GFS2 */, 0x7461636f /* OCFS2 */,
                                          0x00c36400 /* Ceph */ };
static const guint32 local_systems[] = { 0xef53 /* ext4 */,     0x58465342 /* XFS */, 0x9123683e /* btrfs */,
                                         0xf2f52010 /* F2FS */, 0x2fc12fc1 /* ZFS */, 0x01021994 /* tmpfs */ };

/* The input of a thread. */
typedef struct {
  XfLookDisk look;

  /* the second one's: the disks of other guests */
  struct stat own;
  GPtrArray *paths, *names; /* of the disk, of the guest */
  int at;                   /* atomic: the one that is looked at */
  guint timer_id;
} Disk;

static void
disk_free (gpointer data)
{
  Disk *disk = data;

  xf_look_disk_clear (&disk->look);
  g_clear_pointer (&disk->paths, g_ptr_array_unref);
  g_clear_pointer (&disk->names, g_ptr_array_unref);
  g_free (disk);
}

static void
list (XfResources *set, const XfResourceKind *kind)
{
  const libxl_domain_config *config = xf_resources_guest (set)->config;

  for (int i = 0; config && i < config->num_disks; i++) {
    if (config->disks[i].pdev_path && config->disks[i].format != LIBXL_DISK_FORMAT_EMPTY)
      (void)xf_resource_add (set, kind, config->disks[i].vdev, i);
  }
}

static const libxl_device_disk *
disk_of (const XfResource *resource)
{
  return &xf_resource_guest (resource)->config->disks[resource->index];
}

static gboolean
is_path (const libxl_device_disk *disk)
{
  return xf_look_is_dom0 (disk->backend_domid, disk->backend_domname) && !disk->script
         && g_path_is_absolute (disk->pdev_path);
}

/* A drive of the host, whatever is in it. */
static gboolean
is_drive (const libxl_device_disk *disk, const struct stat *status)
{
  return disk->is_cdrom && S_ISBLK (status->st_mode);
}

static void
look_at (XfResource *resource, XfBlocking func, XfBlocked finish)
{
  const libxl_device_disk *disk = disk_of (resource);
  Disk *work = g_new0 (Disk, 1);

  work->look = (XfLookDisk){
    .path = g_strdup (disk->pdev_path),
    .sys_dir = g_strdup (xf_look_sys_dir (xf_resources_driver (resource->set))),
    .host = g_strdup (xf_resource_host (resource)),
    .format = disk->format,
    .writable = disk->readwrite && !disk->is_cdrom,
    .needs_block = disk->backend == LIBXL_DISK_BACKEND_PHY,
  };
  xf_resource_in_thread (resource, func, finish, work, disk_free);
}

static GError *
look (gpointer input)
{
  Disk *disk = input;
  GError *error = NULL;

  (void)xf_look_disk (&disk->look, &error);
  return error;
}

/* ---- tell ------------------------------------------------------------------------------------------------- */

static void
tell_found (XfResource *resource, gpointer input, const GError *error)
{
  const XfLookDisk *found = &((Disk *)input)->look;

  /* The guest runs with it: what is wrong with it here is no reason to stay. */
  if (!error && found->size && !is_drive (disk_of (resource), &found->status)) {
    g_autofree char *size = g_strdup_printf ("%" G_GUINT64_FORMAT, found->size);

    xf_resource_tell (resource, "size", size);
    if (found->id)
      xf_resource_tell (resource, "id", found->id);
    if (found->file)
      xf_resource_tell (resource, "file", found->file);
  }
  xf_resource_done (resource, NULL);
}

static void
tell (XfResource *resource)
{
  if (xf_resource_guest (resource)->side == XF_SIDE_SOURCE && is_path (disk_of (resource)))
    look_at (resource, look, tell_found);
  else
    xf_resource_done (resource, NULL);
}

/* ---- check: is it the source's? --------------------------------------------------------------------------- */

static gboolean
is_one_of (guint32 system, const guint32 *systems, gsize n)
{
  for (gsize i = 0; i < n; i++) {
    if (systems[i] == system)
      return TRUE;
  }
  return FALSE;
}

static guint32
system_of (const char *file)
{
  return (guint32)g_ascii_strtoull (file, NULL, 16);
}

static gboolean
check_size (XfResource *resource, const XfLookDisk *found, GError **error)
{
  const char *told = xf_resource_told (resource, "size");
  guint64 size = told ? g_ascii_strtoull (told, NULL, 10) : 0;

  if (!size || !found->size || size == found->size)
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_MIGRATE_UNSAFE,
               "'%s' has %" G_GUINT64_FORMAT " bytes on host '%s' and %" G_GUINT64_FORMAT
               " on host '%s': they are not the same disk; make the source's available here",
               found->path, found->size, xf_resource_host (resource), size, xf_resource_peer (resource));
  return FALSE;
}

/* Only identifications of the same sort can be compared. */
static gboolean
check_id (XfResource *resource, const XfLookDisk *found, GError **error)
{
  const char *told = xf_resource_told (resource, "id");
  const char *end = told ? strchr (told, '=') : NULL;

  if (!end || !found->id || strncmp (told, found->id, end - told + 1) != 0 || g_str_equal (told, found->id))
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_MIGRATE_UNSAFE,
               "'%s' is %s on host '%s' and %s on host '%s': they are not the same disk; make the source's available "
               "here under this path",
               found->path, found->id, xf_resource_host (resource), told, xf_resource_peer (resource));
  return FALSE;
}

/* Several hosts share a file system of one kind and call its file by the same number, or each has a file system of its
 * own. A local file system there that is a network file system here can be the same one, exported. */
static gboolean
check_file (XfResource *resource, const XfLookDisk *found, GError **error)
{
  const char *told = xf_resource_told (resource, "file");
  g_auto (GStrv) there = g_strsplit (told ? told : "", " ", 3),
                 here = g_strsplit (found->file ? found->file : "", " ", 3);
  gboolean same = TRUE;

  if (g_strv_length (there) != 3 || g_strv_length (here) != 3)
    return TRUE;
  if (is_one_of (system_of (*here), shared_systems, G_N_ELEMENTS (shared_systems)) && g_str_equal (*there, *here))
    same = g_str_equal (there[2], here[2]);
  else if (found->writable && is_one_of (system_of (*here), local_systems, G_N_ELEMENTS (local_systems))
           && is_one_of (system_of (*there), local_systems, G_N_ELEMENTS (local_systems)))
    same = g_str_equal (told, found->file);
  if (!same)
    g_set_error (error, XF_ERROR, XF_ERROR_MIGRATE_UNSAFE,
                 "'%s' on host '%s' is not the file that the guest has on host '%s', so its contents are not the "
                 "guest's; put it on storage that both hosts share",
                 found->path, xf_resource_host (resource), xf_resource_peer (resource));
  return same;
}

static gboolean
check_same (XfResource *resource, const XfLookDisk *found, GError **error)
{
  return is_drive (disk_of (resource), &found->status)
         || (check_size (resource, found, error) && check_id (resource, found, error)
             && check_file (resource, found, error));
}

/* ---- check: does another guest here use it? --------------------------------------------------------------- */

static gboolean
is_shareable (const XfResource *resource)
{
  const XfDomainDef *def = xf_resource_guest (resource)->def;

  for (guint i = 0; i < def->disks->len; i++) {
    const XfDisk *disk = &g_array_index (def->disks, XfDisk, i);

    if (g_strcmp0 (disk->target, disk_of (resource)->vdev) == 0)
      return disk->shareable;
  }
  return FALSE;
}

static void
add_others_of (const XfResource *resource, const XfGuest *guest, Disk *work)
{
  gboolean shareable = is_shareable (resource);

  for (guint i = 0; i < guest->def->disks->len; i++) {
    const XfDisk *disk = &g_array_index (guest->def->disks, XfDisk, i);

    if (!disk->source || !g_path_is_absolute (disk->source) || disk->readonly || disk->backend_domain
        || (shareable && disk->shareable))
      continue;
    g_ptr_array_add (work->paths, g_strdup (disk->source));
    g_ptr_array_add (work->names, g_strdup (guest->name));
  }
}

static void
add_others (const XfResource *resource, Disk *work)
{
  const XfDriver *driver = xf_resources_driver (resource->set);
  const XfDomainDef *def = xf_resource_guest (resource)->def;

  work->paths = g_ptr_array_new_with_free_func (g_free);
  work->names = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < driver->guests->len; i++) {
    const XfGuest *guest = driver->guests->pdata[i];

    if (guest->domid >= 0 && guest->def && !xf_uuid_equal (guest->uuid, def->uuid))
      add_others_of (resource, guest, work);
  }
}

static GError *
look_at_others (gpointer input)
{
  Disk *disk = input;
  struct stat status;

  (void)xf_watch_point ("resource:disk-use");
  for (guint i = 0; i < disk->paths->len; i++) {
    const char *path = disk->paths->pdata[i];

    g_atomic_int_set (&disk->at, (int)i);
    if (g_str_equal (path, disk->look.path) || (stat (path, &status) == 0 && xf_look_is_same (&status, &disk->own)))
      return g_error_new (XF_ERROR, XF_ERROR_RESOURCE_BUSY,
                          "'%s' is in use by domain '%s' on host '%s': two guests that write to one disk destroy its "
                          "contents; end that guest or detach the disk, or mark it <shareable/> in both if they can "
                          "share it",
                          disk->look.path, (const char *)disk->names->pdata[i], disk->look.host);
  }
  return NULL;
}

static void
others_looked_at (XfResource *resource, gpointer input, const GError *error)
{
  g_clear_handle_id (&((Disk *)input)->timer_id, g_source_remove);
  xf_resource_done (resource, error);
}

/* The storage of another guest does not answer. */
static gboolean
others_late (gpointer data)
{
  XfResource *resource = data;
  Disk *disk = xf_resource_thread_input (resource);
  guint at = (guint)g_atomic_int_get (&disk->at);

  disk->timer_id = 0;
  xf_resource_warn (resource,
                    "it is not known whether another guest on host '%s' uses '%s', because '%s' of domain '%s' does "
                    "not answer",
                    disk->look.host, disk->look.path, (const char *)disk->paths->pdata[at],
                    (const char *)disk->names->pdata[at]);
  xf_resource_stop_thread (resource);
  xf_resource_done (resource, NULL);
  return G_SOURCE_REMOVE;
}

static void
check_use (XfResource *resource, const XfLookDisk *found)
{
  Disk *disk = g_new0 (Disk, 1);
  guint ms = resource->deadline_s ? MIN (OTHERS_MS, resource->deadline_s * 500) : OTHERS_MS;

  add_others (resource, disk);
  if (!found->writable || !disk->paths->len) {
    disk_free (disk);
    xf_resource_done (resource, NULL);
    return;
  }
  disk->own = found->status;
  disk->look.path = g_strdup (found->path);
  disk->look.host = g_strdup (found->host);
  disk->timer_id = g_timeout_add (ms, others_late, resource);
  xf_resource_in_thread (resource, look_at_others, others_looked_at, disk, disk_free);
}

/* ---- check ------------------------------------------------------------------------------------------------ */

static void
check_found (XfResource *resource, gpointer input, const GError *error)
{
  const XfLookDisk *found = &((Disk *)input)->look;
  g_autoptr (GError) other = NULL;

  if (error)
    xf_resource_done (resource, error);
  else if (!check_same (resource, found, &other))
    xf_resource_done (resource, other);
  else
    check_use (resource, found);
}

static GError *
look_at_script (gpointer input)
{
  Disk *disk = input;
  GError *error = NULL;

  (void)xf_look_file ("script", disk->look.path, TRUE, disk->look.host, &error);
  return error;
}

static void
check_script (XfResource *resource)
{
  Disk *work = g_new0 (Disk, 1);

  work->look.path = xf_look_script (xf_resources_driver (resource->set), disk_of (resource)->script, "block");
  work->look.host = g_strdup (xf_resource_host (resource));
  xf_resource_in_thread (resource, look_at_script, NULL, work, disk_free);
}

static void
check (XfResource *resource)
{
  const libxl_device_disk *disk = disk_of (resource);

  if (xf_resource_guest (resource)->side != XF_SIDE_DESTINATION) {
    xf_resource_done (resource, NULL);
  } else if (!xf_look_is_dom0 (disk->backend_domid, disk->backend_domname)) {
    xf_look_warn_backend (resource, disk->backend_domid, disk->backend_domname);
    xf_resource_done (resource, NULL);
  } else if (disk->script) {
    check_script (resource);
  } else if (!is_path (disk)) {
    xf_resource_done (resource, NULL);
  } else {
    look_at (resource, look, check_found);
  }
}

static void
stop (XfResource *resource)
{
  Disk *disk = xf_resource_thread_input (resource);

  if (disk)
    g_clear_handle_id (&disk->timer_id, g_source_remove);
  xf_resource_stop_thread (resource);
}

const XfResourceKind xf_resource_disk = {
  .name = "disk",
  .want = XF_WANT_MANDATORY,
  .list = list,
  .verbs = { [XF_VERB_TELL] = tell, [XF_VERB_CHECK] = check },
  .stop = stop,
};
