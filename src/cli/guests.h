/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The guests of a daemon, as commands see them: through libvirt's own calls.
 */
#pragma once

#include "cli/connection.h"
#include "procs.h"

typedef struct {
  char *name;
  guint8 uuid[16];
  int id;
  int state;          /* virDomainState */
  guint64 memory_kib; /* the largest amount that it may use */
  guint64 cpu_time_ns;
  double busy; /* processors that it used while it was measured; 0 if it was not */
  gboolean persistent, autostart;
} XfGuestFacts;

void xf_guests_free_facts (gpointer facts);

/* Borrows the name. */
xf_domain xf_guests_dom (const XfGuestFacts *facts);

/* The guest that @word names: by its id, its uuid or its name, in this order, as in virsh. Only name, uuid and id are
 * set. */
XfGuestFacts *xf_guests_look_up (XfConnection *connection, const char *word, GError **error);

/* Array of XfGuestFacts: the active guests, without the host's own domain. */
GPtrArray *xf_guests_running (XfConnection *connection, GError **error);

/* Sets @busy of all of @guests, within a second. A guest that has ended meanwhile keeps 0. */
gboolean xf_guests_measure (XfConnection *connection, GPtrArray *guests, GError **error);

/* "running", "paused", ... */
const char *xf_guests_state_name (int state);
