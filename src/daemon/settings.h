/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a person may set in xenferryd.conf: one table of keys with type, bounds and default. A key that is not in the
 * table, or a value out of its bounds, is refused with file, line and name: a misspelt setting must not be a silent
 * default. docs/xenferryd.conf.5.md describes every key.
 */
#pragma once

#include <glib.h>

#include "driver.h"

/* Everything is owned by the struct. */
typedef struct {
  char *log_level;

  char *socket_dir;
  char *unix_sock; /* never NULL after loading */
  char *unix_sock_ro;
  gboolean legacy_sockets;
  gboolean listen_tcp;
  char *tcp_address; /* NULL: all */
  guint tcp_port;    /* 0: any free one, which the log tells */
  char *auth_tcp;
  guint max_clients; /* of each kind of socket: private, read-only, TCP */
  guint max_clients_per_user, max_clients_per_address;
  guint open_timeout; /* seconds */

  guint keepalive_interval; /* seconds, 0: no pings of our own */
  guint keepalive_count;

  XfDriverConfig driver;
} XfSettings;

/* @path NULL: the default file, which may be absent; a named file must be there. */
XfSettings *xf_settings_load (const char *path, GError **error);

/* As a file of that text; @name is only for messages. */
XfSettings *xf_settings_parse (const char *text, const char *name, GError **error);

/* Takes over from @fresh, the file as it is now, what can change in a daemon that runs; logs what has changed and waits
 * for the next start. */
void xf_settings_reload (XfSettings *settings, const XfSettings *fresh);

void xf_settings_free (XfSettings *settings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfSettings, xf_settings_free)
