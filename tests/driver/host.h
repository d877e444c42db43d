/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A simulated host with a driver in the test's own process: a directory of its own, calls that run the loop until they
 * are answered, and the events in their order.
 */
#pragma once

#include "driver.h"
#include "libxl/guest/guest.h"
#include "sim/host.h"

typedef struct {
  char *dir;
  XfDriverConfig config;
  const XfPeerOps *peers; /* of the next driver; NULL: none */
  gpointer peers_data;
  XfDriver *driver;
  GString *events; /* "g started 0; g stopped 1; " */
} Host;

/* One host at a time: an environment variable names the simulator's host. */
Host *host_new (void);
void host_free (Host *host);

/* Ends the driver as if the daemon were killed, without acting on its guests, and starts another on the same host. */
void host_restart_driver (Host *host);
void host_stop_driver (Host *host);
void host_start_driver (Host *host);

/* Writes a file below the host's directory, whose sys/ is its sysfs and scripts/ has Xen's scripts. */
void host_write_file (Host *host, const char *path, const char *text);

/* Replaces the simulator's control file. */
void host_set_control (Host *host, const char *text);

/* The XML of a small PVH guest, whose kernel is a file that exists; @inside: more elements. */
char *host_xml (const char *name, const guint8 *uuid, const char *inside);

/* Defines a guest and returns its uuid, which the caller frees. */
guint8 *host_define (Host *host, const char *name, const char *inside);

typedef void (*HostCall) (XfDriver *driver, const guint8 *uuid, XfDone done, gpointer data);

/* Calls and waits for the answer. */
gboolean host_start (Host *host, const guint8 *uuid, guint flags, GError **error);
gboolean host_create (Host *host, const char *xml, guint flags, GError **error);
gboolean host_destroy (Host *host, const guint8 *uuid, GError **error);
gboolean host_shutdown (Host *host, const guint8 *uuid, GError **error);
gboolean host_call (Host *host, HostCall call, const guint8 *uuid, GError **error);

/* An act of the guest itself. */
void host_ask (Host *host, const char *name, SimAsk ask);

/* The same; returns when Xen shows @state. The loop does not run until then. */
void host_ask_until (Host *host, const char *name, SimAsk ask, SimState state);

/* The number of domains on the host, whether the driver knows them or not. */
guint host_count_domains (Host *host);

int host_state (Host *host, const guint8 *uuid, int *reason_out);
guint host_count_listed (Host *host, guint flags);

/* Returns the events so far and clears them. */
char *host_take_events (Host *host);

gint64 host_wait_begin (void);
void host_wait_step (gint64 end, const char *what);

/* Runs the loop until @condition holds; fails after ten seconds. */
#define host_wait(condition)                                                                                           \
  for (gint64 wait_end = host_wait_begin (); !(condition);)                                                            \
  host_wait_step (wait_end, #condition)

/* Runs the loop for a while, to show that something does not happen. */
void host_idle (guint ms);
