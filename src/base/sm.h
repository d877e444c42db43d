/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A checked state machine: a table of states, each with its name and the set of states it may move to. Every move
 * is checked and logged ("migration 6f1c source: begun -> sending"), so a migration reads as one trace. A move that
 * the table does not allow is a broken invariant of our own, never caused by a peer, and ends the process with the two
 * names.
 */
#pragma once

#include <glib.h>

#define XF_SM_TO(state) (1u << (state))

typedef struct {
  const char *name;
  guint32 next; /* XF_SM_TO() of every state that may follow */
  gboolean final;
} XfSmState;

/* TRUE when the owner has everything that the state needs. */
typedef gboolean (*XfSmInvariant) (guint state, gconstpointer owner);

typedef struct {
  const XfSmState *table; /* indexed by state; static */
  guint n_states;
  guint state;
  char *id; /* names the machine's owner, for the log */
  XfSmInvariant holds;
  gconstpointer owner;
} XfSm;

/* Sets @sm to state 0. @table is kept; @id is copied. */
void xf_sm_init (XfSm *sm, const XfSmState *table, guint n_states, const char *id);

/* Calls @holds after every move; if it is FALSE, the process ends with the state's name. */
void xf_sm_guard (XfSm *sm, XfSmInvariant holds, gconstpointer owner);

/* Frees the machine with its owner: in a final state, or before the first move, or never initialised. */
void xf_sm_clear (XfSm *sm);

/* The same in any state: the journal keeps the state for the next daemon. */
void xf_sm_abandon (XfSm *sm);

/* Puts @sm, just initialised, into the state that a journal says it had. */
void xf_sm_restore (XfSm *sm, guint state);

/* Moves to @state; the table must allow it. Tests may observe it (base/watch.h). */
void xf_sm_move (XfSm *sm, guint state);

gboolean xf_sm_may_move (const XfSm *sm, guint state);
const char *xf_sm_name (const XfSm *sm);
