/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/guest/moved.h"

#include <libvirt/libvirt.h>

#include "base/error.h"

struct XfMoved {
  XfDriver *driver;
  char *name, *host;
  XfPeer *peer;
  guint answer_id;
  GError *why; /* the reason why it must not be started */
  XfDone done;
  gpointer data;
};

/* The last migration that moved the guest away from here. */
static const XfJournalEntry *
find_entry (XfDriver *driver, const guint8 *uuid)
{
  g_autoptr (GPtrArray) entries = xf_journal_of_guest (driver->journal, XF_SIDE_SOURCE, uuid);
  const XfJournalEntry *last = NULL;

  for (guint i = 0; i < entries->len; i++) {
    const XfJournalEntry *entry = entries->pdata[i];

    if (entry->final && (!last || entry->changed_s >= last->changed_s))
      last = entry;
  }
  return last;
}

gboolean
xf_moved_is_known (XfDriver *driver, const guint8 *uuid)
{
  return find_entry (driver, uuid) != NULL;
}

static gboolean
answer (gpointer data)
{
  XfMoved *moved = data;

  if (moved->peer)
    moved->driver->peers->close (moved->peer);
  moved->done (moved->why, moved->data);
  g_clear_error (&moved->why);
  g_free (moved->host);
  g_free (moved->name);
  g_free (moved);
  return G_SOURCE_REMOVE;
}

/* @problem NULL: the guest may be started. */
static void
answer_later (XfMoved *moved, const char *problem)
{
  if (moved->answer_id)
    return;
  if (problem)
    moved->why = g_error_new (XF_ERROR, XF_ERROR_OPERATION_INVALID,
                              "domain '%s' has moved to host '%s', %s: started here it could run twice. If it does not "
                              "run there: virsh start --force-boot",
                              moved->name, moved->host, problem);
  moved->answer_id = g_idle_add_full (G_PRIORITY_DEFAULT, answer, moved, NULL);
}

static void
cannot_ask (XfMoved *moved, const char *why)
{
  g_autofree char *problem = g_strdup_printf ("which cannot be asked whether it runs there (%s)", why);

  answer_later (moved, problem);
}

static void
settled (XfVerdict verdict, const GError *error, gpointer data)
{
  XfMoved *moved = data;

  if (error)
    cannot_ask (moved, error->message);
  else
    answer_later (moved, verdict == XF_VERDICT_RUNS ? "which says that it runs there or has moved on" : NULL);
}

static void
looked_up (int state, const GError *error, gpointer data)
{
  XfMoved *moved = data;

  if (error)
    cannot_ask (moved, error->message);
  else if (state < 0 || state == VIR_DOMAIN_SHUTOFF)
    answer_later (moved, "where it does not run now, and from where it may have moved on: that host keeps no journal");
  else
    answer_later (moved, "which says that it is active there");
}

XfMoved *
xf_moved_ask (XfDriver *driver, const char *name, const guint8 *uuid, XfDone done, gpointer data)
{
  const XfJournalEntry *entry = find_entry (driver, uuid);
  guint timeout_s = driver->config.connect_timeout_s;
  XfMoved *moved = g_new0 (XfMoved, 1);

  g_assert (entry);
  *moved = (XfMoved){ .driver = driver, .name = g_strdup (name), .done = done, .data = data };
  moved->host = g_strdup (entry->peer ? entry->peer : "an unnamed host");
  if (!entry->ask_uri || !driver->peers)
    cannot_ask (moved, "this daemon does not know its address");
  else if (entry->secret)
    moved->peer = driver->peers->settle (driver->peers_data, entry->ask_uri, timeout_s, entry->id, entry->secret,
                                         XF_PURPOSE_START, settled, moved);
  else
    moved->peer = driver->peers->look_up (driver->peers_data, entry->ask_uri, timeout_s, uuid, looked_up, moved);
  return moved;
}

void
xf_moved_stop (XfMoved *moved)
{
  if (moved->peer)
    moved->driver->peers->close (g_steal_pointer (&moved->peer));
  cannot_ask (moved, "the question was aborted");
}
