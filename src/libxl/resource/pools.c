/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/resource/pools.h"

#include <libxl_utils.h>

static gboolean
is_pool (const libxl_cpupoolinfo *pool, const char *name)
{
  guint64 number;

  if (!name)
    return pool->poolid == 0;
  if (g_ascii_string_to_unsigned (name, 10, 0, G_MAXUINT32, &number, NULL))
    return pool->poolid == number;
  return g_strcmp0 (pool->pool_name, name) == 0;
}

gboolean
xf_pool_cpus (XfDriver *driver, const char *name, libxl_bitmap *cpus_out)
{
  libxl_ctx *ctx = xf_ctx_libxl (driver->ctx);
  gboolean found = FALSE;
  int n = 0;
  libxl_cpupoolinfo *pools = libxl_list_cpupool (ctx, &n);

  for (int i = 0; pools && i < n && !found; i++) {
    found = is_pool (&pools[i], name);
    if (found)
      libxl_bitmap_copy_alloc (ctx, cpus_out, &pools[i].cpumap);
  }
  if (pools)
    libxl_cpupoolinfo_list_free (pools, n);
  return found;
}
