/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/uuid.h"

static const guint8 example[XF_UUID_SIZE] = { 0xc7, 0xa5, 0xfd, 0xb2, 0xcd, 0xaf, 0x94, 0x55,
                                              0x92, 0x6a, 0xd6, 0x5c, 0x16, 0xdb, 0x18, 0x09 };

static void
test_text (void)
{
  g_autofree char *text = xf_uuid_to_string (example);

  g_assert_cmpstr (text, ==, "c7a5fdb2-cdaf-9455-926a-d65c16db1809");
}

static void
test_accepted (void)
{
  static const char *const texts[] = {
    "c7a5fdb2-cdaf-9455-926a-d65c16db1809",
    "C7A5FDB2-CDAF-9455-926A-D65C16DB1809",
    "c7a5fdb2cdaf9455926ad65c16db1809",
    "c7a5-fdb2-cdaf-9455-926a-d65c-16db-1809",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    guint8 uuid[XF_UUID_SIZE] = { 0 };

    g_assert_true (xf_uuid_parse (texts[i], uuid));
    g_assert_true (xf_uuid_equal (uuid, example));
  }
}

static void
test_refused (void)
{
  static const char *const texts[] = {
    "",
    "c7a5fdb2-cdaf-9455-926a-d65c16db180",
    "c7a5fdb2-cdaf-9455-926a-d65c16db18090",
    "c7a5fdb2-cdaf-9455-926a-d65c16db180g",
    " c7a5fdb2-cdaf-9455-926a-d65c16db1809",
    "c7a5fdb2-cdaf-9455-926a-d65c16db1809\n",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    guint8 uuid[XF_UUID_SIZE];

    g_assert_false (xf_uuid_parse (texts[i], uuid));
  }
}

static void
test_generated (void)
{
  guint8 one[XF_UUID_SIZE], other[XF_UUID_SIZE];

  xf_uuid_generate (one);
  xf_uuid_generate (other);
  g_assert_false (xf_uuid_equal (one, other));
  g_assert_cmphex (one[6] >> 4, ==, 4);
  g_assert_cmphex (one[8] >> 6, ==, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/uuid/text", test_text);
  g_test_add_func ("/uuid/accepted", test_accepted);
  g_test_add_func ("/uuid/refused", test_refused);
  g_test_add_func ("/uuid/generated", test_generated);
  return g_test_run ();
}
