/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where connections stand that have just come, until their first bytes show who they are: at the shared port and at a
 * migration's own. Each stands there for a bounded time; an address has a bounded number of places; and when all are
 * taken the crowd's rule says who leaves (base/crowd.h). Whoever sends less than is needed costs a look now and then,
 * never a loop that turns.
 */
#pragma once

#include "base/crowd.h"

typedef struct XfLobby XfLobby;

/* No more is looked at. */
#define XF_LOBBY_BYTES 64

typedef struct {
  XfCrowdLimits crowd;
  guint first_bytes; /* nothing can be said before so many are there */
  guint stay_ms;
} XfLobbyLimits;

/* How many bytes it takes to know who it is, of whom the first @n are @start: more than @n, they are waited for; else
 * it is known, and taken() has it. 0: a stranger, whose connection is closed. */
typedef guint (*XfLobbyNeed) (const guint8 *start, gsize n, gpointer data);

/* @fd, non-blocking, is the callee's. Nothing has been read from it. The lobby may be freed within. */
typedef void (*XfLobbyTaken) (int fd, const guint8 *start, gsize n, gpointer data);

XfLobby *xf_lobby_new (const XfLobbyLimits *limits, XfLobbyNeed need, XfLobbyTaken taken, gpointer data);

/* Closes whoever stands there. */
void xf_lobby_free (XfLobby *lobby);

/* Takes @fd, which does not block. */
void xf_lobby_enter (XfLobby *lobby, int fd);
