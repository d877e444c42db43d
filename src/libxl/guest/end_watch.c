/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/guest/end_watch.h"

#include "libxl/guest/driver_private.h"

void
xf_end_watch (XfGuest *guest)
{
  libxl_evgen_domain_death *watch = NULL;

  xf_end_unwatch (guest);
  if (guest->domid <= 0)
    return;
  if (libxl_evenable_domain_death (xf_ctx_libxl (guest->driver->ctx), guest->domid, 0, &watch) != 0)
    g_warning ("the end of domain '%s' will not be noticed: libxl refused to watch it", guest->name);
  guest->death_watch = watch;
  guest->watch_spent = FALSE;
}

void
xf_end_unwatch (XfGuest *guest)
{
  if (guest->death_watch)
    libxl_evdisable_domain_death (xf_ctx_libxl (guest->driver->ctx), guest->death_watch);
  guest->death_watch = NULL;
}
