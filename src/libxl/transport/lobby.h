/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * New connections whose first bytes do not identify them yet, at the shared port and at a migration's own port. Each
 * may wait for a bounded time, and an address may have a bounded number of them; when all places are taken,
 * base/crowd.h chooses the connection to close. A peer that sends too few bytes costs an occasional check, never a
 * busy loop.
 */
#pragma once

#include "base/crowd.h"

typedef struct XfLobby XfLobby;

/* The maximum of bytes that are examined. */
#define XF_LOBBY_BYTES 64

typedef struct {
  XfCrowdLimits crowd;
  guint first_bytes; /* the minimum of bytes to identify a connection */
  guint stay_ms;
} XfLobbyLimits;

/* The number of bytes needed to identify a connection whose first @n bytes are @start. If that is more than @n, the
 * rest is waited for; otherwise taken() gets the connection. 0: unknown; the connection is closed. */
typedef guint (*XfLobbyNeed) (const guint8 *start, gsize n, gpointer data);

/* @fd, non-blocking, is owned by the callee. Nothing has been read from it. The callee may free the lobby. */
typedef void (*XfLobbyTaken) (int fd, const guint8 *start, gsize n, gpointer data);

XfLobby *xf_lobby_new (const XfLobbyLimits *limits, XfLobbyNeed need, XfLobbyTaken taken, gpointer data);

/* Closes all waiting connections. */
void xf_lobby_free (XfLobby *lobby);

/* Takes @fd, which is non-blocking. */
void xf_lobby_enter (XfLobby *lobby, int fd);
