/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for each record: tables of lengths, positions and numbers, and a small check of the records whose contents
 * libxl trusts. Two of the limits prevent a peer from exhausting root's memory: libxl's main process allocates a
 * record's length before it checks the record, and libxc's restore helper enlarges a bitmap to the highest page number
 * it reads.
 */
#include <string.h>

#include "pump/guard_private.h"
#include "pump/xen_stream.h"

#define XENSTORE_MAX (64u << 10)
#define XENSTORE_KEYS_MAX 1024
#define XENSTORE_VALUE_MAX 1024
#define CONTEXT_MAX (64u << 20)
#define POLICY_MAX (1u << 20)
#define VCPU_MAX (1u << 20)
#define HVM_PARAMS_COUNT_MAX 64
#define OPTIONAL_RECORDS_MAX 1024
#define ALL G_MAXUINT32

/* ---- bodies ----------------------------------------------------------------------------------------------- */

static gboolean
check_page_count (XfGuard *guard, const guint8 *data, gsize size, GError **error)
{
  guint32 count = xf_guard_u32 (data);

  if (count == 0 || count > XF_GUARD_PAGES_MAX || xf_guard_u32 (data + 4) != 0)
    return xf_guard_fail (guard, error, "PAGE_DATA with %u pages, 1 to %u may be", count, XF_GUARD_PAGES_MAX);
  if (guard->length < 8 + 8 * (guint64)count)
    return xf_guard_fail (guard, error, "PAGE_DATA of %u bytes cannot name %u pages", guard->length, count);
  guard->page_count = count;
  return TRUE;
}

static gboolean
page_is_good (const XfGuard *guard, guint64 entry)
{
  guint type = XEN_PAGE_TYPE (entry);

  if (XEN_PAGE_RESERVED (entry) || XEN_PAGE_PFN (entry) >= guard->pfn_limit || (type >= 5 && type <= 8))
    return FALSE;
  return guard->pv || type == 0 || type >= 13; /* only PV guests have page tables */
}

gboolean
xf_guard_pages_check (XfGuard *guard, const guint8 *list, GError **error)
{
  guint64 with_data = 0, body = 8 + 8 * (guint64)guard->page_count;

  for (guint32 i = 0; i < guard->page_count; i++) {
    guint64 entry = xf_guard_u64 (list + 8 * (gsize)i), pfn = XEN_PAGE_PFN (entry);

    if (!page_is_good (guard, entry))
      return xf_guard_fail (guard, error,
                            "PAGE_DATA names page 0x%" G_GINT64_MODIFIER
                            "x of type %u; this guest's are below 0x%" G_GINT64_MODIFIER "x",
                            pfn, XEN_PAGE_TYPE (entry), guard->pfn_limit);
    with_data += XEN_PAGE_HAS_DATA (entry);
    if (guard->last_pfn == G_MAXUINT64 || pfn <= guard->last_pfn)
      guard->counts.passes++;
    guard->last_pfn = pfn;
  }
  if (body + XEN_PAGE * with_data != guard->length)
    return xf_guard_fail (guard, error, "PAGE_DATA of %u bytes, but %" G_GUINT64_FORMAT " of its pages have data",
                          guard->length, with_data);
  guard->counts.pages += guard->page_count;
  guard->counts.data_pages += with_data;
  return TRUE;
}

static gboolean
check_pv_info (XfGuard *guard, const guint8 *data, gsize size, GError **error)
{
  static const guint8 zeros[6];
  guint width = data[0], levels = data[1];

  if (!((width == 8 && levels == 4) || (width == 4 && levels == 3)) || memcmp (data + 2, zeros, sizeof (zeros)) != 0)
    return xf_guard_fail (guard, error, "X86_PV_INFO with width %u and %u levels", width, levels);
  guard->pv_width = width;
  return TRUE;
}

static gboolean
check_p2m (XfGuard *guard, const guint8 *data, gsize size, GError **error)
{
  guint64 start = xf_guard_u32 (data), end = xf_guard_u32 (data + 4), in_frame, frames;

  if (!guard->pv_width)
    return xf_guard_fail (guard, error, "X86_PV_P2M_FRAMES before X86_PV_INFO");
  in_frame = XEN_PAGE / guard->pv_width;
  frames = start <= end ? end / in_frame - start / in_frame + 1 : 0;
  if (start > end || end >= guard->pfn_limit)
    return xf_guard_fail (guard, error,
                          "X86_PV_P2M_FRAMES for pages 0x%" G_GINT64_MODIFIER "x to 0x%" G_GINT64_MODIFIER
                          "x; this guest's are below 0x%" G_GINT64_MODIFIER "x",
                          start, end, guard->pfn_limit);
  if (guard->length != 8 + 8 * frames)
    return xf_guard_fail (guard, error, "X86_PV_P2M_FRAMES of %u bytes for %" G_GUINT64_FORMAT " frames", guard->length,
                          frames);
  guard->pfn_limit = end + 1;
  return TRUE;
}

static gboolean
check_vcpu (XfGuard *guard, const guint8 *data, gsize size, GError **error)
{
  guint32 vcpu = xf_guard_u32 (data);

  if (vcpu >= guard->limits.vcpus || xf_guard_u32 (data + 4) != 0)
    return xf_guard_fail (guard, error, "%s of vCPU %u; the guest has %u", guard->record->name, vcpu,
                          guard->limits.vcpus);
  return TRUE;
}

/* Xen's public numbers (hvm/params.h) of the parameters that libxc's writer sends; the first kind has a page as value.
 */
static const guint8 page_params[] = { 1, 5, 6, 17, 27, 28, 29, 32 };
static const guint8 other_params[] = { 4, 9, 12, 15, 19, 33, 34, 36, 37, 38 };

static gboolean
check_hvm_params (XfGuard *guard, const guint8 *data, gsize size, GError **error)
{
  guint32 count = xf_guard_u32 (data);

  if (count > HVM_PARAMS_COUNT_MAX || xf_guard_u32 (data + 4) != 0 || guard->length != 8 + 16 * (guint64)count)
    return xf_guard_fail (guard, error, "HVM_PARAMS of %u bytes with %u parameters", guard->length, count);
  for (guint32 i = 0; i < count; i++) {
    guint64 index = xf_guard_u64 (data + 8 + 16 * (gsize)i), value = xf_guard_u64 (data + 16 + 16 * (gsize)i);
    gboolean page = index < 256 && memchr (page_params, (int)index, sizeof (page_params)) != NULL;

    if (!page && (index > 255 || !memchr (other_params, (int)index, sizeof (other_params))))
      return xf_guard_fail (guard, error, "HVM_PARAMS sets parameter %" G_GUINT64_FORMAT ", which no migration sends",
                            index);
    if (page && value >= guard->pfn_limit)
      return xf_guard_fail (guard, error,
                            "HVM_PARAMS puts parameter %" G_GUINT64_FORMAT " at page 0x%" G_GINT64_MODIFIER "x", index,
                            value);
  }
  return TRUE;
}

static gboolean
check_static_end (XfGuard *guard, const guint8 *data, gsize size, GError **error)
{
  guard->phase = IN_MEMORY;
  return TRUE;
}

/* libxl writes them below the device model's path in xenstore without another check. */
static gboolean
key_is_good (const char *key)
{
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/_@";
  gsize length = strlen (key);

  return length <= 256 && g_str_has_prefix (key, "physmap/") && strspn (key, allowed) == length && !strstr (key, "//")
         && key[length - 1] != '/';
}

static gboolean
check_emulator_id (XfGuard *guard, const guint8 *data, GError **error)
{
  guint32 id = xf_guard_u32 (data), index = xf_guard_u32 (data + 4);

  if ((id != 1 && id != 2) || index != 0)
    return xf_guard_fail (guard, error, "%s of emulator %u, number %u", guard->record->name, id, index);
  return TRUE;
}

static gboolean
check_xenstore (XfGuard *guard, const guint8 *data, gsize size, GError **error)
{
  const char *text = (const char *)data + 8, *end = (const char *)data + size;
  guint strings = 0;

  if (!check_emulator_id (guard, data, error))
    return FALSE;
  for (; text < end; strings++) {
    gsize length = strnlen (text, end - text);

    if (text + length == end)
      return xf_guard_fail (guard, error, "EMULATOR_XENSTORE_DATA ends in the middle of a word");
    if (strings % 2 == 0 && !key_is_good (text))
      return xf_guard_fail (guard, error, "EMULATOR_XENSTORE_DATA has a key that no device model writes");
    if (strings % 2 == 1 && length > XENSTORE_VALUE_MAX)
      return xf_guard_fail (guard, error, "EMULATOR_XENSTORE_DATA has a value of %zu bytes", length);
    text += length + 1;
  }
  if (strings % 2 || strings > 2 * XENSTORE_KEYS_MAX)
    return xf_guard_fail (guard, error, "EMULATOR_XENSTORE_DATA has %u words", strings);
  return TRUE;
}

static gboolean
check_emulator (XfGuard *guard, const guint8 *data, gsize size, GError **error)
{
  static const guint8 qemu[] = { 'Q', 'E', 'V', 'M', 0, 0, 0, 3 };

  if (!check_emulator_id (guard, data, error))
    return FALSE;
  if (guard->length > guard->limits.emulator_max)
    return xf_guard_fail (guard, error, "EMULATOR_CONTEXT of %u bytes, at most %u may be", guard->length,
                          guard->limits.emulator_max);
  if (xf_guard_u32 (data) == 2 && (size < 16 || memcmp (data + 8, qemu, sizeof (qemu)) != 0))
    return xf_guard_fail (guard, error, "EMULATOR_CONTEXT is not QEMU's version 3");
  return TRUE;
}

/* ---- the tables ------------------------------------------------------------------------------------------- */

#define ONCE RECORD_ONCE
#define PV (RECORD_PV | RECORD_ONCE)
#define HVM (RECORD_HVM | RECORD_ONCE)
#define VCPU (RECORD_PV | RECORD_STATE)

static const XfGuardRecord libxc_records[] = {
  /* name, number, smallest and largest length, base and multiple, prefix, flags */
  { "END", XEN_LIBXC_END, 0, 0, 0, 0, 0, ONCE | RECORD_STATE, NULL },
  { "PAGE_DATA", XEN_LIBXC_PAGE_DATA, 16, XEN_LIBXC_RECORD_MAX, 0, 8, 8, RECORD_MEMORY, check_page_count },
  { "X86_PV_INFO", XEN_LIBXC_PV_INFO, 8, 8, 0, 0, ALL, PV, check_pv_info },
  { "X86_PV_P2M_FRAMES", XEN_LIBXC_P2M_FRAMES, 16, XEN_LIBXC_RECORD_MAX, 0, 8, 8, PV | RECORD_MEMORY, check_p2m },
  { "X86_PV_VCPU_BASIC", XEN_LIBXC_VCPU_BASIC, 8, VCPU_MAX, 0, 0, 8, VCPU, check_vcpu },
  { "X86_PV_VCPU_EXTENDED", XEN_LIBXC_VCPU_EXTENDED, 8, VCPU_MAX, 0, 0, 8, VCPU, check_vcpu },
  { "X86_PV_VCPU_XSAVE", XEN_LIBXC_VCPU_XSAVE, 8, VCPU_MAX, 0, 0, 8, VCPU, check_vcpu },
  { "SHARED_INFO", XEN_LIBXC_SHARED_INFO, 4096, 4096, 0, 0, 0, PV | RECORD_STATE, NULL },
  { "X86_TSC_INFO", XEN_LIBXC_TSC_INFO, 24, 24, 0, 0, 0, ONCE | RECORD_STATE, NULL },
  { "HVM_CONTEXT", XEN_LIBXC_HVM_CONTEXT, 1, CONTEXT_MAX, 0, 0, 0, HVM | RECORD_STATE, NULL },
  { "HVM_PARAMS", XEN_LIBXC_HVM_PARAMS, 8, 8 + 16 * HVM_PARAMS_COUNT_MAX, 8, 16, ALL, HVM | RECORD_STATE,
    check_hvm_params },
  { "TOOLSTACK", XEN_LIBXC_TOOLSTACK, 0, 0, 0, 0, 0, RECORD_REFUSED, NULL },
  { "X86_PV_VCPU_MSRS", XEN_LIBXC_VCPU_MSRS, 8, VCPU_MAX, 0, 0, 8, VCPU, check_vcpu },
  { "VERIFY", XEN_LIBXC_VERIFY, 0, 0, 0, 0, 0, RECORD_REFUSED, NULL },
  { "CHECKPOINT", XEN_LIBXC_CHECKPOINT, 0, 0, 0, 0, 0, RECORD_REFUSED, NULL },
  { "CHECKPOINT_DIRTY_PFN_LIST", XEN_LIBXC_CHECKPOINT_DIRTY, 0, 0, 0, 0, 0, RECORD_REFUSED, NULL },
  { "STATIC_DATA_END", XEN_LIBXC_STATIC_DATA_END, 0, 0, 0, 0, 0, ONCE | RECORD_STATIC, check_static_end },
  { "X86_CPUID_POLICY", XEN_LIBXC_CPUID_POLICY, 24, POLICY_MAX, 0, 24, 0, ONCE | RECORD_STATIC, NULL },
  { "X86_MSR_POLICY", XEN_LIBXC_MSR_POLICY, 16, POLICY_MAX, 0, 16, 0, ONCE | RECORD_STATIC, NULL },
};

static const XfGuardRecord libxl_records[] = {
  { "END", XEN_LIBXL_END, 0, 0, 0, 0, 0, ONCE, NULL },
  { "LIBXC_CONTEXT", XEN_LIBXL_LIBXC_CONTEXT, 0, 0, 0, 0, 0, ONCE, NULL },
  { "EMULATOR_XENSTORE_DATA", XEN_LIBXL_EMULATOR_XENSTORE, 8, XENSTORE_MAX, 0, 0, ALL, HVM, check_xenstore },
  { "EMULATOR_CONTEXT", XEN_LIBXL_EMULATOR_CONTEXT, 8, G_MAXUINT32, 0, 0, 16, HVM, check_emulator },
  { "CHECKPOINT_END", XEN_LIBXL_CHECKPOINT_END, 0, 0, 0, 0, 0, RECORD_REFUSED, NULL },
  { "CHECKPOINT_STATE", XEN_LIBXL_CHECKPOINT_STATE, 0, 0, 0, 0, 0, RECORD_REFUSED, NULL },
};

/* ---- headers ---------------------------------------------------------------------------------------------- */

static gboolean
begin_unknown (XfGuard *guard, GError **error)
{
  /* libxl's format has no optional records: its reader refuses them. */
  if (!guard->in_libxc || !(guard->type & XEN_RECORD_OPTIONAL))
    return xf_guard_fail (guard, error, "unknown %s record 0x%x", guard->in_libxc ? "libxc" : "libxl", guard->type);
  if (guard->length > XEN_LIBXC_RECORD_MAX || ++guard->counts.optional > OPTIONAL_RECORDS_MAX)
    return xf_guard_fail (guard, error, "optional record 0x%x of %u bytes, number %" G_GUINT64_FORMAT, guard->type,
                          guard->length, guard->counts.optional);
  guard->record = NULL;
  return TRUE;
}

static gboolean
check_place (XfGuard *guard, const XfGuardRecord *record, GError **error)
{
  guint32 *seen = guard->in_libxc ? &guard->seen : &guard->libxl_seen;

  if (record->flags & RECORD_REFUSED)
    return xf_guard_fail (guard, error, "record %s does not belong into a plain migration", record->name);
  if ((record->flags & RECORD_PV && !guard->pv) || (record->flags & RECORD_HVM && guard->pv))
    return xf_guard_fail (guard, error, "record %s in the image of a %s guest", record->name, guard->pv ? "PV" : "HVM");
  if (record->flags & RECORD_ONCE && *seen & 1u << record->type)
    return xf_guard_fail (guard, error, "record %s a second time", record->name);
  *seen |= 1u << record->type;
  return TRUE;
}

/* The phases have a fixed order: static data, memory, state. The first state record begins the last phase. */
static gboolean
check_phase (XfGuard *guard, const XfGuardRecord *record, GError **error)
{
  if (record->flags & RECORD_STATE && guard->phase == IN_MEMORY)
    guard->phase = IN_STATE;
  if ((record->flags & RECORD_STATIC && guard->phase != IN_STATIC)
      || (record->flags & RECORD_MEMORY && guard->phase != IN_MEMORY)
      || (record->flags & RECORD_STATE && guard->phase != IN_STATE))
    return xf_guard_fail (guard, error, "record %s is not where it belongs", record->name);
  if (record->type == XEN_LIBXC_PAGE_DATA && guard->pv && !(guard->seen & 1u << XEN_LIBXC_P2M_FRAMES))
    return xf_guard_fail (guard, error, "PAGE_DATA of a PV guest before X86_PV_P2M_FRAMES");
  return TRUE;
}

static gboolean
check_length (XfGuard *guard, const XfGuardRecord *record, GError **error)
{
  guint32 length = guard->length;

  if (length < record->min || length > record->max
      || (record->multiple && (length - record->base) % record->multiple != 0))
    return xf_guard_fail (guard, error, "record %s of %u bytes", record->name, length);
  return TRUE;
}

/* All required records came before the END of each of them. */
static gboolean
check_image_end (XfGuard *guard, GError **error)
{
  static const guint8 pv_needs[] = { XEN_LIBXC_PAGE_DATA, XEN_LIBXC_PV_INFO, XEN_LIBXC_SHARED_INFO };
  static const guint8 hvm_needs[] = { XEN_LIBXC_PAGE_DATA, XEN_LIBXC_HVM_CONTEXT };
  const guint8 *needs = guard->pv ? pv_needs : hvm_needs;
  gsize n = guard->pv ? G_N_ELEMENTS (pv_needs) : G_N_ELEMENTS (hvm_needs);

  for (gsize i = 0; i < n; i++) {
    if (!(guard->seen & 1u << needs[i]))
      return xf_guard_fail (guard, error, "the image ends without a record %s", libxc_records[needs[i]].name);
  }
  return TRUE;
}

static gboolean
check_stream_end (XfGuard *guard, GError **error)
{
  return guard->image_done || xf_guard_fail (guard, error, "END without the guest's image");
}

static gboolean
check_libxl_order (XfGuard *guard, GError **error)
{
  if (guard->type == XEN_LIBXL_LIBXC_CONTEXT)
    return TRUE;
  if (!guard->image_done)
    return xf_guard_fail (guard, error, "record %s before the guest's image", guard->record->name);
  return guard->type != XEN_LIBXL_END || check_stream_end (guard, error);
}

gboolean
xf_guard_record_begin (XfGuard *guard, GError **error)
{
  const XfGuardRecord *table = guard->in_libxc ? libxc_records : libxl_records;
  gsize rows = guard->in_libxc ? G_N_ELEMENTS (libxc_records) : G_N_ELEMENTS (libxl_records);

  if (guard->type >= rows)
    return begin_unknown (guard, error);
  guard->record = &table[guard->type];
  g_assert (guard->record->type == guard->type);
  if (!check_place (guard, guard->record, error) || !check_length (guard, guard->record, error))
    return FALSE;
  if (!guard->in_libxc)
    return check_libxl_order (guard, error);
  if (!check_phase (guard, guard->record, error))
    return FALSE;
  if (guard->type == XEN_LIBXC_STATIC_DATA_END)
    return check_static_end (guard, NULL, 0, error);
  return guard->type != XEN_LIBXC_END || check_image_end (guard, error);
}
