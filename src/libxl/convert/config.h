/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Conversion between a definition and libxl's configuration. docs/domain-xml.md lists the elements. All functions are
 * pure: they read no hypervisor and no file.
 */
#pragma once

#include <libxl.h>

#include "conf/domain_def.h"
#include "driver.h"

/* Fills @config. The caller initialises it, and disposes of it on error too. A combination that libxl cannot express
 * is XF_ERROR_CONFIG_UNSUPPORTED; the error names the element. */
gboolean xf_config_from_def (const XfDomainDef *def, libxl_domain_config *config, GError **error);

/* The reverse, for guests that another toolstack started: returns domain XML made from libxl's configuration; the
 * caller frees it. Each property that this driver's XML cannot express is added to @notes as text (a GPtrArray of
 * char *, may be NULL). */
char *xf_config_to_xml (const libxl_domain_config *config, GPtrArray *notes);

/* The same, parsed. The definition is complete if and only if no note was added to @notes. */
XfDomainDef *xf_config_to_def (const libxl_domain_config *config, GPtrArray *notes, GError **error);

/* libxl's own JSON, indented, with a newline at the end. The caller frees it. */
char *xf_config_to_json (const libxl_domain_config *config, GError **error);

/* Fills @config from libxl's own JSON. The caller initialises it. */
gboolean xf_config_from_json (libxl_ctx *ctx, const char *json, libxl_domain_config *config, GError **error);

/* The part of xf_config_from_def() for devices, in convert/devices.c. */
gboolean xf_config_devices (const XfDomainDef *def, libxl_domain_config *config, GError **error);
