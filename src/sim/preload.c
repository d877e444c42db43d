/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a libvirtd needs besides libxl to accept the simulated host as a Xen host: its driver loads only if
 * /proc/xen/capabilities says "control_d". Only in the preload library.
 */
/* open and open64 must be two functions here, however the rest is built. */
#undef _FILE_OFFSET_BITS

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <glib.h>

#define CAPABILITIES "/proc/xen/capabilities"
#define CONTENTS "control_d\n"

static int
fake_capabilities (void)
{
  int fd = memfd_create ("capabilities", MFD_CLOEXEC);

  if (fd < 0 || write (fd, CONTENTS, strlen (CONTENTS)) < 0)
    return -1;
  lseek (fd, 0, SEEK_SET);
  return fd;
}

int
access (const char *path, int mode)
{
  int (*real) (const char *, int) = dlsym (RTLD_NEXT, "access");

  return strcmp (path, CAPABILITIES) == 0 ? 0 : real (path, mode);
}

static int
open_or_fake (const char *name, const char *path, int flags, mode_t mode)
{
  int (*real) (const char *, int, ...) = dlsym (RTLD_NEXT, name);

  return strcmp (path, CAPABILITIES) == 0 ? fake_capabilities () : real (path, flags, mode);
}

#define MODE_OF(flags, last)                                                                                           \
  ({                                                                                                                   \
    va_list args_;                                                                                                     \
    mode_t mode_ = 0;                                                                                                  \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                             \
      va_start (args_, last);                                                                                          \
      mode_ = va_arg (args_, mode_t);                                                                                  \
      va_end (args_);                                                                                                  \
    }                                                                                                                  \
    mode_;                                                                                                             \
  })

int
open (const char *path, int flags, ...)
{
  return open_or_fake ("open", path, flags, MODE_OF (flags, flags));
}

int
open64 (const char *path, int flags, ...)
{
  return open_or_fake ("open64", path, flags, MODE_OF (flags, flags));
}
