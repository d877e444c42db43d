/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The features that two xenferry daemons agree upon for a migration's data, in the cookies of begin and prepare. The
 * source's cookie lists its features, and which of them it wants or requires; the destination chooses, and its cookie
 * names the choice. Features decide, not versions: a side does not use a feature that it does not know. But if one
 * side requires a feature that the other does not know, prepare fails and names it.
 *
 *   ticket    data connections begin with a ticket (transport/ticket.h)
 *   frames    the data travels in frames with checksums (docs/stream.md), through a pump on both sides
 *   zstd      frames may be compressed
 *   parallel  frames use several connections
 *   tls       frames are encrypted, with certificates on both sides
 *
 * The host's policy (settings tls, compression, checksums) and the client's options are combined here.
 */
#pragma once

#include "conf/cookie.h"
#include "driver.h"
#include "libxl/migrate/params.h"
#include "libxl/transport/ticket.h"

typedef struct {
  gboolean ticket, frames, zstd, parallel, tls;
} XfMigratePlan;

/* The host's policy for a feature that its settings name. */
typedef enum { XF_POLICY_IS_NEVER, XF_POLICY_IS_ALLOW, XF_POLICY_IS_ALWAYS, XF_POLICY_IS_REQUIRE } XfDataPolicy;

/* Writes the source's offer into @cookie. FALSE if its own host forbids an option of @params. */
gboolean xf_migrate_plan_offer (const XfDriverConfig *settings, const XfMigrateParams *params, XfCookie *cookie,
                                GError **error);

/* The destination's choice. @offer: the source's cookie, or NULL for a peer without one. */
gboolean xf_migrate_plan_choose (const XfDriverConfig *settings, const XfCookie *offer, gboolean tunnelled,
                                 XfMigratePlan *plan_out, GError **error);
void xf_migrate_plan_tell (const XfMigratePlan *plan, XfCookie *cookie);

/* Reads the destination's choice. @offer: this side's cookie; @answer: the destination's, or NULL. FALSE if the
 * destination does not know a required feature, or has chosen an unknown one. */
gboolean xf_migrate_plan_accept (const XfCookie *offer, const XfCookie *answer, XfMigratePlan *plan_out,
                                 GError **error);
