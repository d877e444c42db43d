/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/boot/discover.h"

#include <libvirt/libvirt.h>
#include <libxl_utils.h>
#include <stdlib.h>

#include "conf/domain_name.h"
#include "libxl/xen/ao.h"
#include "libxl/act/death.h"
#include "libxl/guest/driver_private.h"
#include "libxl/boot/find.h"
#include "libxl/guest/guest.h"
#include "libxl/guest/look.h"
#include "libxl/act/remains.h"
#include "libxl/act/restart.h"
#include "libxl/xen/dominfo.h"

#define PERIOD_MS 1000
/* A domain that its toolstack still builds is paused and has never run. A domain that stays so for this many checks
 * was started paused. */
#define PAUSED_LOOKS 10
#define NAMES_A_LOOK 16
/* xl's name for a guest that it is receiving, until it is complete. */
#define XL_INCOMING "--incoming"

/* The domain cannot be a guest here; or not before another guest's name or UUID is free. */
enum { NONE_FOR_US = -1, CLASHES = -2 };

struct XfDiscover {
  XfDriver *driver;
  guint timer_id;
  GHashTable *looks; /* domid -> the number of checks that found it unknown, or one of these */
  struct Look *look; /* in progress, or NULL */
  guint next_name;
};

typedef struct Look {
  XfDiscover *discover; /* NULL: the driver has ended */
  libxl_domain_config config;
  libxl_dominfo info;
} Look;

static void
look_free (Look *look)
{
  libxl_domain_config_dispose (&look->config);
  libxl_dominfo_dispose (&look->info);
  g_free (look);
}

static gboolean
is_ours (const XfDiscover *discover, const libxl_dominfo *info)
{
  XfGuest *guest = xf_guest_find_uuid (discover->driver, libxl_uuid_bytearray_const (&info->uuid));

  if (info->domid == 0 || xf_guest_find_domid (discover->driver, info->domid) || xf_remains_are (discover->driver, info)
      || xf_look_is_preserved (discover->driver, info))
    return TRUE;
  /* A guest that is being started, received or restarted here; or the old domain of one that has moved on. */
  return guest && (guest->job || guest->incoming || guest->domid >= 0);
}

static gboolean
is_incoming (const Look *look)
{
  return look->info.paused && look->config.c_info.name && g_str_has_suffix (look->config.c_info.name, XL_INCOMING);
}

/* TRUE if a known guest has its name or its UUID. */
static gboolean
clashes (const XfDiscover *discover, const libxl_dominfo *info)
{
  const guint8 *uuid = libxl_uuid_bytearray_const (&info->uuid);
  char *name = libxl_domid_to_name (xf_ctx_libxl (discover->driver->ctx), info->domid); /* of malloc */
  g_autofree char *shown = xf_domain_name_shown (name, uuid);

  free (name);
  return xf_guest_find_uuid (discover->driver, uuid) != xf_guest_find_name (discover->driver, shown);
}

static void
looked (int rc, gpointer data)
{
  Look *look = data;
  XfDiscover *discover = look->discover;

  if (!discover) {
    look_free (look);
    return;
  }
  discover->look = NULL;
  /* Gone again, or not complete yet: the next check repeats this. */
  if (rc == 0 && !is_ours (discover, &look->info) && !is_incoming (look)
      && !xf_find_adopt (discover->driver, &look->info, &look->config))
    g_hash_table_insert (discover->looks, GUINT_TO_POINTER (look->info.domid),
                         GINT_TO_POINTER (clashes (discover, &look->info) ? CLASHES : NONE_FOR_US));
  look_free (look);
}

static void
look_at (XfDiscover *discover, const libxl_dominfo *info)
{
  Look *look = g_new0 (Look, 1);
  XfAo *ao;

  look->discover = discover;
  libxl_domain_config_init (&look->config);
  libxl_dominfo_init (&look->info);
  libxl_dominfo_copy (xf_ctx_libxl (discover->driver->ctx), &look->info, info);
  discover->look = look;
  ao = xf_ao_new (discover->driver->ctx, looked, look);
  xf_ao_started (ao, libxl_retrieve_domain_configuration (xf_ctx_libxl (discover->driver->ctx), info->domid,
                                                          &look->config, xf_ao_how (ao)));
}

static gboolean
is_complete (XfDiscover *discover, const libxl_dominfo *info)
{
  int looks = GPOINTER_TO_INT (g_hash_table_lookup (discover->looks, GUINT_TO_POINTER (info->domid)));

  if (looks == NONE_FOR_US || info->dying || (looks == CLASHES && clashes (discover, info)))
    return FALSE;
  if (looks == CLASHES)
    return TRUE;
  if (!info->paused || info->cpu_time > 0)
    return TRUE;
  g_hash_table_insert (discover->looks, GUINT_TO_POINTER (info->domid), GINT_TO_POINTER (looks + 1));
  return looks >= PAUSED_LOOKS;
}

/* For known guests too: events of libxl only make it earlier. Backwards: a guest may be removed. */
static void
compare (XfDriver *driver, const libxl_dominfo *list, int n)
{
  for (guint i = driver->guests->len; i-- > 0;) {
    XfGuest *guest = driver->guests->pdata[i];
    const libxl_dominfo *info = NULL;

    for (int j = 0; j < n && !info; j++) {
      if ((int)list[j].domid == guest->domid && xf_uuid_equal (libxl_uuid_bytearray_const (&list[j].uuid), guest->uuid))
        info = &list[j];
    }
    xf_death_compare (guest, info);
  }
}

/* Names are read one by one: a few in each check. */
static void
follow_names (XfDiscover *discover)
{
  const GPtrArray *guests = discover->driver->guests;

  for (guint i = 0; i < MIN (guests->len, NAMES_A_LOOK); i++)
    xf_look_follow_name (guests->pdata[discover->next_name++ % guests->len]);
}

static gboolean
period (gpointer data)
{
  XfDiscover *discover = data;
  g_auto (XfDominfoList) list = xf_dominfo_list (discover->driver->ctx);

  if (!list.items)
    return G_SOURCE_CONTINUE;
  compare (discover->driver, list.items, list.n);
  follow_names (discover);
  /* One at a time: there is no hurry. */
  for (int i = 0; i < list.n; i++)
    xf_restart_compare (discover->driver, &list.items[i]);
  for (int i = 0; i < list.n && !discover->look; i++) {
    if (!is_ours (discover, &list.items[i]) && is_complete (discover, &list.items[i]))
      look_at (discover, &list.items[i]);
  }
  return G_SOURCE_CONTINUE;
}

XfDiscover *
xf_discover_new (XfDriver *driver)
{
  XfDiscover *discover = g_new0 (XfDiscover, 1);

  discover->driver = driver;
  discover->looks = g_hash_table_new (NULL, NULL);
  discover->timer_id = g_timeout_add (PERIOD_MS, period, discover);
  return discover;
}

void
xf_discover_free (XfDiscover *discover)
{
  if (!discover)
    return;
  g_source_remove (discover->timer_id);
  if (discover->look)
    discover->look->discover = NULL; /* libxl still writes into it */
  g_hash_table_unref (discover->looks);
  g_free (discover);
}
