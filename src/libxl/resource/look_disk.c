/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A look at the image of a disk. It never writes, and opens nothing for writing that is not a plain file: to open a
 * block device for writing makes udev examine it afterwards, and a replicated device change its role. It reads only the
 * header of an image that has one, and leaves nothing of it in the page cache.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/watch.h"
#include "libxl/resource/look.h"

#define HEADER_BYTES 512

static gboolean
cannot (const XfLookDisk *look, int errnum, const char *what, GError **error)
{
  return xf_error_set_errno (error, errnum, "'%s' cannot be %s on host '%s'; make it available there", look->path, what,
                             look->host);
}

static gboolean
check_type (const XfLookDisk *look, GError **error)
{
  mode_t mode = look->status.st_mode;

  if (S_ISBLK (mode) || (S_ISREG (mode) && !look->needs_block))
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_FAILED, "'%s' on host '%s' is %s, and not %s", look->path,
               look->host,
               S_ISREG (mode)   ? "a file"
               : S_ISDIR (mode) ? "a directory"
                                : "neither a file nor a block device",
               look->needs_block ? "a block device, which driver 'phy' needs" : "an image");
  return FALSE;
}

/* Not by opening a device for writing, see above. */
static gboolean
check_writable (const XfLookDisk *look, int fd, GError **error)
{
  int is_readonly = 0;

  if (faccessat (AT_FDCWD, look->path, W_OK, AT_EACCESS) < 0)
    return cannot (look, errno, "written", error);
  if (S_ISBLK (look->status.st_mode) && ioctl (fd, BLKROGET, &is_readonly) == 0 && is_readonly)
    return cannot (look, EROFS, "written", error);
  return TRUE;
}

static guint64
big_endian (const guint8 *bytes)
{
  guint64 number;

  memcpy (&number, bytes, sizeof (number));
  return GUINT64_FROM_BE (number);
}

static guint64
little_endian (const guint8 *bytes)
{
  guint64 number;

  memcpy (&number, bytes, sizeof (number));
  return GUINT64_FROM_LE (number);
}

/* Reads @length bytes at @offset, and drops them from the page cache: the source writes to this image. */
static gboolean
read_at (int fd, void *buffer, gsize length, off_t offset)
{
  gssize n = pread (fd, buffer, length, offset);

  (void)posix_fadvise (fd, offset, length, POSIX_FADV_DONTNEED);
  return n == (gssize)length;
}

/* The size that the header of an image tells; FALSE: there is no such header. */
static gboolean
read_header (int fd, guint64 length, libxl_disk_format format, guint64 *size_out)
{
  guint8 head[HEADER_BYTES] = { 0 }, foot[HEADER_BYTES] = { 0 };
  gboolean has_head = read_at (fd, head, sizeof (head), 0);

  switch (format) {
  case LIBXL_DISK_FORMAT_QCOW:
  case LIBXL_DISK_FORMAT_QCOW2:
    *size_out = big_endian (head + 24);
    return has_head && memcmp (head, "QFI\xfb", 4) == 0 && (head[7] >= 2) == (format == LIBXL_DISK_FORMAT_QCOW2);
  case LIBXL_DISK_FORMAT_QED:
    *size_out = little_endian (head + 48);
    return has_head && memcmp (head, "QED", 4) == 0;
  case LIBXL_DISK_FORMAT_VHD: /* a fixed one has only the footer */
    if (has_head && memcmp (head, "conectix", 8) == 0)
      memcpy (foot, head, sizeof (foot));
    else if (length < sizeof (foot) || !read_at (fd, foot, sizeof (foot), length - sizeof (foot)))
      return FALSE;
    *size_out = big_endian (foot + 48);
    return memcmp (foot, "conectix", 8) == 0;
  default:
    *size_out = length;
    return TRUE;
  }
}

static const char *
format_name (libxl_disk_format format)
{
  const char *name = libxl_disk_format_to_string (format);

  return name ? name : "unknown";
}

static gboolean
look_at_content (XfLookDisk *look, int fd, GError **error)
{
  guint64 length = look->status.st_size;

  if (S_ISBLK (look->status.st_mode) && ioctl (fd, BLKGETSIZE64, &length) < 0)
    length = 0;
  if (read_header (fd, length, look->format, &look->size))
    return TRUE;
  look->size = 0;
  g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_FAILED,
               "'%s' on host '%s' has no header of a %s image, which its configuration says it is", look->path,
               look->host, format_name (look->format));
  return FALSE;
}

/* A name that is the same wherever the device is seen. Names of LVM and multipath are; those that an administrator
 * gives are not. */
static char *
id_of_device (const char *sys_dir, const char *device)
{
  static const char *const attributes[] = { "wwid", "device/wwid", "device/serial", "serial" };
  g_autofree char *mapped = xf_look_sys_line (sys_dir, "dev/block/%s/dm/uuid", device);

  if (mapped)
    return g_str_has_prefix (mapped, "LVM-") || strstr (mapped, "mpath-") ? g_strconcat ("dm=", mapped, NULL) : NULL;
  for (guint i = 0; i < G_N_ELEMENTS (attributes); i++) {
    g_autofree char *value = xf_look_sys_line (sys_dir, "dev/block/%s/%s", device, attributes[i]);

    if (value)
      return g_strdup_printf ("%s=%s", attributes[i], value);
  }
  return NULL;
}

static void
identify_device (XfLookDisk *look)
{
  g_autofree char *device = g_strdup_printf ("%u:%u", major (look->status.st_rdev), minor (look->status.st_rdev));
  g_autofree char *partition = xf_look_sys_line (look->sys_dir, "dev/block/%s/partition", device);
  g_autofree char *of = partition ? g_strconcat (device, "/..", NULL) : g_strdup (device);
  g_autofree char *whole = id_of_device (look->sys_dir, of);

  if (whole)
    look->id = partition ? g_strdup_printf ("%s, partition %s", whole, partition) : g_steal_pointer (&whole);
}

static void
identify_file (XfLookDisk *look, int fd)
{
  struct statfs system;
  guint32 fsid[2];

  if (fstatfs (fd, &system) < 0)
    return;
  memcpy (fsid, &system.f_fsid, sizeof (fsid));
  look->file = g_strdup_printf ("%lx %08x%08x %" G_GINT64_MODIFIER "x", (unsigned long)system.f_type & 0xffffffff,
                                fsid[0], fsid[1], (guint64)look->status.st_ino);
}

gboolean
xf_look_disk (XfLookDisk *look, GError **error)
{
  int failure = xf_watch_point ("resource:disk");
  xf_autofd fd = -1;

  /* A pipe or a terminal must not be opened at all. */
  if (failure || stat (look->path, &look->status) < 0)
    return cannot (look, failure ? failure : errno, "found", error);
  if (!check_type (look, error))
    return FALSE;
  fd = open (look->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0 || fstat (fd, &look->status) < 0)
    return cannot (look, errno, "opened", error);
  if (S_ISBLK (look->status.st_mode))
    identify_device (look);
  else
    identify_file (look, fd);
  return (!look->writable || check_writable (look, fd, error)) && look_at_content (look, fd, error);
}

void
xf_look_disk_clear (XfLookDisk *look)
{
  g_free (look->path);
  g_free (look->sys_dir);
  g_free (look->host);
  g_free (look->id);
  g_free (look->file);
}

gboolean
xf_look_is_same (const struct stat *one, const struct stat *other)
{
  if (S_ISBLK (one->st_mode) || S_ISBLK (other->st_mode))
    return S_ISBLK (one->st_mode) && S_ISBLK (other->st_mode) && one->st_rdev == other->st_rdev;
  return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}
