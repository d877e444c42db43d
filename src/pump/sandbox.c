/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pump/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

#ifndef SOL_TLS
#define SOL_TLS 282
#endif
#define MEMORY_MAX (512ul << 20)
#define FILES_LOOKED_AT 256
#define DESCRIPTORS_MAX 64 /* poll accepts no more descriptors than the limit */

/* A sanitizer maps all memory, and inspects the process from outside at its end. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED TRUE
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED TRUE
#endif
#endif
#ifndef SANITIZED
#define SANITIZED FALSE
#endif

static int
compare (gconstpointer a, gconstpointer b)
{
  return *(const int *)a - *(const int *)b;
}

void
xf_sandbox_close_others (const int *keep, guint n)
{
  g_autofree int *sorted = g_memdup2 (keep, n * sizeof (*keep));
  int next = 3;

  qsort (sorted, n, sizeof (*sorted), compare);
  for (guint i = 0; i < n; i++) {
    if (sorted[i] > next)
      close_range (next, sorted[i] - 1, 0);
    next = MAX (next, sorted[i] + 1);
  }
  close_range (next, ~0u, 0);
}

/* The first of them that exists. */
static struct passwd *
find_user (const char *names)
{
  g_auto (GStrv) list = g_strsplit (names, ",", -1);
  struct passwd *entry = NULL;

  for (guint i = 0; !entry && list[i]; i++)
    entry = getpwnam (list[i]);
  return entry;
}

static gboolean
become (const char *users, GError **error)
{
  struct passwd *entry = find_user (users);
  const char *user = entry ? entry->pw_name : users;

  if (!entry) {
    g_set_error (error, XF_ERROR, XF_ERROR_SYSTEM, "there is no user '%s' for the pump to run as", users);
    return FALSE;
  }
  if (setgroups (0, NULL) < 0 || setresgid (entry->pw_gid, entry->pw_gid, entry->pw_gid) < 0
      || setresuid (entry->pw_uid, entry->pw_uid, entry->pw_uid) < 0)
    return xf_error_set_errno (error, errno, "cannot become user '%s'", user);
  return TRUE;
}

/* TRUE if a descriptor is a file. A pump that a user starts in a pipeline may have one; the driver's pump has none. */
static gboolean
has_file (void)
{
  struct stat st;
  gboolean found = FALSE;

  for (int fd = 0; fd < FILES_LOOKED_AT; fd++)
    found |= fstat (fd, &st) == 0 && S_ISREG (st.st_mode);
  return found;
}

static gboolean
limit (GError **error)
{
  static const struct {
    int what;
    rlim_t value;
  } limits[] = {
    { RLIMIT_AS, MEMORY_MAX }, { RLIMIT_NOFILE, DESCRIPTORS_MAX }, { RLIMIT_NPROC, 0 }, { RLIMIT_CORE, 0 },
    { RLIMIT_MEMLOCK, 0 },
  };

  static const struct rlimit none = { 0, 0 };

  if (!has_file () && setrlimit (RLIMIT_FSIZE, &none) < 0)
    return xf_error_set_errno (error, errno, "cannot forbid to write files");
  for (gsize i = 0; i < G_N_ELEMENTS (limits); i++) {
    struct rlimit both = { limits[i].value, limits[i].value };

    if (setrlimit (limits[i].what, &both) < 0)
      return xf_error_set_errno (error, errno, "cannot limit resource %d", limits[i].what);
  }
  return TRUE;
}

/* With any arguments. */
static const int allowed[] = {
  SCMP_SYS (read),
  SCMP_SYS (write),
  SCMP_SYS (readv),
  SCMP_SYS (writev),
  SCMP_SYS (splice),
  SCMP_SYS (recvfrom),
  SCMP_SYS (recvmsg),
  SCMP_SYS (sendto),
  SCMP_SYS (sendmsg),
  SCMP_SYS (shutdown),
  SCMP_SYS (poll),
  SCMP_SYS (ppoll),
  SCMP_SYS (close),
  SCMP_SYS (brk),
  SCMP_SYS (munmap),
  SCMP_SYS (mremap),
  SCMP_SYS (madvise),
  SCMP_SYS (futex),
  SCMP_SYS (getrandom),
  SCMP_SYS (clock_gettime),
  SCMP_SYS (gettimeofday),
  SCMP_SYS (time),
  SCMP_SYS (getpid),
  SCMP_SYS (gettid),
  SCMP_SYS (rt_sigreturn),
  SCMP_SYS (rt_sigprocmask),
  SCMP_SYS (restart_syscall),
  SCMP_SYS (exit),
  SCMP_SYS (exit_group),
  SCMP_SYS (sched_yield),
};

/* With these alone. */
static const struct {
  int call;
  guint n;
  struct scmp_arg_cmp arguments[2];
} narrowed[] = {
  /* A data path needs no executable memory. */
  { SCMP_SYS (mmap), 1, { { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 } } },
  /* TLS in the kernel, if gnutls is configured for it ("ktls") and the kernel supports it. */
  { SCMP_SYS (setsockopt), 2, { { 1, SCMP_CMP_EQ, SOL_TCP, 0 }, { 2, SCMP_CMP_EQ, TCP_ULP, 0 } } },
  { SCMP_SYS (setsockopt), 1, { { 1, SCMP_CMP_EQ, SOL_TLS, 0 } } },
  /* How much must have arrived before the pump is woken. */
  { SCMP_SYS (setsockopt), 2, { { 1, SCMP_CMP_EQ, SOL_SOCKET, 0 }, { 2, SCMP_CMP_EQ, SO_RCVLOWAT, 0 } } },
  /* How much waits to be read, nothing else. */
  { SCMP_SYS (ioctl), 1, { { 1, SCMP_CMP_EQ, FIONREAD, 0 } } },
};

static gboolean
filter (GError **error)
{
  scmp_filter_ctx context = seccomp_init (SCMP_ACT_KILL_PROCESS);
  int rc = context ? 0 : -ENOMEM;

  for (gsize i = 0; rc == 0 && i < G_N_ELEMENTS (allowed); i++)
    rc = seccomp_rule_add (context, SCMP_ACT_ALLOW, allowed[i], 0);
  for (gsize i = 0; rc == 0 && i < G_N_ELEMENTS (narrowed); i++)
    rc = seccomp_rule_add_array (context, SCMP_ACT_ALLOW, narrowed[i].call, narrowed[i].n, narrowed[i].arguments);
  if (rc == 0)
    rc = seccomp_load (context);
  if (context)
    seccomp_release (context);
  return rc == 0 || xf_error_set_errno (error, -rc, "cannot filter system calls");
}

gboolean
xf_sandbox_enter (const char *user, GError **error)
{
  if (SANITIZED)
    return TRUE;
  if (user && !become (user, error))
    return FALSE;
  if (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl (PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return xf_error_set_errno (error, errno, "cannot give up privileges");
  return limit (error) && filter (error);
}
