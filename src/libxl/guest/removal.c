/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/guest/removal.h"

#include <string.h>

#include "libxl/xen/ao.h"
#include "libxl/xen/dominfo.h"

#define PAUSE_MAX_S 30

/* A dying domain cannot run again, and may stay for as long as another domain maps its memory: after this many
 * attempts it counts as gone. */
#define DYING_TRIES 3

struct XfRemoval {
  XfDriver *driver;
  guint32 domid;
  guint8 uuid[XF_UUID_LENGTH];
  XfRemovalFailed failed;
  XfDone gone;
  gpointer data;
  XfAo *ao;
  guint again_id;
  guint tries, pause_s;
};

static void
removal_free (XfRemoval *removal)
{
  g_clear_handle_id (&removal->again_id, g_source_remove);
  g_free (removal);
}

static void
end (XfRemoval *removal)
{
  XfDone gone = removal->gone;
  gpointer data = removal->data;

  g_ptr_array_remove_fast (removal->driver->removals, removal);
  removal_free (removal);
  if (gone)
    gone (NULL, data);
}

/* TRUE if Xen still has the domain. A domain whose state cannot be read counts as present. */
static gboolean
is_there (const XfRemoval *removal)
{
  g_auto (XfDominfo) info = { 0 };
  int rc = xf_dominfo_get (removal->driver->ctx, removal->domid, &info);

  if (rc != 0)
    return rc != ERROR_DOMAIN_NOTFOUND;
  return xf_uuid_equal (libxl_uuid_bytearray_const (&info.uuid), removal->uuid)
         && !(info.dying && removal->tries >= DYING_TRIES);
}

static void destroy (XfRemoval *removal);

static gboolean
again (gpointer data)
{
  XfRemoval *removal = data;

  removal->again_id = 0;
  if (is_there (removal))
    destroy (removal);
  else
    end (removal);
  return G_SOURCE_REMOVE;
}

static void
destroyed (int rc, gpointer data)
{
  XfRemoval *removal = data;
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  removal->ao = NULL;
  if (rc == 0 || rc == ERROR_DOMAIN_NOTFOUND) {
    end (removal);
    return;
  }
  removal->tries++;
  removal->pause_s = removal->pause_s ? MIN (removal->pause_s * 2, PAUSE_MAX_S) : 1;
  removal->again_id = g_timeout_add_seconds (removal->pause_s, again, removal);
  text = g_strdup_printf ("cannot destroy domain %u, trying again", removal->domid);
  xf_rc_to_error (rc, &error, removal->driver->ctx, text);
  g_warning ("%s", error->message);
  if (removal->failed)
    removal->failed (removal->tries, error, removal->data);
}

static void
destroy (XfRemoval *removal)
{
  XfCtx *ctx = removal->driver->ctx;

  removal->ao = xf_ao_new (ctx, destroyed, removal);
  xf_ao_started (removal->ao, libxl_domain_destroy (xf_ctx_libxl (ctx), removal->domid, xf_ao_how (removal->ao)));
}

XfRemoval *
xf_removal_new (XfDriver *driver, guint32 domid, const guint8 *uuid, XfRemovalFailed failed, XfDone gone, gpointer data)
{
  XfRemoval *removal = g_new0 (XfRemoval, 1);

  *removal = (XfRemoval){ .driver = driver, .domid = domid, .failed = failed, .gone = gone, .data = data };
  memcpy (removal->uuid, uuid, XF_UUID_LENGTH);
  g_ptr_array_add (driver->removals, removal);
  destroy (removal);
  return removal;
}

void
xf_removal_forget (XfDriver *driver, gconstpointer data)
{
  for (guint i = 0; i < driver->removals->len; i++) {
    XfRemoval *removal = driver->removals->pdata[i];

    if (removal->data != data)
      continue;
    removal->failed = NULL;
    removal->gone = NULL;
    removal->data = NULL;
  }
}

gboolean
xf_removal_has (const XfDriver *driver, guint32 domid)
{
  for (guint i = 0; i < driver->removals->len; i++) {
    if (((XfRemoval *)driver->removals->pdata[i])->domid == domid)
      return TRUE;
  }
  return FALSE;
}

guint32
xf_removal_find (const XfDriver *driver, const guint8 *uuid)
{
  for (guint i = 0; i < driver->removals->len; i++) {
    XfRemoval *removal = driver->removals->pdata[i];

    if (xf_uuid_equal (removal->uuid, uuid))
      return removal->domid;
  }
  return 0;
}

gboolean
xf_removals_stop (XfDriver *driver)
{
  gboolean idle = TRUE;

  for (guint i = 0; i < driver->removals->len; i++) {
    XfRemoval *removal = driver->removals->pdata[i];

    g_clear_handle_id (&removal->again_id, g_source_remove);
    idle = idle && !removal->ao;
  }
  return idle;
}

void
xf_removals_free (XfDriver *driver)
{
  for (guint i = 0; i < driver->removals->len; i++)
    removal_free (driver->removals->pdata[i]);
  g_ptr_array_unref (driver->removals);
}
