/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/restart.h"

#include "libxl/driver_private.h"

/* A number that is reused may belong to another guest by now. */
static gboolean
is_of_guest (const XfOperation *operation)
{
  return xf_uuid_equal (libxl_uuid_bytearray_const (&operation->config.c_info.uuid), operation->guest->uuid);
}

static void
remembered (int rc, gpointer data)
{
  XfOperation *operation = data;

  if (rc == 0 && is_of_guest (operation)) {
    /* The ended domain's number is not to be asked for: libxl refuses one that was in use a moment ago. */
    operation->config.c_info.domid = INVALID_DOMID;
  } else {
    g_warning ("domain '%s': libxl cannot say how it was configured (libxl error %d): it is started again as its XML "
               "describes it, without what was changed since its start",
               operation->guest->name, rc);
    libxl_domain_config_dispose (&operation->config);
    operation->has_config = FALSE;
  }
  operation->next (operation);
}

void
xf_restart_remember (XfOperation *operation, void (*next) (XfOperation *operation))
{
  XfAo *ao = xf_operation_ao (operation, remembered);

  operation->next = next;
  libxl_domain_config_init (&operation->config);
  operation->has_config = TRUE;
  xf_ao_started (ao, libxl_retrieve_domain_configuration (xf_operation_libxl (operation), operation->guest->domid,
                                                          &operation->config, xf_ao_how (ao)));
}
