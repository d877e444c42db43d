/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The driver's interface to one xenferry-pump, the unprivileged process that checks and converts a migration's bytes.
 * On the destination it is between the peer and libxl's restore code, which runs as root, and is started before a
 * byte is read; on the source it is between libxl and the network, if frames, compression, encryption or several
 * connections were agreed upon (migrate/plan.h). If it dies the migration fails: data without an END frame never
 * looks complete to its reader.
 */
#pragma once

#include <libxl.h>

#include "driver.h"

typedef struct XfPump XfPump;

/* The pump's task. The caller owns the descriptors, and may close them once the pump is started. */
typedef struct {
  const int *in, *out;
  guint n_in, n_out;
  gboolean pack, unpack;            /* writes frames; reads frames */
  const char *compress;             /* pack: "none", "zstd", "auto" */
  guint level;                      /* zstd's; 0: its own choice */
  const guint8 *id;                 /* pack, unpack: the migration's id */
  const char *tls;                  /* "client", "server", NULL */
  const char *tls_name;             /* client: the name in the server's certificate */
  guint64 rate;                     /* limit of the output in bytes/s; 0: none */
  const libxl_domain_config *guest; /* the guest of the stream: the guard's limits; NULL: no guard */
} XfPumpJob;

/* Starts a pump. @ended (may be NULL) is called once, from the loop: with NULL if the stream is complete, else with
 * the reason why it is not. */
XfPump *xf_pump_new (const XfDriverConfig *settings, const XfPumpJob *job, XfDone ended, gpointer data, GError **error);

/* As last reported by the pump, every half second. */
guint64 xf_pump_bytes_in (const XfPump *pump);
guint64 xf_pump_bytes_out (const XfPump *pump);

void xf_pump_set_rate (XfPump *pump, guint64 bytes_per_s);

/* The reason why its output has ended, or NULL if it found no error. */
GError *xf_pump_reason (XfPump *pump);

/* Ends the process if it runs; calls nothing afterwards. */
void xf_pump_free (XfPump *pump);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfPump, xf_pump_free)
