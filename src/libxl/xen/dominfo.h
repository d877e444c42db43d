/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What Xen shows of its domains.
 */
#pragma once

#include <libxl.h>

#include "libxl/xen/ctx.h"

typedef libxl_dominfo XfDominfo; /* declared with g_auto, it is disposed of */

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (XfDominfo, libxl_dominfo_dispose)

/* What Xen shows of @domid. @info_out is valid when 0 is returned, and to be disposed of in any case. Else libxl's
 * code; ERROR_DOMAIN_NOTFOUND: there is no such domain. Any other code says nothing about the domain. */
int xf_dominfo_get (XfCtx *ctx, guint32 domid, XfDominfo *info_out);

typedef struct {
  libxl_dominfo *items; /* NULL: libxl cannot list them, which says nothing */
  int n;
} XfDominfoList; /* declared with g_auto, it is freed */

/* All domains. There is always one, domain 0. */
XfDominfoList xf_dominfo_list (XfCtx *ctx);
void xf_dominfo_list_clear (XfDominfoList *list);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (XfDominfoList, xf_dominfo_list_clear)
