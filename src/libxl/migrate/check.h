/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A check without a migration, on either side: collects findings, and answers once.
 */
#pragma once

#include "driver.h"

typedef struct XfCheck XfCheck;

/* @stop: the daemon ends: @owner stops and frees itself, and does not use the check any more. */
XfCheck *xf_check_new (XfDriver *driver, void (*stop) (gpointer owner), gpointer owner, XfCheckDone done,
                       gpointer data);

void xf_check_add (XfCheck *check, const char *host, const char *resource, gboolean blocks, const char *text);

/* Adds @error (may be NULL) as a finding that blocks. */
void xf_check_add_error (XfCheck *check, const char *host, const char *resource, const GError *error);

/* Adds the findings of a set of resources (XfFinding), or of another check (XfCheckFinding). */
void xf_check_add_resources (XfCheck *check, const char *host, const GPtrArray *findings);
void xf_check_add_all (XfCheck *check, const GPtrArray *findings);

/* Answers through the loop, and frees @check. @error: the check itself was not possible; or NULL. */
void xf_check_end (XfCheck *check, const GError *error);

/* The daemon ends: all checks under way answer that. */
void xf_checks_stop (XfDriver *driver);
