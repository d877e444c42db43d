/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Determines which piece of the stream follows. A record has a header, a prefix that is checked (for small records the
 * whole body), the rest of the body, and padding. guard_records.c has the rules for each record.
 */
#include "pump/guard.h"

#include <string.h>

#include "base/error.h"
#include "pump/guard_private.h"
#include "pump/xen_stream.h"

#define EMULATOR_MAX (256u << 20)
#define VCPUS_MAX 8192

guint32
xf_guard_u32 (const guint8 *data)
{
  guint32 value;

  memcpy (&value, data, sizeof (value));
  return GUINT32_FROM_LE (value);
}

guint64
xf_guard_u64 (const guint8 *data)
{
  guint64 value;

  memcpy (&value, data, sizeof (value));
  return GUINT64_FROM_LE (value);
}

gboolean
xf_guard_fail (const XfGuard *guard, GError **error, const char *format, ...)
{
  g_autofree char *what = NULL;
  va_list arguments;

  va_start (arguments, format);
  what = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (error, XF_ERROR, XF_ERROR_INVALID_STREAM, "migration stream refused at byte %" G_GUINT64_FORMAT ": %s",
               guard->counts.bytes, what);
  return FALSE;
}

XfGuard *
xf_guard_new (const XfGuardLimits *limits)
{
  XfGuard *guard = g_new0 (XfGuard, 1);

  guard->limits = *limits;
  if (guard->limits.emulator_max == 0)
    guard->limits.emulator_max = EMULATOR_MAX;
  if (guard->limits.vcpus == 0)
    guard->limits.vcpus = VCPUS_MAX;
  guard->at = AT_LIBXL_HEADER;
  guard->want = XEN_LIBXL_HEADER_SIZE;
  guard->last_pfn = G_MAXUINT64;
  return guard;
}

void
xf_guard_free (XfGuard *guard)
{
  g_free (guard);
}

const XfGuardCounts *
xf_guard_counts (const XfGuard *guard)
{
  return &guard->counts;
}

XfGuardWant
xf_guard_want (const XfGuard *guard, guint64 *length_out)
{
  *length_out = guard->want;
  if (guard->at == AT_DONE)
    return XF_GUARD_DONE;
  return guard->at == AT_BODY ? XF_GUARD_PASS : XF_GUARD_CHECK;
}

/* libxl's END has no body, so its header is the stream's last piece. */
gboolean
xf_guard_is_last (const XfGuard *guard)
{
  return guard->at == AT_DONE;
}

static void
expect (XfGuard *guard, XfGuardAt at, guint64 want)
{
  guard->at = at;
  guard->want = want;
}

static void
next_record (XfGuard *guard)
{
  gboolean image_begins = !guard->in_libxc && guard->type == XEN_LIBXL_LIBXC_CONTEXT;

  if (guard->in_libxc && guard->type == XEN_LIBXC_END) {
    guard->in_libxc = FALSE;
    guard->image_done = TRUE;
  }
  if (image_begins) {
    guard->in_libxc = TRUE;
    expect (guard, AT_LIBXC_HEADER, XEN_LIBXC_HEADER_SIZE);
  } else {
    expect (guard, guard->in_libxc ? AT_LIBXC_RECORD : AT_LIBXL_RECORD, XEN_RECORD_HEADER_SIZE);
  }
}

static void
after_body (XfGuard *guard)
{
  guint padding = -guard->length & 7;

  if (padding)
    expect (guard, AT_PADDING, padding);
  else
    next_record (guard);
}

static void
after_prefix (XfGuard *guard)
{
  if (guard->body_left)
    expect (guard, AT_BODY, guard->body_left);
  else
    after_body (guard);
}

void
xf_guard_passed (XfGuard *guard, guint64 length)
{
  g_assert (guard->at == AT_BODY && length <= guard->want);
  guard->counts.bytes += length;
  guard->want -= length;
  if (guard->want == 0)
    after_body (guard);
}

static gboolean
check_libxl_header (XfGuard *guard, const guint8 *data, GError **error)
{
  static const guint8 good[XEN_LIBXL_HEADER_SIZE] = {
    'L', 'i', 'b', 'x', 'l', 'F', 'm', 't', 0, 0, 0, XEN_LIBXL_VERSION
  };

  if (memcmp (data, good, 8) != 0)
    return xf_guard_fail (guard, error, "it does not begin with libxl's identification");
  if (memcmp (data, good, sizeof (good)) != 0)
    return xf_guard_fail (
      guard, error, "libxl stream version %u with options 0x%x, only version 2 of little endian hosts is accepted",
      GUINT32_SWAP_LE_BE (xf_guard_u32 (data + 8)), GUINT32_SWAP_LE_BE (xf_guard_u32 (data + 12)));
  expect (guard, AT_LIBXL_RECORD, XEN_RECORD_HEADER_SIZE);
  return TRUE;
}

static gboolean
check_libxc_header (XfGuard *guard, const guint8 *data, GError **error)
{
  static const guint8 zeros[8];
  guint32 version = GUINT32_SWAP_LE_BE (xf_guard_u32 (data + 12));

  if (xf_guard_u64 (data) != XEN_LIBXC_MARKER || memcmp (data + 8, "XENF", 4) != 0)
    return xf_guard_fail (guard, error, "the image does not begin with libxc's marker");
  if (version != 2 && version != 3)
    return xf_guard_fail (guard, error, "libxc image version %u, only 2 and 3 are accepted", version);
  if (memcmp (data + 16, zeros, 8) != 0)
    return xf_guard_fail (guard, error, "options or reserved bytes of the image header are set");
  /* Version 2 has no end of static data. */
  guard->phase = version == 2 ? IN_MEMORY : IN_STATIC;
  expect (guard, AT_DOMAIN_HEADER, XEN_DOMAIN_HEADER_SIZE);
  return TRUE;
}

static gboolean
check_domain_header (XfGuard *guard, const guint8 *data, GError **error)
{
  guint32 type = xf_guard_u32 (data), shift = xf_guard_u32 (data + 4);
  XfGuardGuest guest = type == XEN_DOMAIN_PV ? XF_GUARD_PV : XF_GUARD_HVM;

  if (type != XEN_DOMAIN_PV && type != XEN_DOMAIN_HVM)
    return xf_guard_fail (guard, error, "the image is of an unknown kind of guest (%u)", type);
  if (guard->limits.guest != XF_GUARD_ANY && guard->limits.guest != guest)
    return xf_guard_fail (guard, error, "the image is of a %s guest, the definition says %s",
                          guest == XF_GUARD_PV ? "PV" : "HVM or PVH", guest == XF_GUARD_PV ? "HVM or PVH" : "PV");
  if (shift != XEN_PAGE_SHIFT) /* includes the reserved half above */
    return xf_guard_fail (guard, error, "page shift or reserved bytes of the domain header are 0x%x", shift);
  guard->pv = guest == XF_GUARD_PV;
  /* Page numbers below 4 GiB that are not memory, and special pages. PV: until P2M_FRAMES gives a lower limit. */
  guard->pfn_limit = guard->limits.max_pages + (1u << 16) + (guard->pv ? 0 : 1u << 20);
  expect (guard, AT_LIBXC_RECORD, XEN_RECORD_HEADER_SIZE);
  return TRUE;
}

static gboolean
check_record (XfGuard *guard, const guint8 *data, GError **error)
{
  guint32 prefix;

  guard->type = xf_guard_u32 (data);
  guard->length = xf_guard_u32 (data + 4);
  if (!xf_guard_record_begin (guard, error))
    return FALSE;
  guard->counts.records++;
  if (guard->limits.total_max && guard->counts.bytes + guard->length > guard->limits.total_max)
    return xf_guard_fail (guard, error, "it is longer than the %" G_GUINT64_FORMAT " bytes that this guest may need",
                          guard->limits.total_max);
  if (!guard->in_libxc && guard->type == XEN_LIBXL_END) {
    expect (guard, AT_DONE, 0);
    return TRUE;
  }
  prefix = guard->record ? MIN (guard->record->prefix, guard->length) : 0;
  guard->body_left = guard->length - prefix;
  if (prefix)
    expect (guard, AT_PREFIX, prefix);
  else
    after_prefix (guard);
  return TRUE;
}

static gboolean
check_prefix (XfGuard *guard, const guint8 *data, GError **error)
{
  if (guard->record->check && !guard->record->check (guard, data, guard->want, error))
    return FALSE;
  if (guard->in_libxc && guard->type == XEN_LIBXC_PAGE_DATA)
    expect (guard, AT_PAGE_LIST, 8 * (guint64)guard->page_count);
  else
    after_prefix (guard);
  return TRUE;
}

static gboolean
check_page_list (XfGuard *guard, const guint8 *data, GError **error)
{
  if (!xf_guard_pages_check (guard, data, error))
    return FALSE;
  guard->body_left -= guard->want;
  after_prefix (guard);
  return TRUE;
}

static gboolean
check_padding (XfGuard *guard, const guint8 *data, GError **error)
{
  for (guint64 i = 0; i < guard->want; i++) {
    if (data[i])
      return xf_guard_fail (guard, error, "the padding of a record is not zero");
  }
  next_record (guard);
  return TRUE;
}

gboolean
xf_guard_check (XfGuard *guard, const guint8 *data, GError **error)
{
  static gboolean (*const checks[]) (XfGuard *, const guint8 *, GError **) = {
    [AT_LIBXL_HEADER] = check_libxl_header,   [AT_LIBXL_RECORD] = check_record, [AT_LIBXC_HEADER] = check_libxc_header,
    [AT_DOMAIN_HEADER] = check_domain_header, [AT_LIBXC_RECORD] = check_record, [AT_PREFIX] = check_prefix,
    [AT_PAGE_LIST] = check_page_list,         [AT_PADDING] = check_padding,
  };
  guint64 size = guard->want;

  g_assert (guard->at != AT_BODY && guard->at != AT_DONE);
  if (!checks[guard->at](guard, data, error))
    return FALSE;
  guard->counts.bytes += size;
  return TRUE;
}

GError *
xf_guard_cut_short (const XfGuard *guard)
{
  GError *error = NULL;

  if (guard->at != AT_DONE)
    xf_guard_fail (guard, &error, "it ends in the middle, the source or the connection broke off");
  return error;
}
