/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/guest/memory.h"

#include <string.h>

#include "base/error.h"
#include "conf/uuid.h"
#include "libxl/guest/driver_private.h"
#include "libxl/xen/dominfo.h"

#define KIB_A_MIB 1024
#define POLL_MS 100
#define PATIENCE_US (30 * G_USEC_PER_SEC)

struct XfMemoryClaim {
  XfDriver *driver;
  char *name; /* of the guest */
  guint8 uuid[XF_UUID_LENGTH];
  guint64 need_kib;

  /* while dom0 gives memory back */
  guint poll_id;
  gint64 until_us;
  XfDone done;
  gpointer data;
};

static libxl_ctx *
libxl_of (const XfMemoryClaim *claim)
{
  return xf_ctx_libxl (claim->driver->ctx);
}

/* Memory that the claim's domain already has is no longer free. Found by UUID: libxl returns a domain's number only
 * when the domain is complete. */
static guint64
outstanding_kib (const XfMemoryClaim *claim, const libxl_dominfo *domains, int n)
{
  guint64 taken = 0;

  for (int i = 0; i < n; i++) {
    /* A domain that has ended is kept beside the new one, as rename-restart does. */
    if (!domains[i].shutdown && xf_uuid_equal (libxl_uuid_bytearray_const (&domains[i].uuid), claim->uuid))
      taken = domains[i].current_memkb + domains[i].outstanding_memkb;
  }
  return claim->need_kib - MIN (taken, claim->need_kib);
}

/* Free memory that no other claim has reserved. */
static gboolean
room_kib (const XfMemoryClaim *claim, guint64 *room_out, GError **error)
{
  GPtrArray *claims = claim->driver->claims;
  guint64 promised = 0;
  uint64_t free_kib = 0;
  g_auto (XfDominfoList) domains = { 0 };

  if (libxl_get_free_memory (libxl_of (claim), &free_kib) != 0) {
    g_set_error (error, XF_ERROR, XF_ERROR_INTERNAL, "Xen does not report its free memory");
    return FALSE;
  }
  domains = xf_dominfo_list (claim->driver->ctx);
  for (guint i = 0; i < claims->len; i++)
    promised += claims->pdata[i] != claim ? outstanding_kib (claims->pdata[i], domains.items, domains.n) : 0;
  *room_out = free_kib > promised ? free_kib - promised : 0;
  return TRUE;
}

static guint64
mib_up (guint64 kib)
{
  return (kib + KIB_A_MIB - 1) / KIB_A_MIB;
}

static void
set_short (const XfMemoryClaim *claim, guint64 room, const char *dom0, GError **error)
{
  g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_FAILED,
               "not enough memory on host '%s' for domain '%s': it needs %" G_GUINT64_FORMAT " MiB, %" G_GUINT64_FORMAT
               " MiB are free and not reserved for other guests, %" G_GUINT64_FORMAT " MiB are missing; %s",
               claim->driver->hostname, claim->name, mib_up (claim->need_kib), room / KIB_A_MIB,
               mib_up (claim->need_kib - room), dom0);
}

/* TRUE if dom0 may give back what is missing. */
static gboolean
may_balloon (XfMemoryClaim *claim, guint64 room, GError **error)
{
  guint64 least = (guint64)claim->driver->config.dom0_min_memory_mib * KIB_A_MIB;
  uint64_t target = 0;

  if (least == 0) {
    set_short (claim, room, "dom0 keeps what it has (dom0_min_memory is not set)", error);
    return FALSE;
  }
  if (libxl_get_memory_target (libxl_of (claim), 0, &target) != 0 || target < least + claim->need_kib - room) {
    set_short (claim, room, "dom0 would be left with less than dom0_min_memory", error);
    return FALSE;
  }
  return TRUE;
}

/* Asks dom0 for what is missing. The result appears in the free memory. */
static gboolean
balloon (XfMemoryClaim *claim, guint64 room, GError **error)
{
  guint64 missing = claim->need_kib - room;

  if (!may_balloon (claim, room, error))
    return FALSE;
  if (libxl_set_memory_target (libxl_of (claim), 0, -(int64_t)missing, 1, 1) != 0) {
    set_short (claim, room, "libxl could not ask dom0 for it", error);
    return FALSE;
  }
  g_info ("domain '%s' needs %" G_GUINT64_FORMAT " MiB that dom0 gives back", claim->name, mib_up (missing));
  claim->until_us = g_get_monotonic_time () + PATIENCE_US;
  return TRUE;
}

/* Works on a copy: libxl fills in its defaults, and would keep them as the guest's configuration. */
static gboolean
needed_kib (XfDriver *driver, const libxl_domain_config *config, uint64_t *need_out)
{
  libxl_ctx *libxl = xf_ctx_libxl (driver->ctx);
  libxl_domain_config copy;
  int rc;

  libxl_domain_config_init (&copy);
  libxl_domain_config_copy (libxl, &copy, config);
  rc = libxl_domain_need_memory (libxl, &copy, 0, need_out);
  libxl_domain_config_dispose (&copy);
  return rc == 0;
}

/* A claim that has asked dom0 for nothing yet, or NULL. */
static XfMemoryClaim *
claim_new (XfDriver *driver, const libxl_domain_config *config, GError **error)
{
  XfMemoryClaim *claim = g_new0 (XfMemoryClaim, 1);
  uint64_t need = 0;

  claim->driver = driver;
  claim->name = g_strdup (config->c_info.name);
  memcpy (claim->uuid, libxl_uuid_bytearray_const (&config->c_info.uuid), XF_UUID_LENGTH);
  g_ptr_array_add (driver->claims, claim);
  if (!needed_kib (driver, config, &need)) {
    g_set_error (error, XF_ERROR, XF_ERROR_INTERNAL, "libxl cannot compute the memory that domain '%s' needs",
                 claim->name);
    xf_memory_claim_free (claim);
    return NULL;
  }
  claim->need_kib = need;
  return claim;
}

XfMemoryClaim *
xf_memory_claim_new (XfDriver *driver, const libxl_domain_config *config, GError **error)
{
  XfMemoryClaim *claim = claim_new (driver, config, error);
  guint64 room;

  if (!claim)
    return NULL;
  if (!room_kib (claim, &room, error) || (room < claim->need_kib && !balloon (claim, room, error))) {
    xf_memory_claim_free (claim);
    return NULL;
  }
  return claim;
}

gboolean
xf_memory_check (XfDriver *driver, const libxl_domain_config *config, GError **error)
{
  XfMemoryClaim *claim = claim_new (driver, config, error);
  guint64 room;
  gboolean fits;

  if (!claim)
    return FALSE;
  fits = room_kib (claim, &room, error) && (room >= claim->need_kib || may_balloon (claim, room, error));
  xf_memory_claim_free (claim);
  return fits;
}

static gboolean
poll_room (gpointer data)
{
  XfMemoryClaim *claim = data;
  g_autoptr (GError) error = NULL;
  guint64 room = 0;

  if (room_kib (claim, &room, &error) && room < claim->need_kib) {
    if (g_get_monotonic_time () < claim->until_us)
      return G_SOURCE_CONTINUE;
    set_short (claim, room, "dom0 was asked for it and has not given it in time", &error);
  }
  claim->poll_id = 0;
  claim->done (error, claim->data);
  return G_SOURCE_REMOVE;
}

void
xf_memory_claim_wait (XfMemoryClaim *claim, XfDone done, gpointer data)
{
  claim->done = done;
  claim->data = data;
  if (claim->until_us)
    claim->poll_id = g_timeout_add (POLL_MS, poll_room, claim);
  else
    done (NULL, data);
}

void
xf_memory_claim_free (XfMemoryClaim *claim)
{
  if (!claim)
    return;
  g_ptr_array_remove (claim->driver->claims, claim);
  g_clear_handle_id (&claim->poll_id, g_source_remove);
  g_free (claim->name);
  g_free (claim);
}
