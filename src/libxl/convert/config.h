/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Conversion between a definition and libxl's configuration. docs/domain-xml.md lists the elements. All functions are
 * pure: they read no hypervisor and no file.
 */
#pragma once

#include <libxl.h>

#include "conf/domain_def.h"
#include "driver.h"

/* Fills @config, which the caller has initialised and disposes of, on error too. A combination that libxl cannot be
 * told is XF_ERROR_CONFIG_UNSUPPORTED, by name. */
gboolean xf_config_from_def (const XfDomainDef *def, libxl_domain_config *config, GError **error);

/* The reverse, for guests that others started: domain XML, the caller's, from what libxl knows. What XML of this
 * driver cannot say is added to @notes as text (a GPtrArray of char *, NULL when nobody wants to know). */
char *xf_config_to_xml (const libxl_domain_config *config, GPtrArray *notes);

/* The same, parsed. The definition says all that @config said if and only if @notes stays as it was. */
XfDomainDef *xf_config_to_def (const libxl_domain_config *config, GPtrArray *notes, GError **error);

/* libxl's own JSON, indented, with a newline at the end; the caller's. */
char *xf_config_to_json (const libxl_domain_config *config, GError **error);

/* Fills @config, which the caller has initialised, from libxl's own JSON. */
gboolean xf_config_from_json (libxl_ctx *ctx, const char *json, libxl_domain_config *config, GError **error);

/* The devices' part of xf_config_from_def(), in convert/devices.c. */
gboolean xf_config_devices (const XfDomainDef *def, libxl_domain_config *config, GError **error);
