/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A transport through a pump: libxl writes into a pipe, and the pump converts the data as agreed and writes it into
 * the descriptors of other transports: several connections, or a tunnel. When libxl has written everything, first the
 * pump and then those transports must have passed all of it on.
 */
#include "libxl/transport/transport.h"

#include <unistd.h>

#include "base/fd.h"
#include "libxl/transport/pump.h"

typedef struct Packed Packed;

typedef struct {
  Packed *packed;
  XfMigrateTransport *transport;
  int fd; /* its own; -1: not open yet */
} Way;

struct Packed {
  XfMigrateTransport base;
  const XfDriverConfig *settings;
  XfPumpJob job; /* the pump's task; the transport owns its texts */
  char *compress, *tls, *tls_name;
  guint8 *id;
  GArray *ways; /* of Way */
  guint n_open, n_drained;
  XfPump *pump;
  int fd; /* libxl's end of the pipe, closed here; -1: none */
  gboolean over;
};

static void
break_down (Packed *packed, const GError *error)
{
  XfMigrateTransportEvents *events = &packed->base.events;

  if (packed->over)
    return;
  packed->over = TRUE;
  if (packed->fd < 0 && !packed->pump)
    events->opened (-1, error, packed->base.data);
  else
    events->drained (error, packed->base.data);
}

static void
pump_ended (const GError *error, gpointer data)
{
  Packed *packed = data;

  if (error) {
    break_down (packed, error);
    return;
  }
  for (guint i = 0; i < packed->ways->len && !packed->over; i++) {
    XfMigrateTransport *transport = g_array_index (packed->ways, Way, i).transport;

    transport->ops->finish_writing (transport);
  }
}

static void
start (Packed *packed)
{
  g_autoptr (GArray) fds = g_array_new (FALSE, FALSE, sizeof (int));
  g_autoptr (GError) error = NULL;
  xf_autofd in = -1;
  int pair[2];

  for (guint i = 0; i < packed->ways->len; i++)
    g_array_append_val (fds, g_array_index (packed->ways, Way, i).fd);
  if (!xf_pipe_new (pair, -1, &error)) {
    break_down (packed, error);
    return;
  }
  in = pair[0];
  packed->job.in = &in;
  packed->job.n_in = 1;
  packed->job.out = (const int *)(gpointer)fds->data;
  packed->job.n_out = fds->len;
  packed->pump = xf_pump_new (packed->settings, &packed->job, pump_ended, packed, &error);
  if (!packed->pump) {
    xf_clear_fd (&pair[1]);
    break_down (packed, error);
    return;
  }
  packed->fd = pair[1];
  packed->base.events.opened (packed->fd, NULL, packed->base.data);
}

static void
way_opened (int fd, const GError *error, gpointer data)
{
  Way *way = data;
  Packed *packed = way->packed;

  if (error) {
    break_down (packed, error);
    return;
  }
  way->fd = fd;
  if (++packed->n_open == packed->ways->len && !packed->over)
    start (packed);
}

static void
way_drained (const GError *error, gpointer data)
{
  Way *way = data;
  Packed *packed = way->packed;

  if (error) {
    break_down (packed, error);
    return;
  }
  if (++packed->n_drained == packed->ways->len && !packed->over) {
    packed->over = TRUE;
    packed->base.events.drained (NULL, packed->base.data);
  }
}

/* ---- the transport ---------------------------------------------------------------------------------------- */

static void
packed_open (XfMigrateTransport *transport)
{
  Packed *packed = (Packed *)transport;

  for (guint i = 0; i < packed->ways->len; i++) {
    Way *way = &g_array_index (packed->ways, Way, i);

    way->transport->events = (XfMigrateTransportEvents){ .opened = way_opened, .drained = way_drained };
    way->transport->data = way;
    way->transport->ops->open (way->transport);
  }
}

static void
packed_finish_writing (XfMigrateTransport *transport)
{
  /* End of file for the pump, as libxl's helper has closed its own copy. */
  xf_clear_fd (&((Packed *)transport)->fd);
}

static void
packed_abort (XfMigrateTransport *transport)
{
  Packed *packed = (Packed *)transport;

  packed->over = TRUE;
  /* The other end of the pipe is closed with the pump, so that libxl's helper fails. libxl uses this end until it
   * reports that it has ended. */
  g_clear_pointer (&packed->pump, xf_pump_free);
  for (guint i = 0; i < packed->ways->len; i++) {
    XfMigrateTransport *way = g_array_index (packed->ways, Way, i).transport;

    way->ops->abort (way);
  }
}

static void
packed_set_rate (XfMigrateTransport *transport, guint64 bytes_per_s)
{
  Packed *packed = (Packed *)transport;

  packed->job.rate = bytes_per_s;
  if (packed->pump)
    xf_pump_set_rate (packed->pump, bytes_per_s);
}

static guint64
packed_sent (XfMigrateTransport *transport)
{
  Packed *packed = (Packed *)transport;

  return packed->pump ? xf_pump_bytes_out (packed->pump) : 0;
}

static guint64
packed_content (XfMigrateTransport *transport)
{
  Packed *packed = (Packed *)transport;

  return packed->pump ? xf_pump_bytes_in (packed->pump) : 0;
}

static GError *
packed_reason (XfMigrateTransport *transport)
{
  Packed *packed = (Packed *)transport;

  return packed->pump ? xf_pump_reason (packed->pump) : NULL;
}

static void
packed_free (XfMigrateTransport *transport)
{
  Packed *packed = (Packed *)transport;

  packed_abort (transport);
  xf_clear_fd (&packed->fd);
  for (guint i = 0; i < packed->ways->len; i++)
    xf_migrate_transport_free (g_array_index (packed->ways, Way, i).transport);
  g_array_unref (packed->ways);
  g_free (packed->compress);
  g_free (packed->tls);
  g_free (packed->tls_name);
  g_free (packed->id);
  g_free (packed);
}

static const XfMigrateTransportOps packed_ops = {
  .name = "packed",
  .open = packed_open,
  .finish_writing = packed_finish_writing,
  .abort = packed_abort,
  .set_rate = packed_set_rate,
  .sent = packed_sent,
  .content = packed_content,
  .reason = packed_reason,
  .free = packed_free,
};

XfMigrateTransport *
xf_migrate_packed_new (const XfDriverConfig *settings, const XfPumpJob *job, GPtrArray *transports)
{
  Packed *packed = g_new0 (Packed, 1);

  packed->base.ops = &packed_ops;
  packed->settings = settings;
  packed->fd = -1;
  packed->job = *job;
  packed->job.compress = packed->compress = g_strdup (job->compress);
  packed->job.tls = packed->tls = g_strdup (job->tls);
  packed->job.tls_name = packed->tls_name = g_strdup (job->tls_name);
  packed->job.id = packed->id = g_memdup2 (job->id, XF_UUID_LENGTH);
  packed->ways = g_array_new (FALSE, FALSE, sizeof (Way));
  for (guint i = 0; i < transports->len; i++) {
    Way way = { packed, transports->pdata[i], -1 };

    g_array_append_val (packed->ways, way);
  }
  return &packed->base;
}
