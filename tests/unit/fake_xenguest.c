/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Stands for libxenguest and libxenctrl: asks the policy as libxenguest does, and prints the answers. In the
 * environment: FAKE_DIRTY, pages at each question before a pass; FAKE_LEFT, what Xen says after each ("-": the call
 * fails).
 */
#include <glib.h>
#include <stdio.h>
#include <xenctrl.h>
#include <xenguest.h>

static guint asked;

static char *
nth (const char *variable, guint n)
{
  g_auto (GStrv) words = g_strsplit (g_getenv (variable) ? g_getenv (variable) : "", " ", -1);

  return g_strdup (n < g_strv_length (words) ? words[n] : "");
}

long long
xc_logdirty_control (xc_interface *xch, uint32_t domid, unsigned int sop, xc_hypercall_buffer_t *dirty_bitmap,
                     unsigned long pages, unsigned int mode, xc_shadow_op_stats_t *stats)
{
  g_autofree char *left = nth ("FAKE_LEFT", asked++);

  if (sop != XEN_DOMCTL_SHADOW_OP_PEEK || dirty_bitmap || pages || mode)
    g_error ("only the counter is asked for");
  if (g_str_equal (left, "-"))
    return -1;
  stats->dirty_count = (uint32_t)g_ascii_strtoull (left, NULL, 10);
  return 0;
}

int
xc_domain_save (xc_interface *xch, int io_fd, uint32_t dom, uint32_t flags, struct save_callbacks *callbacks,
                xc_stream_type_t stream_type, int recv_fd)
{
  struct precopy_stats stats = { 0 };

  printf ("save %d %u %u %d %d%s\n", io_fd, dom, flags, stream_type, recv_fd, callbacks->data ? " data" : "");
  for (; callbacks->precopy_policy; stats.iteration++) {
    g_autofree char *dirty = nth ("FAKE_DIRTY", stats.iteration);
    int decision;

    if (!*dirty)
      break;
    stats.dirty_count = (long)g_ascii_strtoull (dirty, NULL, 10);
    decision = callbacks->precopy_policy (stats, callbacks->data);
    printf ("before %u: %d\n", stats.iteration, decision);
    if (decision != XGS_POLICY_CONTINUE_PRECOPY)
      break;
    stats.dirty_count = -1;
    stats.iteration++;
    decision = callbacks->precopy_policy (stats, callbacks->data);
    stats.iteration--;
    printf ("after %u: %d\n", stats.iteration + 1, decision);
    if (decision != XGS_POLICY_CONTINUE_PRECOPY)
      break;
  }
  return 0;
}
