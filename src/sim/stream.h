/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Xen's migration stream: libxl's format version 2 around libxc's version 3, as Xen's own specifications of both
 * streams describe them. Headers are big endian, records little endian.
 */
#pragma once

#include <glib.h>

#define STREAM_IDENT G_GUINT64_CONSTANT (0x4c6962786c466d74) /* "LibxlFmt" */
#define STREAM_LIBXL_VERSION 2
#define STREAM_LIBXC_MARKER G_GUINT64_CONSTANT (0xffffffffffffffff)
#define STREAM_LIBXC_ID 0x58454e46 /* "XENF" */
#define STREAM_LIBXC_VERSION 3
#define STREAM_BATCH 1024
#define STREAM_RECORD_MAX (128u << 20)
#define STREAM_OPTIONAL 0x80000000u

typedef struct {
  guint64 ident;
  guint32 version, options;
} StreamLibxlHeader;

typedef struct {
  guint64 marker;
  guint32 id, version;
  guint16 options, reserved1;
  guint32 reserved2;
} StreamLibxcHeader;

typedef struct {
  guint32 type; /* 1 PV, 2 HVM and PVH */
  guint16 page_shift, reserved;
  guint32 xen_major, xen_minor;
} StreamDomainHeader;

typedef struct {
  guint32 type, length;
} StreamRecord;

enum { LIBXL_END = 0, LIBXL_LIBXC_CONTEXT = 1, LIBXL_EMULATOR_XENSTORE = 2, LIBXL_EMULATOR_CONTEXT = 3 };

enum {
  LIBXC_END = 0,
  LIBXC_PAGE_DATA = 1,
  LIBXC_X86_PV_INFO = 2,
  LIBXC_X86_PV_P2M_FRAMES = 3,
  LIBXC_X86_PV_VCPU_BASIC = 4,
  LIBXC_SHARED_INFO = 7,
  LIBXC_X86_TSC_INFO = 8,
  LIBXC_HVM_CONTEXT = 9,
  LIBXC_HVM_PARAMS = 10,
  LIBXC_STATIC_DATA_END = 16,
  LIBXC_X86_CPUID_POLICY = 17,
  LIBXC_X86_MSR_POLICY = 18,
};

/* Types of a page in bits 60–63 of its entry: these have no data. */
#define STREAM_PAGE_HAS_DATA(entry) ((entry) >> 60 < 0xd)
#define STREAM_PAGE_PFN(entry) ((entry)&G_GUINT64_CONSTANT (0x000fffffffffffff))
