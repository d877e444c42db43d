/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Is there room for the guest? The only part of the configuration that asks the hypervisor.
 */
#include "base/error.h"
#include "libxl/config.h"
#include "libxl/driver_private.h"

gboolean
xf_config_check_memory (XfDriver *driver, libxl_domain_config *config, guint64 promised_kib, GError **error)
{
  libxl_ctx *libxl = xf_ctx_libxl (driver->ctx);
  uint64_t need = 0, free_kib = 0;
  guint64 there;

  if (libxl_domain_need_memory (libxl, config, 0, &need) != 0 || libxl_get_free_memory (libxl, &free_kib) != 0) {
    g_set_error (error, XF_ERROR, XF_ERROR_INTERNAL, "Xen does not say how much memory it has or domain '%s' needs",
                 config->c_info.name);
    return FALSE;
  }
  there = free_kib > promised_kib ? free_kib - promised_kib : 0;
  if (need <= there)
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_FAILED,
               "not enough memory on host '%s' for domain '%s': it needs %" G_GUINT64_FORMAT " MiB, %" G_GUINT64_FORMAT
               " MiB are free, %" G_GUINT64_FORMAT " MiB are missing",
               driver->hostname, config->c_info.name, (guint64)need / 1024, there / 1024,
               (guint64)(need - there + 1023) / 1024);
  return FALSE;
}
