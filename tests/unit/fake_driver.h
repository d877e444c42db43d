/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A driver for tests of the RPC side: driver.h with two guests in memory, "g1" (running, domid 1) and "g2" (defined).
 * It records what it was asked, and answers its asynchronous calls when the test says so.
 */
#pragma once

#include "driver.h"

struct XfDriver {
  XfDomainRef guests[2];
  XfEventFunc listener;
  gpointer listener_data;
  GString *log; /* one word a call, in order */
  gconstpointer gone;
  GError *fail;   /* what every call that can fail answers */
  int console_fd; /* handed out by open_console */
  gboolean hold;  /* asynchronous calls wait for fake_driver_release() */
  GQueue held;

  /* the last migration call */
  XfTypedParams *params;
  GBytes *cookie;
  guint flags;
  const XfTunnelOps *tunnel_ops;
  gpointer tunnel;
  int tunnel_fd; /* read end */
};

XfDriver *fake_driver_new (void);
void fake_driver_free (XfDriver *driver);

/* Answers what is held, last first: replies come out of order. */
void fake_driver_release (XfDriver *driver);

void fake_driver_emit (XfDriver *driver, guint guest, int id, int event, int detail);
