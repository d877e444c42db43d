/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The driver's hold on one xenferry-pump: the unprivileged process that does to a migration's bytes whatever must be
 * done to them. On the destination it stands between a peer's bytes and libxl's restore code, which runs as root, and
 * is started before a byte is read; on the source between libxl and the wire, when frames, compression, encryption or
 * several connections were agreed upon (migrate/plan.h). Its death is a failed migration: what it has not ended has no
 * END, and never looks whole to whoever reads it.
 */
#pragma once

#include <libxl.h>

#include "driver.h"

typedef struct XfPump XfPump;

/* What it is to do. Descriptors stay the caller's, who may close them when the pump is there. */
typedef struct {
  const int *in, *out;
  guint n_in, n_out;
  gboolean pack, unpack;            /* frames go out; come in */
  const char *compress;             /* pack: "none", "zstd", "auto" */
  guint level;                      /* zstd's; 0: its own choice */
  const guint8 *id;                 /* pack, unpack: the migration's */
  const char *tls;                  /* "client", "server", NULL */
  const char *tls_name;             /* client: the name in the server's certificate */
  guint64 rate;                     /* bytes/s that go out; 0: no limit */
  const libxl_domain_config *guest; /* whose stream it is: the guard's limits; NULL: no guard */
} XfPumpJob;

/* Starts one. @ended, which may be NULL, is called once, from the loop: NULL when the stream is complete, or why it is
 * not. */
XfPump *xf_pump_new (const XfDriverConfig *settings, const XfPumpJob *job, XfDone ended, gpointer data, GError **error);

/* As far as it has told: once in half a second. */
guint64 xf_pump_bytes_in (const XfPump *pump);
guint64 xf_pump_bytes_out (const XfPump *pump);

void xf_pump_set_rate (XfPump *pump, guint64 bytes_per_s);

/* When its output has ended: why, or NULL when it found nothing wrong. */
GError *xf_pump_reason (XfPump *pump);

/* The process ends, if it has not; nothing is called any more. */
void xf_pump_free (XfPump *pump);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfPump, xf_pump_free)
