/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/xen/dominfo.h"

int
xf_dominfo_get (XfCtx *ctx, guint32 domid, XfDominfo *info_out)
{
  libxl_dominfo_init (info_out);
  return libxl_domain_info (xf_ctx_libxl (ctx), info_out, domid);
}

XfDominfoList
xf_dominfo_list (XfCtx *ctx)
{
  XfDominfoList list = { 0 };

  list.items = libxl_list_domain (xf_ctx_libxl (ctx), &list.n);
  return list;
}

void
xf_dominfo_list_clear (XfDominfoList *list)
{
  if (list->items)
    libxl_dominfo_list_free (list->items, list->n);
  *list = (XfDominfoList){ 0 };
}
