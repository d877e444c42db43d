/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What stands in the way of a migration: asked of the daemon, kept, and printed host by host.
 */
#pragma once

#include <stdio.h>
#include <yajl/yajl_gen.h>

#include "base/typed_params.h"
#include "cli/connection.h"
#include "driver.h"

/* @findings, array of XfCheckFinding, is the callee's. NULL if @error is set: the check was not possible. */
typedef void (*XfFindingsDone) (GPtrArray *findings, const GError *error, gpointer data);

/* Can the guest @uuid migrate peer to peer to @uri with @flags and @params? */
void xf_findings_ask (XfConnection *connection, const guint8 *uuid, const char *uri, const XfTypedParams *params,
                      guint flags, XfFindingsDone done, gpointer data);

/* How many of @findings block the migration. */
guint xf_findings_n_blocks (const GPtrArray *findings);

/* All of @findings, under the name of the host that has found them; each line begins with @indent. */
void xf_findings_print (FILE *out, const GPtrArray *findings, const char *indent);

/* As an array of objects: host, resource, blocks, text. */
void xf_findings_to_json (yajl_gen json, const GPtrArray *findings);
