/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The settings of xenferryd.conf: one table of keys with type, bounds and default. A key that is not in the table, or a
 * value out of its bounds, is an error with file, line and name, so that a misspelt key never means its default.
 * docs/xenferryd.conf.5.md describes every key.
 */
#pragma once

#include <glib.h>

#include "driver.h"

/* The struct owns all strings. */
typedef struct {
  char *log_level;

  char *socket_dir;
  char *unix_sock; /* never NULL after loading */
  char *unix_sock_ro;
  gboolean legacy_sockets;
  gboolean listen_tcp;
  char *tcp_address; /* NULL: all */
  guint tcp_port;    /* 0: any free port; the log says which */
  char *auth_tcp;
  guint max_clients; /* for each kind of socket: private, read-only, TCP */
  guint max_clients_per_user, max_clients_per_address;
  guint open_timeout; /* seconds */

  guint keepalive_interval; /* seconds, 0: send no requests */
  guint keepalive_count;

  XfDriverConfig driver;
} XfSettings;

/* @path NULL: the default file, which may be absent; a named file must exist. */
XfSettings *xf_settings_load (const char *path, GError **error);

/* Like a file with that text; @name is only for messages. */
XfSettings *xf_settings_parse (const char *text, const char *name, GError **error);

/* Applies the settings of @fresh, the current file, that can change while the daemon runs; logs which changed settings
 * need a restart. */
void xf_settings_reload (XfSettings *settings, const XfSettings *fresh);

void xf_settings_free (XfSettings *settings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfSettings, xf_settings_free)
