/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Frames, byte by byte, and the layouts that the protocol fixes.
 */
#include <string.h>

#include "procs.h"
#include "rpc/frame.h"

static void
test_header (void)
{
  XfFrameHeader header = { .program = 0x20008086, .version = 1, .procedure = 273, .type = XF_FRAME_CALL, .serial = 7 };
  static const guint8 expected[] = {
    0,    0,    0,    28,   /* length, itself included */
    0x20, 0x00, 0x80, 0x86, /* program */
    0,    0,    0,    1,    /* version */
    0,    0,    1,    17,   /* procedure */
    0,    0,    0,    0,    /* type CALL */
    0,    0,    0,    7,    /* serial */
    0,    0,    0,    0,    /* status OK */
  };
  g_autoptr (GBytes) frame = xf_frame_empty (&header);
  XfFrameHeader read;

  g_assert_cmpmem (g_bytes_get_data (frame, NULL), g_bytes_get_size (frame), expected, sizeof (expected));
  g_assert_true (xf_frame_get_header (expected, &read));
  g_assert_cmpint (read.procedure, ==, 273);
  g_assert_cmpuint (read.serial, ==, 7);
}

static void
test_impossible_lengths (void)
{
  static const guint32 lengths[] = { 0, 4, 27, XF_FRAME_MAX + 1, G_MAXUINT32 };
  guint8 bytes[XF_FRAME_HEADER] = { 0 };
  XfFrameHeader header;

  for (gsize i = 0; i < G_N_ELEMENTS (lengths); i++) {
    guint32 big = GUINT32_TO_BE (lengths[i]);

    memcpy (bytes, &big, sizeof (big));
    g_assert_false (xf_frame_get_header (bytes, &header));
  }
}

/* An error as libvirtd 9.0 writes it (docs/wire.md, Errors). */
static void
test_error (void)
{
  XfFrameHeader header = { .program = XF_REMOTE_PROGRAM, .version = 1, .procedure = 303, .type = XF_FRAME_REPLY };
  char message[] = "operation failed: no", format[] = "operation failed: %s", detail[] = "no";
  XfWireError error = { 9, 20, message, format, detail };
  g_auto (XfWireError) read = { 0 };
  static const guint8 expected[] = {
    0,    0,    0,    9,    0,    0,    0,    20, /* code, domain */
    0,    0,    0,    1,    0,    0,    0,    20,   'o', 'p', 'e', 'r', 'a', 't',
    'i',  'o',  'n',  ' ',  'f',  'a',  'i',  'l',  'e', 'd', ':', ' ', 'n', 'o', /* message */
    0,    0,    0,    2,                                                          /* level error */
    0,    0,    0,    0,                                                          /* no domain */
    0,    0,    0,    1,    0,    0,    0,    20,   'o', 'p', 'e', 'r', 'a', 't',
    'i',  'o',  'n',  ' ',  'f',  'a',  'i',  'l',  'e', 'd', ':', ' ', '%', 's', /* str1 */
    0,    0,    0,    1,    0,    0,    0,    2,    'n', 'o', 0,   0,             /* str2, padded */
    0,    0,    0,    0,                                                          /* no str3 */
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,                               /* int1, int2 */
    0,    0,    0,    0,                                                          /* no network */
  };
  g_autoptr (GBytes) frame = xf_frame_encode_error (&header, &error);
  g_autoptr (GBytes)
    payload = g_bytes_new_from_bytes (frame, XF_FRAME_HEADER, g_bytes_get_size (frame) - XF_FRAME_HEADER);

  g_assert_cmpuint (header.status, ==, XF_FRAME_ERROR);
  g_assert_cmpmem (g_bytes_get_data (payload, NULL), g_bytes_get_size (payload), expected, sizeof (expected));
  g_assert_true (xf_frame_decode_error (payload, &read));
  g_assert_cmpint (read.code, ==, 9);
  g_assert_cmpstr (read.message, ==, "operation failed: no");
}

static void
assert_layout (xdrproc_t xdr, gconstpointer value, const char *hex)
{
  XfFrameHeader header = { 0 };
  g_autoptr (GBytes) frame = xf_frame_encode (&header, xdr, value);
  g_autoptr (GString) got = g_string_new (NULL);
  const guint8 *data = g_bytes_get_data (frame, NULL);

  for (gsize i = XF_FRAME_HEADER; i < g_bytes_get_size (frame); i++)
    g_string_append_printf (got, "%02x%s", data[i], i % 4 == 3 ? " " : "");
  g_assert_cmpstr (g_strchomp (got->str), ==, hex);
}

static void
test_layouts (void)
{
  xf_domain dom = { .name = (char *)"ab", .uuid = "0123456789abcdef", .id = -1 };
  xf_dom_flags_args dom_flags = { dom, 3 };
  xf_param number = { .field = (char *)"bandwidth", .value = { .type = 4, .xf_param_value_u.ul = 5 } };
  xf_param text = { .field = (char *)"x", .value = { .type = 7, .xf_param_value_u.s = (char *)"y" } };
  xf_finish_args finish = { .params = { 1, &text }, .cookie = { 1, (char *)"c" }, .flags = 8, .cancelled = 1 };
  xf_prepare_ret prepared = { .cookie = { 0, NULL }, .uri = NULL };
  xf_state_ret state = { 1, 5 };
  xf_string name = (char *)"n";
  xf_opt_string_flags_args open_args = { &name, 1 };

  assert_layout ((xdrproc_t)xdr_xf_dom_flags_args, &dom_flags,
                 "00000002 61620000 30313233 34353637 38396162 63646566 ffffffff 00000003");
  assert_layout ((xdrproc_t)xdr_xf_param, &number, "00000009 62616e64 77696474 68000000 00000004 00000000 00000005");
  assert_layout ((xdrproc_t)xdr_xf_finish_args, &finish,
                 "00000001 00000001 78000000 00000007 00000001 79000000 00000001 63000000 00000008 00000001");
  assert_layout ((xdrproc_t)xdr_xf_prepare_ret, &prepared, "00000000 00000000");
  assert_layout ((xdrproc_t)xdr_xf_state_ret, &state, "00000001 00000005");
  assert_layout ((xdrproc_t)xdr_xf_opt_string_flags_args, &open_args, "00000001 00000001 6e000000 00000001");
}

/* Each char takes four bytes: the CPU model 128 bytes, the whole result 160. */
static void
test_node_info_size (void)
{
  xf_node_info_ret info = { .memory = 1 };
  XfFrameHeader header = { 0 };
  g_autoptr (GBytes) frame = xf_frame_encode (&header, (xdrproc_t)xdr_xf_node_info_ret, &info);

  g_assert_cmpuint (g_bytes_get_size (frame), ==, XF_FRAME_HEADER + 128 + 8 + 6 * 4);
}

/* A length above the limit is refused before anything of that size is allocated. */
static void
test_limits (void)
{
  static const guint8 long_string[] = { 0x40, 0, 0, 0, 'x', 0, 0, 0 };
  static const guint8 many_params[] = { 0, 0, 0, 0, 0, 0, 0, 65, 0, 0, 0, 0 };
  g_autoptr (GBytes) string_bytes = g_bytes_new_static (long_string, sizeof (long_string));
  g_autoptr (GBytes) job_bytes = g_bytes_new_static (many_params, sizeof (many_params));
  xf_string_args string = { 0 };
  xf_job_stats_ret stats = { 0 };

  g_assert_false (xf_frame_decode (string_bytes, (xdrproc_t)xdr_xf_string_args, &string));
  g_assert_false (xf_frame_decode (job_bytes, (xdrproc_t)xdr_xf_job_stats_ret, &stats));
  xdr_free ((xdrproc_t)xdr_xf_string_args, &string);
  xdr_free ((xdrproc_t)xdr_xf_job_stats_ret, &stats);
}

/* A payload that is truncated anywhere is refused, and leaks nothing. */
static void
test_truncated (void)
{
  xf_param text = { .field = (char *)"name", .value = { .type = 7, .xf_param_value_u.s = (char *)"value" } };
  xf_prepare_args args = { .params = { 1, &text }, .cookie = { 5, (char *)"12345" }, .flags = 1 };
  XfFrameHeader header = { 0 };
  g_autoptr (GBytes) frame = xf_frame_encode (&header, (xdrproc_t)xdr_xf_prepare_args, &args);
  gsize size = g_bytes_get_size (frame) - XF_FRAME_HEADER;

  for (gsize cut = 0; cut <= size; cut++) {
    g_autoptr (GBytes) payload = g_bytes_new_from_bytes (frame, XF_FRAME_HEADER, cut);
    xf_prepare_args read = { 0 };

    g_assert_cmpint (xf_frame_decode (payload, (xdrproc_t)xdr_xf_prepare_args, &read), ==, cut == size);
    xdr_free ((xdrproc_t)xdr_xf_prepare_args, &read);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/frame/header", test_header);
  g_test_add_func ("/frame/impossible-lengths", test_impossible_lengths);
  g_test_add_func ("/frame/error", test_error);
  g_test_add_func ("/frame/layouts", test_layouts);
  g_test_add_func ("/frame/node-info-size", test_node_info_size);
  g_test_add_func ("/frame/limits", test_limits);
  g_test_add_func ("/frame/truncated", test_truncated);
  return g_test_run ();
}
