/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/resource/retry.h"

#include <string.h>

#include "libxl/guest/driver_private.h"

/* The pauses before each attempt, in seconds. */
static const guint pauses_s[] = { 2, 10, 60, 300 };

typedef struct {
  XfDriver *driver;
  guint8 uuid[XF_UUID_LENGTH];
  uint32_t domid;
  char *id, *peer, *failed; /* of the migration; the resources, one a line */
  guint flags;
  XfDomainDef *def;
  libxl_domain_config config;
  XfResources *set; /* of the attempt under way */
  guint attempt, timer_id;
} Retry;

static void
retry_free (Retry *retry)
{
  g_clear_handle_id (&retry->timer_id, g_source_remove);
  xf_resources_free (retry->set);
  xf_domain_def_free (retry->def);
  libxl_domain_config_dispose (&retry->config);
  g_free (retry->id);
  g_free (retry->peer);
  g_free (retry->failed);
  g_free (retry);
}

static void
end (Retry *retry)
{
  g_ptr_array_remove_fast (retry->driver->retries, retry);
  retry_free (retry);
}

/* The guest, if it still is the one that has arrived. */
static XfGuest *
guest_of (const Retry *retry)
{
  XfGuest *guest = xf_guest_find_uuid (retry->driver, retry->uuid);

  return guest && guest->domid == (int)retry->domid ? guest : NULL;
}

static void again (Retry *retry);

static void
tried (const GError *error, gpointer data)
{
  Retry *retry = data;
  XfGuest *guest = guest_of (retry);
  g_autofree char *failed = xf_resources_failed (retry->set, XF_VERB_COMMIT);

  if (guest && !failed) {
    g_message ("domain '%s': what did not work since its migration works now: %s", guest->name,
               g_strdelimit (retry->failed, "\n", ' '));
    xf_guest_set_message (guest, NULL);
  }
  if (!guest || !failed) {
    end (retry);
    return;
  }
  g_free (retry->failed);
  retry->failed = g_steal_pointer (&failed);
  again (retry);
}

static gboolean
attempt (gpointer data)
{
  Retry *retry = data;
  const XfGuest *guest = guest_of (retry);
  const XfResourceGuest what = {
    .side = XF_SIDE_DESTINATION,
    .id = retry->id,
    .peer = retry->peer,
    .def = retry->def,
    .config = &retry->config,
    .flags = retry->flags,
    .domid = &retry->domid,
  };

  retry->timer_id = 0;
  if (!guest) {
    end (retry);
    return G_SOURCE_REMOVE;
  }
  g_clear_pointer (&retry->set, xf_resources_free);
  retry->set = xf_resources_new_held (retry->driver, &what, retry->failed);
  xf_resources_run (retry->set, XF_VERB_COMMIT, tried, retry);
  return G_SOURCE_REMOVE;
}

/* After the last attempt the guest's message stays. */
static void
again (Retry *retry)
{
  if (retry->attempt < G_N_ELEMENTS (pauses_s))
    retry->timer_id = g_timeout_add_seconds (pauses_s[retry->attempt++], attempt, retry);
  else
    end (retry);
}

void
xf_retry_failed (const XfResources *set, XfGuest *guest)
{
  const XfResourceGuest *what = xf_resources_guest (set);
  g_autofree char *failed = xf_resources_failed (set, XF_VERB_COMMIT);
  Retry *retry;

  if (!failed)
    return;
  retry = g_new0 (Retry, 1);
  retry->driver = guest->driver;
  memcpy (retry->uuid, guest->uuid, XF_UUID_LENGTH);
  retry->domid = (uint32_t)guest->domid;
  retry->id = g_strdup (what->id);
  retry->peer = g_strdup (what->peer);
  retry->failed = g_steal_pointer (&failed);
  retry->flags = what->flags;
  retry->def = xf_domain_def_copy (guest->def);
  libxl_domain_config_init (&retry->config);
  libxl_domain_config_copy (xf_ctx_libxl (guest->driver->ctx), &retry->config, what->config);
  if (!guest->driver->retries)
    guest->driver->retries = g_ptr_array_new ();
  g_ptr_array_add (guest->driver->retries, retry);
  again (retry);
}

void
xf_retries_free (XfDriver *driver)
{
  if (!driver->retries)
    return;
  g_ptr_array_set_free_func (driver->retries, (GDestroyNotify)retry_free);
  g_clear_pointer (&driver->retries, g_ptr_array_unref);
}
