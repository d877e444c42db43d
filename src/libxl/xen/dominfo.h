/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of domains as Xen reports it.
 */
#pragma once

#include <libxl.h>

#include "libxl/xen/ctx.h"

typedef libxl_dominfo XfDominfo; /* freed by g_auto */

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (XfDominfo, libxl_dominfo_dispose)

/* Reads the state of @domid. @info_out is valid if 0 is returned; the caller disposes of it in any case. Otherwise
 * returns libxl's code: ERROR_DOMAIN_NOTFOUND means that the domain does not exist. Any other code is no information
 * about the domain. */
int xf_dominfo_get (XfCtx *ctx, guint32 domid, XfDominfo *info_out);

typedef struct {
  libxl_dominfo *items; /* NULL: libxl cannot list the domains; this does not mean that there are none */
  int n;
} XfDominfoList; /* freed by g_auto */

/* All domains. There is always one, domain 0. */
XfDominfoList xf_dominfo_list (XfCtx *ctx);
void xf_dominfo_list_clear (XfDominfoList *list);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (XfDominfoList, xf_dominfo_list_clear)
