/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remote/error_map.h"

#include <gio/gio.h>
#include <libvirt/virterror.h>

/* Each code has its own row; a code without one would be reported as an internal error. */
static void
test_complete (void)
{
  for (int code = XF_ERROR_INTERNAL; code <= XF_ERROR_GUEST_TIMEDOUT; code++) {
    g_autoptr (GError) error = g_error_new_literal (XF_ERROR, code, "detail");
    const XfErrorMapping *mapping = xf_error_map_find (error);

    g_assert_cmpint (mapping->code, ==, code);
    g_assert_true (g_str_has_suffix (mapping->format, "%s"));
    g_assert_cmpint (mapping->number, >, 0);
  }
}

static void
test_text (void)
{
  g_autoptr (GError) missing = g_error_new_literal (XF_ERROR, XF_ERROR_NO_DOMAIN, "no guest is called 'g1'");
  g_autoptr (GError) foreign = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_FAILED, "what %s said");
  g_autofree char *missing_text = xf_error_map_text (missing);
  g_autofree char *foreign_text = xf_error_map_text (foreign);

  g_assert_cmpint (xf_error_map_find (missing)->number, ==, VIR_ERR_NO_DOMAIN);
  g_assert_cmpint (xf_error_map_find (missing)->domain, ==, VIR_FROM_LIBXL);
  g_assert_cmpstr (missing_text, ==, "Domain not found: no guest is called 'g1'");
  g_assert_cmpint (xf_error_map_find (foreign)->number, ==, VIR_ERR_INTERNAL_ERROR);
  g_assert_cmpstr (foreign_text, ==, "internal error: what %s said");
}

/* A code survives the way to the wire and back, so another xenferryd can pass an error on unchanged. */
static void
test_round_trip (void)
{
  for (int code = XF_ERROR_INTERNAL; code <= XF_ERROR_GUEST_TIMEDOUT; code++) {
    g_autoptr (GError) error = g_error_new_literal (XF_ERROR, code, "guest g1: a reason");
    g_autofree char *text = xf_error_map_text (error);
    g_autoptr (GError) back = xf_error_map_from_wire (xf_error_map_find (error)->number, text);
    g_autofree char *text_again = xf_error_map_text (back);

    g_assert_cmpint (xf_error_map_find (back)->number, ==, xf_error_map_find (error)->number);
    g_assert_cmpstr (text_again, ==, text);
    g_assert_cmpstr (back->message, ==, "guest g1: a reason");
  }
}

static void
test_from_wire (void)
{
  g_autoptr (GError) exists = xf_error_map_from_wire (VIR_ERR_DOM_EXIST, "domain g1 exists already");
  g_autoptr (GError) silent = xf_error_map_from_wire (VIR_ERR_OPERATION_FAILED, NULL);
  g_autoptr (GError) unknown = xf_error_map_from_wire (4711, "something new");
  g_autoptr (GError) frame_only = xf_error_map_from_wire (VIR_ERR_INTERNAL_ERROR, "internal error: ");

  g_assert_error (exists, XF_ERROR, XF_ERROR_DOMAIN_EXISTS);
  g_assert_cmpstr (exists->message, ==, "domain g1 exists already");
  g_assert_error (silent, XF_ERROR, XF_ERROR_OPERATION_FAILED);
  g_assert_cmpstr (silent->message, !=, "");
  g_assert_error (unknown, XF_ERROR, XF_ERROR_OPERATION_FAILED);
  g_assert_cmpstr (frame_only->message, ==, "internal error: ");
}

/* A peer's error text may contain any bytes, and is shown on a terminal, in a log and by other daemons. */
static void
test_unprintable (void)
{
  g_autoptr (GError) error = xf_error_map_from_wire (VIR_ERR_OPERATION_FAILED, "a\nb\033[2Jc\xff\xc2\x9b"
                                                                               "d\xe2\x80\xae\xc3\xa4");
  g_autoptr (GError) framed = xf_error_map_from_wire (VIR_ERR_INTERNAL_ERROR, "internal error: \001");

  g_assert_cmpstr (error->message, ==, "a\\x0ab\\x1b[2Jc\\xff\\xc2\\x9bd\\xe2\\x80\\xae\xc3\xa4");
  g_assert_cmpstr (framed->message, ==, "\\x01");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/error_map/complete", test_complete);
  g_test_add_func ("/error_map/text", test_text);
  g_test_add_func ("/error_map/round-trip", test_round_trip);
  g_test_add_func ("/error_map/from-wire", test_from_wire);
  g_test_add_func ("/error_map/unprintable", test_unprintable);
  return g_test_run ();
}
