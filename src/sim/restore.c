/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Restores a guest: reads a stream, checks what libxc checks, fills the memory. Accepts the stream of real Xen, with
 * the HVM records in either order.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "sim/helper.h"
#include "sim/stream.h"
#include "sim/synthetic.h"

typedef struct {
  Helper *helper;
  guint8 *body;
  gsize body_size;
  gboolean static_end;
  guint8 *seen; /* one byte per page: it was filled */
} Restore;

static int
read_bytes (Restore *restore, gpointer into, gsize length)
{
  guint8 *at = into;

  while (length > 0) {
    gssize n = read (restore->helper->fd, at, length);

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return ERROR_FAIL;
    at += n;
    length -= n;
  }
  return 0;
}

static int
read_record (Restore *restore, StreamRecord *record)
{
  gsize padded;
  int rc = read_bytes (restore, record, sizeof (*record));

  if (rc != 0)
    return rc;
  record->type = GUINT32_FROM_LE (record->type);
  record->length = GUINT32_FROM_LE (record->length);
  if (record->length > STREAM_RECORD_MAX)
    return ERROR_FAIL;
  padded = (record->length + 7) & ~(gsize)7;
  if (padded > restore->body_size) {
    restore->body = g_realloc (restore->body, padded);
    restore->body_size = padded;
  }
  return read_bytes (restore, restore->body, padded);
}

/* Does not write a page of zeros that was never filled: the memory of a new guest is zero, and sparse. */
static void
fill (guint8 *page, const guint8 *data, guint8 *seen, guint64 pfn)
{
  if (!seen[pfn] && data[0] == 0 && memcmp (data, data + 1, SIM_PAGE - 1) == 0)
    return;
  memcpy (page, data, SIM_PAGE);
  seen[pfn] = 1;
}

/* Real HVM and PVH guests have pages for Xen and the device model just below 4 GiB (console, xenstore, ioreq, VGA),
 * outside the memory of a simulated guest. */
static gboolean
is_special (const SimBlock *block, guint64 pfn)
{
  return block->type != LIBXL_DOMAIN_TYPE_PV && pfn >= block->n_pages && pfn >= 0xf0000 && pfn < 0x100000;
}

static int
take_pages (Restore *restore, gsize length)
{
  const guint32 *counts = (gpointer)restore->body;
  const guint64 *entries = (gpointer)(restore->body + 8);
  guint32 count = counts[0];
  const guint8 *data;
  gsize used;

  if (length < 8 || count < 1 || count > STREAM_BATCH || length < 8 + 8 * (gsize)count || !restore->static_end)
    return ERROR_FAIL;
  used = 8 + 8 * (gsize)count;
  data = restore->body + used;
  for (guint32 i = 0; i < count; i++) {
    guint64 pfn = STREAM_PAGE_PFN (entries[i]);
    guint8 *page;

    if (!STREAM_PAGE_HAS_DATA (entries[i]))
      continue;
    used += SIM_PAGE;
    if (used > length)
      return ERROR_FAIL;
    if (is_special (restore->helper->block, pfn)) {
      data += SIM_PAGE;
      continue;
    }
    if (pfn >= restore->helper->block->n_pages)
      return ERROR_FAIL;
    if (restore->helper->synthetic && pfn != 0) {
      if (!synthetic_is (data, pfn))
        return ERROR_FAIL;
      restore->seen[pfn] = 1;
    } else {
      page = restore->helper->memory + pfn * SIM_PAGE;
      fill (page, data, restore->seen, pfn);
    }
    data += SIM_PAGE;
  }
  return used == length ? 0 : ERROR_FAIL;
}

/* Handles one record; an unknown one is an error unless it is optional. */
static int
take_record (Restore *restore, const StreamRecord *record)
{
  switch (record->type) {
  case LIBXC_PAGE_DATA:
    return take_pages (restore, record->length);
  case LIBXC_STATIC_DATA_END:
    if (restore->static_end)
      return ERROR_FAIL;
    restore->static_end = TRUE;
    return 0;
  case LIBXC_X86_CPUID_POLICY:
    return record->length && record->length % 24 == 0 ? 0 : ERROR_FAIL;
  case LIBXC_X86_MSR_POLICY:
    return record->length && record->length % 16 == 0 ? 0 : ERROR_FAIL;
  case LIBXC_X86_PV_INFO:
  case LIBXC_X86_PV_P2M_FRAMES:
  case LIBXC_X86_PV_VCPU_BASIC:
  case 5:  /* extended */
  case 6:  /* xsave */
  case 12: /* MSRs */
  case LIBXC_SHARED_INFO:
  case LIBXC_X86_TSC_INFO:
  case LIBXC_HVM_CONTEXT:
  case LIBXC_HVM_PARAMS:
    return 0;
  default:
    return record->type & STREAM_OPTIONAL ? 0 : ERROR_FAIL;
  }
}

static int
read_headers (Restore *restore)
{
  StreamLibxlHeader libxl;
  StreamLibxcHeader libxc;
  StreamDomainHeader domain;
  StreamRecord record;
  gboolean is_pv = restore->helper->block->type == LIBXL_DOMAIN_TYPE_PV;

  if (read_bytes (restore, &libxl, sizeof (libxl)) != 0 || libxl.ident != GUINT64_TO_BE (STREAM_IDENT)
      || libxl.version != GUINT32_TO_BE (STREAM_LIBXL_VERSION) || read_record (restore, &record) != 0
      || record.type != LIBXL_LIBXC_CONTEXT || record.length != 0) {
    /* libxl reads this part before it starts the helper. */
    helper_report (restore->helper, "too-early\n");
    return ERROR_FAIL;
  }
  if (read_bytes (restore, &libxc, sizeof (libxc)) != 0 || libxc.marker != STREAM_LIBXC_MARKER
      || libxc.id != GUINT32_TO_BE (STREAM_LIBXC_ID) || libxc.version != GUINT32_TO_BE (STREAM_LIBXC_VERSION))
    return ERROR_FAIL;
  if (read_bytes (restore, &domain, sizeof (domain)) != 0 || domain.page_shift != GUINT16_TO_LE (12)
      || domain.type != GUINT32_TO_LE (is_pv ? 1 : 2))
    return ERROR_FAIL;
  return 0;
}

static int
read_image (Restore *restore)
{
  gboolean seen_page = FALSE;

  for (;;) {
    StreamRecord record;
    int rc = read_record (restore, &record);

    if (rc == 0 && record.type == LIBXC_PAGE_DATA)
      rc = helper_point (restore->helper, seen_page ? "restore-live" : "restore-first-page");
    if (rc != 0)
      return rc;
    seen_page |= record.type == LIBXC_PAGE_DATA;
    if (record.type == LIBXC_END)
      return restore->static_end ? 0 : ERROR_FAIL;
    rc = take_record (restore, &record);
    if (rc != 0)
      return rc;
  }
}

static int
read_tail (Restore *restore)
{
  for (;;) {
    StreamRecord record;
    int rc = read_record (restore, &record);

    if (rc != 0)
      return rc;
    if (record.type == LIBXL_END)
      return 0;
    if (record.type != LIBXL_EMULATOR_XENSTORE && record.type != LIBXL_EMULATOR_CONTEXT)
      return ERROR_FAIL;
  }
}

/* A stream may omit pages of zeros; synthetic pages are never zero. */
static int
check_all_came (const Restore *restore)
{
  for (guint64 pfn = 1; restore->helper->synthetic && pfn < restore->helper->block->n_pages; pfn++) {
    if (!restore->seen[pfn])
      return ERROR_FAIL;
  }
  return 0;
}

int
helper_restore (Helper *helper)
{
  Restore restore = { .helper = helper };
  int rc;

  helper_report (helper, "running\n");
  rc = helper_point (helper, "restore-start");
  restore.seen = g_malloc0 (helper->block->n_pages);
  if (rc == 0)
    rc = read_headers (&restore);
  if (rc == 0)
    rc = read_image (&restore);
  if (rc == 0)
    rc = check_all_came (&restore);
  if (rc == 0)
    rc = helper_point (helper, "restore-last-record");
  if (rc == 0)
    rc = read_tail (&restore);
  if (rc == 0)
    rc = helper_point (helper, "restore-end");
  if (rc == 0)
    helper_trace_hash (helper, "restored");
  g_free (restore.body);
  g_free (restore.seen);
  return rc;
}
