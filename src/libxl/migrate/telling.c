/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/migrate/telling.h"

#include <string.h>

#include "base/error.h"
#include "libxl/migrate/record.h"

/* Between two attempts; the time doubles with each. */
#define AGAIN_FIRST_S 1
#define AGAIN_MAX_S 30

typedef struct {
  XfDriver *driver;
  guint8 id[XF_UUID_LENGTH], uuid[XF_UUID_LENGTH]; /* of the migration, of the guest */
  char *name, *host, *uri, *secret;
  XfPurpose purpose;
  gboolean twice; /* the last answer: the guest runs on both hosts */
  XfPeer *peer;
  guint again_id, again_s;
} Telling;

static void
telling_free (gpointer data)
{
  Telling *telling = data;

  g_clear_handle_id (&telling->again_id, g_source_remove);
  if (telling->peer)
    telling->driver->peers->close (telling->peer);
  g_free (telling->name);
  g_free (telling->host);
  g_free (telling->uri);
  g_free (telling->secret);
  g_free (telling);
}

static void tell (Telling *telling);

static gboolean
again (gpointer data)
{
  Telling *telling = data;

  telling->again_id = 0;
  tell (telling);
  return G_SOURCE_REMOVE;
}

static gboolean
is_unreachable (const GError *error)
{
  return error->code == XF_ERROR_NO_CONNECT || error->code == XF_ERROR_TIMEOUT;
}

/* The answer may be the opposite of the administrator's decision. */
static void
show_conflict (const Telling *telling, gboolean twice)
{
  g_autofree char *text = g_strdup_printf (
    twice
      ? "domain '%s' runs on two hosts: an administrator has decided that it continues here, and host '%s' reports "
        "that "
        "it runs there too, or has moved on from there. Both copies write to its disks: end one of them now with virsh "
        "destroy, and check its disks"
      : "domain '%s' runs on no host: an administrator has decided here that it runs there, and host '%s' reports that "
        "it was never started there. Start it again with virsh start --force-boot",
    telling->name, telling->host);
  XfMigrationInfo conflict = { .is_source = TRUE, .guest = telling->name, .peer = telling->host, .reason = text };

  conflict.state = (char *)"conflict";
  memcpy (conflict.id, telling->id, XF_UUID_LENGTH);
  xf_record_conflict (telling->driver, &conflict, telling->uuid, twice);
}

/* The guest ran there too, and has ended there. */
static void
warn_of_disks (const Telling *telling)
{
  g_warning (
    "domain '%s' continues here, and host '%s' reports that it has run there too and has ended: check its disks",
    telling->name, telling->host);
}

static void
compare (Telling *telling, XfVerdict verdict, const GError *error)
{
  gboolean here = telling->purpose == XF_PURPOSE_HERE;

  telling->twice = !error && here && verdict == XF_VERDICT_RUNS;
  if (error)
    g_info ("domain '%s': it was reported to host '%s' that it %s; the answer is: %s", telling->name, telling->host,
            here ? "runs here" : "is gone from here", error->message);
  else if (here == (verdict == XF_VERDICT_WILL_NOT_RUN))
    g_info ("domain '%s': host '%s' knows that it %s", telling->name, telling->host,
            here ? "runs here" : "is gone from here");
  else if (here && verdict == XF_VERDICT_HAS_RUN)
    warn_of_disks (telling);
  else
    show_conflict (telling, telling->twice);
}

static void
tell_again (Telling *telling)
{
  telling->again_s = telling->again_s ? MIN (telling->again_s * 2, AGAIN_MAX_S) : AGAIN_FIRST_S;
  telling->again_id = g_timeout_add_seconds (telling->again_s, again, telling);
}

static void
answered (XfVerdict verdict, const GError *error, gpointer data)
{
  Telling *telling = data;

  telling->driver->peers->close (g_steal_pointer (&telling->peer));
  if (error && is_unreachable (error)) {
    tell_again (telling);
    return;
  }
  if (telling->purpose != XF_PURPOSE_KNOW)
    compare (telling, verdict, error);
  else
    telling->twice = FALSE;
  if (telling->twice) {
    tell_again (telling);
    return;
  }
  if (telling->purpose != XF_PURPOSE_THERE)
    xf_record_no_conflict (telling->driver, TRUE, telling->id);
  g_ptr_array_remove_fast (telling->driver->tellings, telling);
}

static void
tell (Telling *telling)
{
  XfDriver *driver = telling->driver;

  if (telling->twice && !xf_record_is_active (driver, telling->uuid))
    telling->purpose = XF_PURPOSE_KNOW;
  telling->peer = driver->peers->settle (driver->peers_data, telling->uri, driver->config.connect_timeout_s,
                                         telling->id, telling->secret, telling->purpose, answered, telling);
}

void
xf_telling_start (XfDriver *driver, const XfJournalEntry *entry, gboolean here)
{
  Telling *telling;

  if (!entry->ask_uri || !entry->secret || !driver->peers || driver->ends)
    return;
  if (!driver->tellings)
    driver->tellings = g_ptr_array_new_with_free_func (telling_free);
  telling = g_new0 (Telling, 1);
  *telling = (Telling){ .driver = driver, .purpose = here ? XF_PURPOSE_HERE : XF_PURPOSE_THERE };
  memcpy (telling->id, entry->id, XF_UUID_LENGTH);
  memcpy (telling->uuid, entry->uuid, XF_UUID_LENGTH);
  telling->name = g_strdup (entry->name);
  telling->host = g_strdup (entry->peer ? entry->peer : "an unnamed host");
  telling->uri = g_strdup (entry->ask_uri);
  telling->secret = g_strdup (entry->secret);
  g_ptr_array_add (driver->tellings, telling);
  tell (telling);
}

void
xf_tellings_free (XfDriver *driver)
{
  g_clear_pointer (&driver->tellings, g_ptr_array_unref);
}
