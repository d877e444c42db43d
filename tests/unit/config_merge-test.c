/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>

#include "libxl/convert/merge.h"

typedef struct {
  const char *name, *exact, *known, *wanted, *merged;
} Case;

static const Case cases[] = {
  { "nothing-changed", "{\"a\":1,\"x\":{\"only\":true}}", "{\"a\":1}", "{\"a\":1}", "{\"a\":1,\"x\":{\"only\":true}}" },
  { "libxl-knows-better", "{\"a\":2}", "{\"a\":1}", "{\"a\":1}", "{\"a\":2}" },
  { "value-changed", "{\"a\":2,\"b\":3}", "{\"a\":1}", "{\"a\":5}", "{\"a\":5,\"b\":3}" },
  { "value-added", "{\"b\":3}", "{}", "{\"a\":\"x\"}", "{\"b\":3,\"a\":\"x\"}" },
  { "value-taken-away", "{\"a\":1,\"b\":3}", "{\"a\":1}", "{}", "{\"b\":3}" },
  { "inside-a-device", "{\"disks\":[{\"path\":\"/a\",\"discard\":true},{\"path\":\"/b\"}]}",
    "{\"disks\":[{\"path\":\"/a\"},{\"path\":\"/b\"}]}", "{\"disks\":[{\"path\":\"/n/a\"},{\"path\":\"/b\"}]}",
    "{\"disks\":[{\"path\":\"/n/a\",\"discard\":true},{\"path\":\"/b\"}]}" },
  { "device-removed", "{\"nics\":[{\"x\":1},{\"x\":2}]}", "{\"nics\":[{\"x\":1},{\"x\":2}]}", "{\"nics\":[{\"x\":1}]}",
    "{\"nics\":[{\"x\":1}]}" },
  { "another-kind-of-value", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}", "{\"a\":\"none\"}", "{\"a\":\"none\"}" },
  { "digits-stay", "{\"a\":18446744073709551615,\"t\":false,\"n\":null}", "{}", "{}",
    "{\"a\":18446744073709551615,\"t\":false,\"n\":null}" },
};

static void
test_case (gconstpointer data)
{
  const Case *it = data;
  g_autoptr (GError) error = NULL;
  g_autofree char *merged = xf_config_merge (it->exact, it->known, it->wanted, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (merged, ==, it->merged);
}

static void
test_no_json (void)
{
  const char *const bad[] = { "", "[]", "{", "{\"a\":1} x", "3" };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_null (xf_config_merge (bad[i], "{}", "{}", &error));
    g_assert_nonnull (error);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *path = g_strdup_printf ("/config_merge/%s", cases[i].name);

    g_test_add_data_func (path, &cases[i], test_case);
  }
  g_test_add_func ("/config_merge/no-json", test_no_json);
  return g_test_run ();
}
