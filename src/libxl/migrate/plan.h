/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What two xenferries agree upon for a migration's data, in the cookies of begin and prepare. The source's cookie says
 * what it can do, what it would like, and what it insists on; the destination chooses, and its cookie names what is
 * done. Features decide, not versions: what either does not know it does not use; but what the other requires and it
 * does not know ends the migration in prepare, by name.
 *
 *   ticket    data connections begin with a ticket (transport/ticket.h)
 *   frames    the data travels in frames with checksums (docs/stream.md), through a pump on both sides
 *   zstd      which may be compressed
 *   parallel  on several connections
 *   tls       which are encrypted, with certificates on both sides
 *
 * The host's policy (settings tls, compression, checksums) and the person's options meet here.
 */
#pragma once

#include "conf/cookie.h"
#include "driver.h"
#include "libxl/migrate/params.h"
#include "libxl/transport/ticket.h"

typedef struct {
  gboolean ticket, frames, zstd, parallel, tls;
} XfMigratePlan;

/* What this host's policy is, for a feature of its settings. */
typedef enum { XF_POLICY_IS_NEVER, XF_POLICY_IS_ALLOW, XF_POLICY_IS_ALWAYS, XF_POLICY_IS_REQUIRE } XfDataPolicy;

/* The source's offer, into @cookie; FALSE when its own host forbids what @params ask for. */
gboolean xf_migrate_plan_offer (const XfDriverConfig *settings, const XfMigrateParams *params, XfCookie *cookie,
                                GError **error);

/* The destination's choice. @offer: the source's cookie, or NULL for a peer without one. */
gboolean xf_migrate_plan_choose (const XfDriverConfig *settings, const XfCookie *offer, gboolean tunnelled,
                                 XfMigratePlan *plan_out, GError **error);
void xf_migrate_plan_tell (const XfMigratePlan *plan, XfCookie *cookie);

/* What the destination has chosen. @offer: what we said; @answer: its cookie, or NULL. FALSE when it cannot do what we
 * insist on, or wants what we do not know. */
gboolean xf_migrate_plan_accept (const XfCookie *offer, const XfCookie *answer, XfMigratePlan *plan_out,
                                 GError **error);
