/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The way that a guest's data takes: what the destination has chosen of what we offered, put together out of
 * transports.
 */
#include "libxl/source/private.h"

#include <string.h>

#include "base/error.h"
#include "base/secret.h"
#include "libxl/migrate/plan.h"

#define CONNECTIONS 2 /* of --parallel without a number */

static void
add_connections (const XfMigrateSource *source, const XfMigratePlan *plan, const XfCookie *answer, const char *host,
                 guint port, GPtrArray *transports)
{
  guint n = plan->parallel ? (guint)source->params.connections : 1;
  XfTicket ticket = { .count = (guint16)(n ? n : CONNECTIONS) };
  guint timeout_s = source->driver->config.connect_timeout_s;

  if (plan->ticket)
    (void)xf_hex_parse (answer->token, ticket.token, sizeof (ticket.token));
  for (; ticket.index < ticket.count; ticket.index++)
    g_ptr_array_add (
      transports, xf_migrate_direct_new (source->driver->door, host, port, timeout_s, plan->ticket ? &ticket : NULL));
}

static XfMigrateTransport *
pack (const XfMigrateSource *source, const XfMigratePlan *plan, const char *host, GPtrArray *transports)
{
  const XfMigrateParams *params = &source->params;
  const XfPumpJob job = {
    .pack = TRUE,
    .compress = !plan->zstd           ? "none"
                : params->compression ? params->compression
                                      : "auto",
    .level = (guint)params->zstd_level,
    .id = source->cookie->id,
    .tls = plan->tls ? "client" : NULL,
    .tls_name = params->tls_destination ? params->tls_destination : host,
    .rate = params->bandwidth_mib * 1024 * 1024,
  };

  return xf_migrate_packed_new (&source->driver->config, &job, transports);
}

XfMigrateTransport *
xf_migrate_source_way (XfMigrateSource *source, const XfCookie *answer, const char *host, guint port, XfPeer *tunnel,
                       GError **error)
{
  g_autoptr (GPtrArray) transports = g_ptr_array_new ();
  guint8 token[XF_TICKET_TOKEN];
  XfMigratePlan plan;

  if (!xf_migrate_plan_accept (source->cookie, answer, &plan, error))
    return NULL;
  if (plan.ticket && !xf_hex_parse (answer->token, token, sizeof (token))) {
    g_set_error (error, XF_ERROR, XF_ERROR_INTERNAL, "the destination's cookie has no ticket for the data");
    return NULL;
  }
  if (tunnel)
    g_ptr_array_add (transports, xf_migrate_tunnel_new (source->driver->peers, tunnel));
  else
    add_connections (source, &plan, answer, host, port, transports);
  g_info ("%s: the data goes %s%s%s%s", source->sm.id, plan.frames ? "in frames" : "as it is",
          plan.zstd ? ", compressed" : "", plan.tls ? ", encrypted" : "",
          plan.parallel ? ", on several connections" : "");
  return plan.frames ? pack (source, &plan, host, transports) : transports->pdata[0];
}
