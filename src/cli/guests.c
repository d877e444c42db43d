/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/guests.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "conf/uuid.h"

#define MEASURE_US G_USEC_PER_SEC

#define CALL(connection, name, args_type, args, ret_type, take, data, error)                                           \
  xf_connection_call (connection, XF_CONNECTION_CALL (XF_REMOTE_PROGRAM, name, args_type, ret_type),                   \
                      XF_CONNECTION_TIMEOUT_S, args, take, data, error)

void
xf_guests_free_facts (gpointer data)
{
  XfGuestFacts *facts = data;

  g_free (facts->name);
  g_free (facts);
}

xf_domain
xf_guests_dom (const XfGuestFacts *facts)
{
  xf_domain dom = { .name = facts->name, .id = facts->id };

  memcpy (dom.uuid, facts->uuid, sizeof (dom.uuid));
  return dom;
}

static XfGuestFacts *
facts_new (const xf_domain *dom)
{
  XfGuestFacts *facts = g_new0 (XfGuestFacts, 1);

  facts->name = g_strdup (dom->name);
  facts->id = dom->id;
  memcpy (facts->uuid, dom->uuid, sizeof (facts->uuid));
  return facts;
}

/* ---- one guest -------------------------------------------------------------------------------------------- */

static void
take_dom (gconstpointer ret, gpointer data)
{
  *(XfGuestFacts **)data = facts_new (&((const xf_dom_ret *)ret)->dom);
}

/* TRUE with NULL: there is none. */
static gboolean
found (gboolean done, GError *failed, GError **error)
{
  if (done || failed->code == XF_ERROR_NO_DOMAIN) {
    g_clear_error (&failed);
    return TRUE;
  }
  g_propagate_error (error, failed);
  return FALSE;
}

static gboolean
by_id (XfConnection *connection, const char *word, XfGuestFacts **facts_out, GError **error)
{
  xf_int_args args;
  gint64 number;
  GError *failed = NULL;
  gboolean done;

  if (!g_ascii_string_to_signed (word, 10, 0, G_MAXINT32, &number, NULL))
    return TRUE;
  args.value = (int)number;
  done = CALL (connection, DOMAIN_LOOKUP_BY_ID, xf_int_args, &args, xf_dom_ret, take_dom, facts_out, &failed);
  return found (done, failed, error);
}

static gboolean
by_uuid (XfConnection *connection, const char *word, XfGuestFacts **facts_out, GError **error)
{
  xf_uuid_args args;
  GError *failed = NULL;
  gboolean done;

  if (!xf_uuid_parse (word, (guint8 *)args.uuid))
    return TRUE;
  done = CALL (connection, DOMAIN_LOOKUP_BY_UUID, xf_uuid_args, &args, xf_dom_ret, take_dom, facts_out, &failed);
  return found (done, failed, error);
}

XfGuestFacts *
xf_guests_look_up (XfConnection *connection, const char *word, GError **error)
{
  XfGuestFacts *facts = NULL;
  g_autofree char *name = g_strdup (word);
  xf_string_args args = { name };

  if (!by_id (connection, word, &facts, error) || (!facts && !by_uuid (connection, word, &facts, error)))
    return NULL;
  if (!facts)
    CALL (connection, DOMAIN_LOOKUP_BY_NAME, xf_string_args, &args, xf_dom_ret, take_dom, &facts, error);
  return facts;
}

/* ---- all guests ------------------------------------------------------------------------------------------- */

static void
take_list (gconstpointer ret, gpointer data)
{
  const xf_list_all_ret *list = ret;

  for (guint i = 0; i < list->domains.domains_len; i++) {
    /* Number 0 is the host's own domain. */
    if (list->domains.domains_val[i].id > 0)
      g_ptr_array_add (data, facts_new (&list->domains.domains_val[i]));
  }
}

static void
take_info (gconstpointer ret, gpointer data)
{
  const xf_info_ret *info = ret;
  XfGuestFacts *facts = data;

  facts->state = (int)info->state;
  facts->memory_kib = info->max_memory;
  facts->cpu_time_ns = info->cpu_time;
}

static void
take_boolean (gconstpointer ret, gpointer data)
{
  *(gboolean *)data = ((const xf_int_ret *)ret)->value != 0;
}

static gboolean
look (XfConnection *connection, XfGuestFacts *facts, GError **error)
{
  xf_dom_args args = { xf_guests_dom (facts) };

  return CALL (connection, DOMAIN_GET_INFO, xf_dom_args, &args, xf_info_ret, take_info, facts, error)
         && CALL (connection, DOMAIN_IS_PERSISTENT, xf_dom_args, &args, xf_int_ret, take_boolean, &facts->persistent,
                  error)
         && (!facts->persistent
             || CALL (connection, DOMAIN_GET_AUTOSTART, xf_dom_args, &args, xf_int_ret, take_boolean, &facts->autostart,
                      error));
}

GPtrArray *
xf_guests_running (XfConnection *connection, GError **error)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (xf_guests_free_facts);
  xf_list_all_args args = { 1, VIR_CONNECT_LIST_DOMAINS_ACTIVE };
  guint i = 0;

  if (!CALL (connection, CONNECT_LIST_ALL_DOMAINS, xf_list_all_args, &args, xf_list_all_ret, take_list, all, error))
    return NULL;
  while (i < all->len) {
    GError *failed = NULL;

    if (look (connection, all->pdata[i], &failed)) {
      i++;
      continue;
    }
    /* It has ended since it was listed, or has moved away. */
    if (!found (FALSE, failed, error))
      return NULL;
    g_ptr_array_remove_index (all, i);
  }
  return g_steal_pointer (&all);
}

/* ---- measuring -------------------------------------------------------------------------------------------- */

static gboolean
wake (gpointer data)
{
  *(gboolean *)data = TRUE;
  return G_SOURCE_REMOVE;
}

gboolean
xf_guests_measure (XfConnection *connection, GPtrArray *guests, GError **error)
{
  gint64 began = g_get_monotonic_time ();
  gboolean over = FALSE;

  g_timeout_add (MEASURE_US / 1000, wake, &over);
  while (!over)
    g_main_context_iteration (NULL, TRUE);
  for (guint i = 0; i < guests->len; i++) {
    XfGuestFacts *facts = guests->pdata[i];
    guint64 before = facts->cpu_time_ns;
    gint64 us = g_get_monotonic_time () - began;
    xf_dom_args args = { xf_guests_dom (facts) };
    GError *failed = NULL;
    gboolean done = CALL (connection, DOMAIN_GET_INFO, xf_dom_args, &args, xf_info_ret, take_info, facts, &failed);

    if (!found (done, failed, error))
      return FALSE;
    if (done && facts->cpu_time_ns > before)
      facts->busy = (double)(facts->cpu_time_ns - before) / 1000 / (double)us;
  }
  return TRUE;
}

const char *
xf_guests_state_name (int state)
{
  static const char *const names[] = {
    [VIR_DOMAIN_NOSTATE] = "no state", [VIR_DOMAIN_RUNNING] = "running",        [VIR_DOMAIN_BLOCKED] = "running",
    [VIR_DOMAIN_PAUSED] = "paused",    [VIR_DOMAIN_SHUTDOWN] = "shutting down", [VIR_DOMAIN_SHUTOFF] = "shut off",
    [VIR_DOMAIN_CRASHED] = "crashed",  [VIR_DOMAIN_PMSUSPENDED] = "suspended",
  };

  return state >= 0 && state < (int)G_N_ELEMENTS (names) ? names[state] : "no state";
}
