/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The hooks of a start and of an end, as steps of the operation, which keeps the guest's job meanwhile:
 *
 *   start   prepare ── memory ── start ── the domain is built and runs ── started
 *   end     the domain is gone ── stopped ── release
 *
 * A start that fails after `prepare` ends with `stopped` and `release`, when nothing is left of its domain. Without
 * scripts each step is the next function.
 */
#pragma once

#include "libxl/guest/operation.h"

typedef void (*XfHooked) (XfOperation *operation, const GError *error);

/* `prepare`; @next gets the reason to refuse the start, or NULL. */
void xf_hooked_prepare (XfOperation *operation, XfHooked next);

/* `start`, the last step before the domain is built; @next as above. Also refuses the start if another toolstack has
 * started the guest while scripts ran. */
void xf_hooked_start (XfOperation *operation, XfHooked next);

/* `started`. A failure is a warning; @next gets NULL. */
void xf_hooked_started (XfOperation *operation, XfHooked next);

/* `stopped` and `release` of @def; @domid: of its domain, which is gone; 0: it had none. Failures are warnings; @next
 * gets NULL. They are not stopped, also not by a destroy or an abort, which wait for them. */
void xf_hooked_release (XfOperation *operation, const XfDomainDef *def, guint32 domid, XfHooked next);

/* Finishes a start that has failed, with @error (taken), and its domain gone. */
void xf_hooked_fail (XfOperation *operation, GError *error);
