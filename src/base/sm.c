/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/sm.h"

#include "base/watch.h"

void
xf_sm_init (XfSm *sm, const XfSmState *table, guint n_states, const char *id)
{
  g_assert (n_states > 0 && n_states <= 32);
  *sm = (XfSm){ .table = table, .n_states = n_states, .id = g_strdup (id) };
}

void
xf_sm_guard (XfSm *sm, XfSmInvariant holds, gconstpointer owner)
{
  sm->holds = holds;
  sm->owner = owner;
}

void
xf_sm_clear (XfSm *sm)
{
  if (sm->id && sm->state != 0 && !sm->table[sm->state].final)
    g_error ("%s: it ends when it is %s, which is no end", sm->id, xf_sm_name (sm));
  xf_sm_abandon (sm);
}

void
xf_sm_abandon (XfSm *sm)
{
  g_clear_pointer (&sm->id, g_free);
}

static void
check (const XfSm *sm)
{
  if (sm->holds && !sm->holds (sm->state, sm->owner))
    g_error ("%s: it is %s without what that needs", sm->id, xf_sm_name (sm));
}

void
xf_sm_restore (XfSm *sm, guint state)
{
  g_assert (state < sm->n_states);
  sm->state = state;
  g_debug ("%s: found %s", sm->id, xf_sm_name (sm));
  check (sm);
}

gboolean
xf_sm_may_move (const XfSm *sm, guint state)
{
  return state < sm->n_states && (sm->table[sm->state].next & XF_SM_TO (state));
}

void
xf_sm_move (XfSm *sm, guint state)
{
  const char *from = xf_sm_name (sm);

  if (!xf_sm_may_move (sm, state))
    g_error ("%s: %s -> %s is not a move of this machine", sm->id, from,
             state < sm->n_states ? sm->table[state].name : "(no such state)");
  sm->state = state;
  g_debug ("%s: %s -> %s", sm->id, from, xf_sm_name (sm));
  check (sm);
  if (xf_sm_watcher)
    xf_sm_watcher (sm->id, from, xf_sm_name (sm));
}

const char *
xf_sm_name (const XfSm *sm)
{
  return sm->table[sm->state].name;
}
