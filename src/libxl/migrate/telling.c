/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/migrate/telling.h"

#include <string.h>

#include "base/error.h"

/* Between two attempts; the time doubles with each. */
#define AGAIN_FIRST_S 1
#define AGAIN_MAX_S 30

typedef struct {
  XfDriver *driver;
  guint8 id[XF_UUID_LENGTH];
  char *name, *host, *uri, *secret;
  XfPurpose purpose;
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

/* The answer may be the opposite of the administrator's decision: then an administrator must check both hosts. */
static void
compare (const Telling *telling, XfVerdict verdict, const GError *error)
{
  gboolean here = telling->purpose == XF_PURPOSE_HERE;

  if (error)
    g_info ("domain '%s': it was reported to host '%s' that it %s; the answer is: %s", telling->name, telling->host,
            here ? "runs here" : "is gone from here", error->message);
  else if (here == (verdict == XF_VERDICT_WILL_NOT_RUN))
    g_info ("domain '%s': host '%s' knows that it %s", telling->name, telling->host,
            here ? "runs here" : "is gone from here");
  else
    g_warning (
      "domain '%s': an administrator has decided here that it %s, but host '%s' reports that it %s: check both hosts",
      telling->name, here ? "continues here" : "runs there", telling->host,
      here ? "was started there" : "was never started there");
}

static void
answered (XfVerdict verdict, const GError *error, gpointer data)
{
  Telling *telling = data;

  telling->driver->peers->close (g_steal_pointer (&telling->peer));
  if (error && is_unreachable (error)) {
    telling->again_s = telling->again_s ? MIN (telling->again_s * 2, AGAIN_MAX_S) : AGAIN_FIRST_S;
    telling->again_id = g_timeout_add_seconds (telling->again_s, again, telling);
    return;
  }
  compare (telling, verdict, error);
  g_ptr_array_remove_fast (telling->driver->tellings, telling);
}

static void
tell (Telling *telling)
{
  XfDriver *driver = telling->driver;

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
