/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The layout of Xen's migration stream, as a reader sees it: libxl's format version 2 around libxc's version 2 or 3.
 * Sources: Xen's specifications libxl-migration-stream and libxc-migration-stream. The two file headers are big
 * endian, all records little endian; records are padded with zeros to eight bytes.
 */
#pragma once

#include <glib.h>

#define XEN_LIBXL_IDENT G_GUINT64_CONSTANT (0x4c6962786c466d74) /* "LibxlFmt" */
#define XEN_LIBXL_VERSION 2
#define XEN_LIBXL_HEADER_SIZE 16
#define XEN_LIBXC_MARKER G_MAXUINT64
#define XEN_LIBXC_ID 0x58454e46 /* "XENF" */
#define XEN_LIBXC_HEADER_SIZE 24
#define XEN_DOMAIN_HEADER_SIZE 16
#define XEN_RECORD_HEADER_SIZE 8
#define XEN_RECORD_OPTIONAL 0x80000000u
#define XEN_LIBXC_RECORD_MAX (128u << 20) /* libxc's own limit */
#define XEN_PAGE 4096
#define XEN_PAGE_SHIFT 12

enum { XEN_DOMAIN_PV = 1, XEN_DOMAIN_HVM = 2 }; /* PVH counts as HVM */

enum {
  XEN_LIBXL_END = 0,
  XEN_LIBXL_LIBXC_CONTEXT = 1,
  XEN_LIBXL_EMULATOR_XENSTORE = 2,
  XEN_LIBXL_EMULATOR_CONTEXT = 3,
  XEN_LIBXL_CHECKPOINT_END = 4,
  XEN_LIBXL_CHECKPOINT_STATE = 5,
};

enum {
  XEN_LIBXC_END = 0,
  XEN_LIBXC_PAGE_DATA = 1,
  XEN_LIBXC_PV_INFO = 2,
  XEN_LIBXC_P2M_FRAMES = 3,
  XEN_LIBXC_VCPU_BASIC = 4,
  XEN_LIBXC_VCPU_EXTENDED = 5,
  XEN_LIBXC_VCPU_XSAVE = 6,
  XEN_LIBXC_SHARED_INFO = 7,
  XEN_LIBXC_TSC_INFO = 8,
  XEN_LIBXC_HVM_CONTEXT = 9,
  XEN_LIBXC_HVM_PARAMS = 10,
  XEN_LIBXC_TOOLSTACK = 11,
  XEN_LIBXC_VCPU_MSRS = 12,
  XEN_LIBXC_VERIFY = 13,
  XEN_LIBXC_CHECKPOINT = 14,
  XEN_LIBXC_CHECKPOINT_DIRTY = 15,
  XEN_LIBXC_STATIC_DATA_END = 16,
  XEN_LIBXC_CPUID_POLICY = 17,
  XEN_LIBXC_MSR_POLICY = 18,
};

/* An entry of PAGE_DATA: type in bits 63-60, number in bits 51-0. Types from 13 on (broken, unpopulated) have no data.
 */
#define XEN_PAGE_TYPE(entry) ((guint)((entry) >> 60))
#define XEN_PAGE_PFN(entry) ((entry)&G_GUINT64_CONSTANT (0x000fffffffffffff))
#define XEN_PAGE_RESERVED(entry) ((entry)&G_GUINT64_CONSTANT (0x0ff0000000000000))
#define XEN_PAGE_HAS_DATA(entry) (XEN_PAGE_TYPE (entry) < 13)
