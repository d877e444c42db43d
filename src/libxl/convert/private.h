/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Functions that the files of this folder share.
 */
#pragma once

#include <libxl_utils.h>

#include "libxl/convert/config.h"

/* Sets XF_ERROR_CONFIG_UNSUPPORTED; the error names the guest. Always FALSE. */
gboolean xf_config_refuse (const XfDomainDef *def, GError **error, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* The vCPUs, their affinity and weight; their features; the clock and its timers. */
void xf_config_cpus (const XfDomainDef *def, libxl_domain_build_info *info);
gboolean xf_config_cpu_features (const XfDomainDef *def, libxl_domain_build_info *info, GError **error);
void xf_config_clock (const XfDomainDef *def, libxl_domain_build_info *info);

/* "raw", "qcow2", ...; NULL for a format that has no name in XML. */
const char *xf_config_disk_format_name (libxl_disk_format format);

/* Appends the devices of @config to the XML of a found guest. Adds a note to @notes for each property that XML cannot
 * express. */
void xf_config_reverse_devices (const libxl_domain_config *config, GString *xml, GPtrArray *notes);

/* Appends formatted text in which every argument is escaped. */
void xf_config_append (GString *xml, const char *format, ...) G_GNUC_PRINTF (2, 3);
void xf_config_note (GPtrArray *notes, const char *format, ...) G_GNUC_PRINTF (2, 3);
