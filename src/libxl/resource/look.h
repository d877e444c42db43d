/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Looks at this host for kinds of resources: programs and files, and what the kernel shows in sysfs. They may block,
 * so they belong into a thread (xf_resource_in_thread()), and use nothing but their arguments.
 */
#pragma once

#include <libxl.h>
#include <sys/stat.h>

#include "libxl/resource/kind.h"

/* The root of sysfs: another one only for tests. */
const char *xf_look_sys_dir (const XfDriver *driver);

/* TRUE if SYS_DIR/PATH exists; PATH is made as by printf. */
gboolean xf_look_sys_has (const char *sys_dir, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* The first line of that file without blanks at its ends, the caller's; NULL: there is none, or it is empty. */
char *xf_look_sys_line (const char *sys_dir, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* Where libxl finds the script of a device: @script, or @otherwise if the device names none. The caller frees it. */
char *xf_look_script (const XfDriver *driver, const char *script, const char *otherwise);

/* TRUE if @path is a file that root can execute, or, with @executable FALSE, a file. Else the error says what is wrong
 * with @what on host @host. */
gboolean xf_look_file (const char *what, const char *path, gboolean executable, const char *host, GError **error);

/* TRUE if dom0 serves a device of this backend. */
gboolean xf_look_is_dom0 (libxl_domid domid, const char *name);

/* Says that the device of @resource is not checked, because that domain serves it. */
void xf_look_warn_backend (XfResource *resource, libxl_domid domid, const char *name);

/* An image or device of a disk. */
typedef struct {
  /* to look for */
  char *path;
  char *sys_dir, *host;
  libxl_disk_format format;
  gboolean writable, needs_block;

  /* found */
  struct stat status;
  guint64 size; /* of the disk that the guest sees, bytes; 0: not known */
  char *id;     /* of a block device: "wwid=naa.5000…"; NULL: not known */
  char *file;   /* of a file: "TYPE FSID INODE", numbers in hexadecimal */
} XfLookDisk;

/* FALSE: a guest cannot use it. What it is can then be incomplete. */
gboolean xf_look_disk (XfLookDisk *look, GError **error);
void xf_look_disk_clear (XfLookDisk *look);

/* TRUE if both are the same device or file. */
gboolean xf_look_is_same (const struct stat *one, const struct stat *other);
