/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A driver for tests of the RPC side: driver.h with two guests in memory, "g1" (running, domid 1) and "g2" (defined).
 * It records its calls, and completes asynchronous ones when the test releases them.
 */
#pragma once

#include "driver.h"

struct XfDriver {
  XfDomainRef guests[2];
  XfEventFunc listener;
  gpointer listener_data;
  GString *log; /* one word per call, in order */
  gconstpointer gone;
  GError *fail;   /* the error of each call that can fail */
  guint findings; /* of each check: every second one blocks; their texts are longer than the wire's */
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

/* Answers the held calls, the last first, so replies are out of order. */
void fake_driver_release (XfDriver *driver);

void fake_driver_emit (XfDriver *driver, guint guest, int id, int event, int detail);
