/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * xenferry-precopy.so: inside libxl's own save helper (LD_PRELOAD, set by xenferry-save-helper). It defines
 * xc_domain_save(), adds the precopy policy that libxl leaves out, and calls libxenguest's. Everything else, above all
 * the messages between libxl and its helper, whose numbers differ between builds of one version of Xen, stays libxl's.
 *
 * It must never make a save fail that would succeed without it: with another libxenguest than the one it was built
 * for, without a goal, or with a policy that libxl has set, the call passes through unchanged. docs/convergence.md
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <xenctrl.h>
#include <xenguest.h>

#include "savehelper/goal.h"

typedef typeof (xc_domain_save) SaveFunc;
typedef typeof (xc_logdirty_control) LogDirtyFunc;

_Static_assert(XF_POLICY_ABORT == XGS_POLICY_ABORT && XF_POLICY_CONTINUE == XGS_POLICY_CONTINUE_PRECOPY
                 && XF_POLICY_STOP == XGS_POLICY_STOP_AND_COPY,
               "libxenguest's answers have other numbers");

/* One process saves one guest. */
static struct {
  XfGoal *goal;
  xc_interface *xch;
  uint32_t domid;
  LogDirtyFunc *logdirty;
} save;

/* The pages that are dirty now. Without a bitmap and without pages Xen returns only its counter and clears nothing; the
 * guest is paused for some microseconds. */
static int64_t
left_now (void *data)
{
  xc_shadow_op_stats_t stats = { 0 };

  if (!save.logdirty || save.logdirty (save.xch, save.domid, XEN_DOMCTL_SHADOW_OP_PEEK, NULL, 0, 0, &stats) < 0)
    return -1;
  return stats.dirty_count;
}

static int
decide (struct precopy_stats stats, void *data)
{
  return xf_goal_decide (save.goal, stats.iteration, stats.dirty_count, left_now, NULL);
}

/* libxenguest's function; NULL if it is not the one whose structures this file was compiled with. */
static void *
same_version (void *handle, const char *name)
{
  return dlvsym (handle, name, XF_XEN_SYMBOLS);
}

static void
add_policy (xc_interface *xch, uint32_t dom, uint32_t flags, struct save_callbacks *callbacks,
            xc_stream_type_t stream_type)
{
  const char *dir = getenv (XF_GOAL_ENVIRONMENT);

  if (!dir || !(flags & XCFLAGS_LIVE) || stream_type != XC_STREAM_PLAIN || callbacks->precopy_policy)
    return;
  save.goal = xf_goal_open (dir, dom);
  if (!save.goal)
    return;
  save.xch = xch;
  save.domid = dom;
  save.logdirty = same_version (RTLD_DEFAULT, "xc_logdirty_control");
  callbacks->precopy_policy = decide;
}

/* The only symbol that this library exports. */
__attribute__ ((visibility ("default"))) int
xc_domain_save (xc_interface *xch, int io_fd, uint32_t dom, uint32_t flags, struct save_callbacks *callbacks,
                xc_stream_type_t stream_type, int recv_fd)
{
  SaveFunc *known = same_version (RTLD_NEXT, __func__);
  SaveFunc *real = known;

  if (!real)
    real = dlsym (RTLD_NEXT, __func__);
  if (!real) {
    errno = ENOSYS;
    return -1;
  }
  if (known)
    add_policy (xch, dom, flags, callbacks, stream_type);
  return real (xch, io_fd, dom, flags, callbacks, stream_type, recv_fd);
}
