/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A host's CPU features as its Xen reports them, and a guest that is started with less.
 */
#include <string.h>

#include "host.h"
#include "libxl/convert/features.h"
#include "libxl/guest/driver_private.h"

static void
assert_features (Host *host, const char *expected)
{
  g_autofree char *text = xf_features_of_host (xf_ctx_libxl (host->driver->ctx));

  g_assert_cmpstr (text, ==, expected);
}

static void
test_host (void)
{
  Host *host = host_new ();

  assert_features (host, "bfebfbff-77fef3ff-2c100800-00000121-0000000f-f1bf07ab-00405f4e-00000100:hvm,pv,hap,shadow");
  host_set_control (host, "hw-cap=12345678-9abcdef0-7\nhap=0\n");
  assert_features (host, "12345678-9abcdef0-00000007-00000000-00000000-00000000-00000000-00000000:hvm,pv,shadow");
  host_set_control (host, "shadow=0\nfail-nth=1\n");
  assert_features (host, NULL);
  assert_features (host, "bfebfbff-77fef3ff-2c100800-00000121-0000000f-f1bf07ab-00405f4e-00000100:hvm,pv,hap");
  host_free (host);
}

/* The element that the level gives starts a guest that misses nothing on the other host. */
static void
test_level (void)
{
  static const char other[] = "bfebfbff-77fef3ff-2c100800-00000021-00000001-000007ab-00000000-00000100:hvm,pv,hap";
  Host *host = host_new ();
  libxl_ctx *ctx = xf_ctx_libxl (host->driver->ctx);
  g_autofree char *here = xf_features_of_host (ctx), *level = NULL, *xml = NULL;
  const char *hosts[] = { here, other, NULL };
  g_autoptr (GError) error = NULL;

  level = xf_features_baseline (hosts, &error);
  g_assert_no_error (error);
  xml = xf_features_level_xml (level, here, &error);
  g_assert_no_error (error);
  for (int pinned = 0; pinned < 2; pinned++) {
    g_autofree guint8 *uuid = host_define (host, pinned ? "pinned" : "free", pinned ? xml : "");
    g_autoptr (GPtrArray) missing = NULL;
    libxl_domain_config config;

    g_assert_true (host_start (host, uuid, 0, &error));
    g_assert_no_error (error);
    libxl_domain_config_init (&config);
    g_assert_cmpint (libxl_retrieve_domain_configuration (ctx, xf_guest_find_or_error (host->driver, uuid, NULL)->domid,
                                                          &config, NULL),
                     ==, 0);
    missing = xf_features_missing (here, other, &config, &error);
    g_assert_no_error (error);
    g_assert_true (pinned ? missing->len == 0 : missing->len > 20);
    libxl_domain_config_dispose (&config);
    g_assert_true (host_destroy (host, uuid, &error));
  }
  host_free (host);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/levels/host", test_host);
  g_test_add_func ("/levels/level", test_level);
  return g_test_run ();
}
