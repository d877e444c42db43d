/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Prepare: all checks that are possible before a byte is sent, and the port or the tunnel for the data.
 */
#include "libxl/dest/private.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/secret.h"
#include "conf/cookie.h"
#include "conf/migrate_uri.h"
#include "libxl/guest/hook.h"
#include "libxl/convert/config.h"
#include "libxl/guest/definitions.h"

/* A result that was reported for a migration must stay true. */
static gboolean
check_id (const XfMigrateDest *dest, GError **error)
{
  g_autofree char *id = NULL;

  if (!xf_migrate_dest_find_id (dest->driver, dest->id)
      && !xf_journal_find (dest->driver->journal, XF_SIDE_DESTINATION, dest->id))
    return TRUE;
  id = xf_uuid_to_string (dest->id);
  g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
               "migration %s of domain '%s' has been prepared here before: begin a new one", id, dest->name);
  return FALSE;
}

static char *
make_secret (void)
{
  guint8 bytes[32];

  xf_secret_new (bytes, sizeof (bytes));
  return xf_hex_format (bytes, sizeof (bytes));
}

static gboolean
read_cookie (XfMigrateDest *dest, GBytes *bytes, gboolean tunnelled, GError **error)
{
  g_autoptr (GError) malformed = NULL;
  g_autoptr (XfCookie) cookie = xf_cookie_parse (bytes, &malformed);

  if (malformed) {
    g_propagate_error (error, g_steal_pointer (&malformed));
    return FALSE;
  }
  dest->from = g_strdup (cookie && cookie->hostname ? cookie->hostname : "an unnamed host");
  if (!xf_migrate_plan_choose (&dest->driver->config, cookie, tunnelled, &dest->plan, error))
    return FALSE;
  if (!cookie)
    return TRUE;
  if (!xf_uuid_equal (cookie->uuid, dest->def->uuid)) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "cookie and XML of domain '%s' name different uuids",
                 dest->name);
    return FALSE;
  }
  if (cookie->is_xenferry)
    dest->secret = make_secret ();
  dest->exact = g_steal_pointer (&cookie->config);
  dest->facts = cookie->facts ? g_hash_table_ref (cookie->facts) : NULL;
  memcpy (dest->id, cookie->id, XF_UUID_LENGTH);
  return check_id (dest, error);
}

/* A failure that is kept for a finish that was never called does not block the next attempt. */
static void
forget_failed (XfDriver *driver, const char *name)
{
  XfMigrateDest *old = xf_migrate_dest_find (driver, name);

  if (old && old->sm.state == FAILED)
    xf_migrate_dest_end (old, CANCELLED, NULL, NULL);
}

gboolean
xf_migrate_dest_read_request (XfMigrateDest *dest, const XfMigrateParams *params, GBytes *cookie, GError **error)
{
  if (!params->destination_xml) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "no domain XML was passed to prepare");
    return FALSE;
  }
  dest->def = xf_domain_def_parse (params->destination_xml, XF_DOMAIN_PARSE_INACTIVE, error);
  if (!dest->def)
    return FALSE;
  if (params->destination_name && !xf_domain_def_set_name (dest->def, params->destination_name, error))
    return FALSE;
  dest->name = g_strdup (dest->def->name);
  if (params->persistent_xml) {
    dest->persistent = xf_domain_def_parse (params->persistent_xml, XF_DOMAIN_PARSE_INACTIVE, error);
    if (!dest->persistent || !xf_domain_def_check_abi (dest->def, dest->persistent, error)) {
      g_prefix_error (error, "--persistent-xml of domain '%s': ", dest->name);
      return FALSE;
    }
    if (!xf_domain_def_set_name (dest->persistent, dest->name, error))
      return FALSE;
  }
  return read_cookie (dest, cookie, params->flags & VIR_MIGRATE_TUNNELLED, error);
}

gboolean
xf_migrate_dest_check_host (XfMigrateDest *dest, GError **error)
{
  return xf_config_from_def (dest->def, &dest->config, error)
         && (!dest->exact || xf_migrate_dest_use_exact (dest, error));
}

void
xf_migrate_dest_refuse (XfMigrateDest *dest)
{
  g_autoptr (GError) told = NULL;
  XfDone ready = g_steal_pointer (&dest->ready);

  /* The stream of a refused tunnel does not exist after the answer. */
  dest->tunnel_ops = NULL;
  told = dest->error ? g_error_copy (dest->error)
                     : xf_migrate_dest_error (dest, "prepare", XF_ERROR_ABORTED, "it was aborted");
  ready (told, dest->ready_data);
}

static void
fail (XfMigrateDest *dest, const GError *error)
{
  dest->error = xf_migrate_dest_error (dest, "prepare", error->code, error->message);
  xf_migrate_dest_roll_back (dest);
}

/* The source may send. */
static void
ready (XfMigrateDest *dest)
{
  XfDone done = g_steal_pointer (&dest->ready);

  xf_sm_move (&dest->sm, PREPARED);
  if (dest->tunnel_ops) {
    int fd = xf_steal_fd (&dest->fd);

    xf_migrate_dest_receive (dest, &fd, 1);
  }
  done (NULL, dest->ready_data);
}

static void
resources_prepared (const GError *error, gpointer data)
{
  XfMigrateDest *dest = data;

  if (error)
    fail (dest, error);
  else
    ready (dest);
}

static void
prepared_written (const GError *error, gpointer data)
{
  XfMigrateDest *dest = data;

  if (error) {
    fail (dest, error);
    return;
  }
  xf_sm_move (&dest->sm, PREPARING);
  xf_resources_run (dest->resources, XF_VERB_PREPARE, resources_prepared, dest);
}

/* Writes everything that is needed to continue after a restart. What the resources may have to give back is durable
 * before any of them is taken. */
static void
write_prepared (XfMigrateDest *dest)
{
  XfJournalEntry *entry = xf_journal_add (dest->driver->journal, XF_SIDE_DESTINATION, dest->id, dest->name,
                                          dest->def->uuid);

  dest->entry = entry;
  entry->use = XF_ENTRY_MIGRATES;
  entry->peer = g_strdup (dest->from);
  entry->secret = g_strdup (dest->secret);
  entry->xml = xf_domain_def_format (dest->def, XF_DOMAIN_FORMAT_SECURE, NULL);
  entry->resources = xf_resources_held (dest->resources);
  if (dest->persistent)
    entry->persistent_xml = xf_domain_def_format (dest->persistent, XF_DOMAIN_FORMAT_SECURE, NULL);
  xf_migrate_dest_write (dest, PREPARED, prepared_written);
}

static void
memory_is_there (const GError *error, gpointer data)
{
  XfMigrateDest *dest = data;

  if (error) {
    fail (dest, error);
    return;
  }
  xf_sm_move (&dest->sm, RECORDING);
  write_prepared (dest);
}

static void
checked (const GError *error, gpointer data)
{
  XfMigrateDest *dest = data;
  g_autoptr (GError) no_memory = NULL;

  if (error) {
    fail (dest, error);
    return;
  }
  dest->claim = xf_memory_claim_new (dest->driver, &dest->config, &no_memory);
  if (!dest->claim) {
    fail (dest, no_memory);
    return;
  }
  xf_sm_move (&dest->sm, RESERVING);
  xf_memory_claim_wait (dest->claim, memory_is_there, dest);
}

static void
filtered (const GError *error, gpointer data)
{
  XfMigrateDest *dest = data;
  gboolean offline = dest->params.flags & VIR_MIGRATE_OFFLINE;
  g_autoptr (GError) unclear = NULL;

  if (!error && offline) {
    ready (dest); /* nothing is sent, so nothing can be lost */
    return;
  }
  if (error || !xf_migrate_dest_find_resources (dest, NULL, &unclear)) {
    fail (dest, error ? error : unclear);
    return;
  }
  xf_sm_move (&dest->sm, CHECKING);
  xf_resources_run (dest->resources, XF_VERB_CHECK, checked, dest);
}

void
xf_migrate_dest_when_ready (XfMigrateDest *dest, XfDone done, gpointer data)
{
  dest->ready = done;
  dest->ready_data = data;
  if (xf_hook_exists (dest->driver))
    xf_migrate_dest_filter (dest, filtered);
  else
    filtered (NULL, dest);
}

gboolean
xf_migrate_dest_find_resources (XfMigrateDest *dest, const char *held, GError **error)
{
  g_autofree char *id = xf_uuid_to_string (dest->id);
  const XfResourceGuest guest = {
    .side = XF_SIDE_DESTINATION,
    .id = dest->sm.id ? id : NULL, /* not in a mere check */
    .peer = dest->from,
    .def = dest->def,
    .config = &dest->config,
    .flags = dest->params.flags,
    .domid = &dest->domid,
  };

  dest->resources = held ? xf_resources_new_held (dest->driver, &guest, held)
                         : xf_resources_new (dest->driver, &guest, error);
  if (dest->resources)
    xf_resources_take_facts (dest->resources, dest->facts);
  return dest->resources != NULL;
}

static void
unreserve (XfMigrateDest *dest)
{
  XfGuest *guest = g_steal_pointer (&dest->guest);

  xf_guest_set_incoming (guest, FALSE);
  xf_job_end (guest, NULL);
}

gboolean
xf_migrate_dest_may_reserve (XfMigrateDest *dest, GError **error)
{
  const XfMigrateDest *old = xf_migrate_dest_find (dest->driver, dest->name);

  if (!xf_definitions_allow (dest->driver, dest->name, dest->def->uuid, error))
    return FALSE;
  if (old && old->sm.state == FAILED) /* prepare forgets it */
    return TRUE;
  if (!xf_migrate_dest_reserve (dest, error))
    return FALSE;
  unreserve (dest);
  return TRUE;
}

static gboolean
reserve (XfMigrateDest *dest, GError **error)
{
  if (!xf_definitions_allow (dest->driver, dest->name, dest->def->uuid, error))
    return FALSE;
  forget_failed (dest->driver, dest->name);
  return xf_migrate_dest_reserve (dest, error);
}

/* The checks that need no waiting. Takes @params on success. */
static XfMigrateDest *
prepare (XfDriver *driver, gconstpointer client, XfMigrateParams *params, GBytes *cookie, GError **error)
{
  XfMigrateDest *dest = xf_migrate_dest_new (driver, client);

  xf_uuid_generate (dest->id); /* until the cookie supplies the source's */
  if (!xf_migrate_dest_read_request (dest, params, cookie, error)
      || (!(params->flags & VIR_MIGRATE_OFFLINE) && !xf_migrate_dest_check_host (dest, error))
      || !reserve (dest, error)) {
    g_prefix_error (error, "cannot receive the domain on host '%s': ", driver->hostname);
    xf_migrate_dest_free (dest);
    return NULL;
  }
  dest->params = *params;
  *params = (XfMigrateParams){ 0 };
  xf_migrate_dest_identify (dest);
  xf_secret_new (dest->token, sizeof (dest->token));
  xf_migrate_progress_init (&dest->progress, dest->def->memory_kib * 1024);
  xf_migrations_add_dest (driver, dest);
  xf_migrate_dest_arm (dest, driver->config.accept_timeout_s);
  g_info ("%s: prepared, from '%s'", dest->sm.id, dest->from);
  return dest;
}

/* Undoes a prepare whose last step failed. */
static void
unprepare (XfMigrateDest *dest)
{
  unreserve (dest);
  xf_migrate_dest_end (dest, CANCELLED, NULL, NULL);
}

/* ---- entry points ----------------------------------------------------------------------------------------- */

static gboolean
open_ctx (XfMigrateDest *dest, GError **error)
{
  dest->ctx = xf_ctx_new (dest->sm.id, error);
  return dest->ctx != NULL;
}

/* The address for the source's data: the client's, else the configuration's, else this host's name. */
static gboolean
choose_address (XfMigrateDest *dest, XfMigrateUri *uri_out, GError **error)
{
  const XfDriverConfig *config = &dest->driver->config;

  if (dest->params.migrate_uri)
    return xf_migrate_uri_parse (dest->params.migrate_uri, uri_out, error);
  *uri_out = (XfMigrateUri){ .host = g_strdup (config->migration_host ? config->migration_host
                                                                      : dest->driver->hostname) };
  return TRUE;
}

/* A source that sends tickets may use the shared port, unless the client names another one. */
static gboolean
shares_port (const XfMigrateDest *dest, const XfMigrateUri *uri)
{
  const XfDriverConfig *config = &dest->driver->config;

  return dest->plan.ticket && config->peer_port && config->one_port && !uri->port && !dest->params.listen_address;
}

XfMigrateDest *
xf_migrate_dest_prepare (XfDriver *driver, gconstpointer client, XfMigrateParams *params, GBytes *cookie,
                         char **uri_out, GError **error)
{
  XfMigrateDest *dest = prepare (driver, client, params, cookie, error);
  g_auto (XfMigrateUri) uri = { 0 };
  gboolean chosen;

  *uri_out = NULL;
  if (!dest)
    return NULL;
  chosen = choose_address (dest, &uri, error);
  if (chosen && dest->params.flags & VIR_MIGRATE_OFFLINE) {
    /* No data is sent there, but a client requires an address. */
    *uri_out = xf_migrate_uri_format (uri.host, uri.port ? uri.port : driver->config.migration_port_min);
    return dest;
  }
  if (chosen && open_ctx (dest, error) && shares_port (dest, &uri))
    dest->listener = xf_migrate_listener_new_shared (driver->door, driver->config.peer_port, dest->token,
                                                     xf_migrate_dest_accepted, dest);
  else if (dest->ctx)
    dest->listener = xf_migrate_listener_new (&driver->config, dest->params.listen_address, uri.port,
                                              dest->plan.ticket ? dest->token : NULL, xf_migrate_dest_accepted, dest,
                                              error);
  if (!dest->listener) {
    g_prefix_error (error, "cannot receive domain '%s' on host '%s': ", dest->name, driver->hostname);
    unprepare (dest);
    return NULL;
  }
  *uri_out = xf_migrate_uri_format (uri.host, xf_migrate_listener_port (dest->listener));
  return dest;
}

XfMigrateDest *
xf_migrate_dest_prepare_tunnel (XfDriver *driver, gconstpointer client, XfMigrateParams *params, GBytes *cookie,
                                const XfTunnelOps *ops, gpointer tunnel, int *fd_out, GError **error)
{
  XfMigrateDest *dest = prepare (driver, client, params, cookie, error);
  int fds[2] = { -1, -1 };

  if (!dest)
    return NULL;
  if (!open_ctx (dest, error) || !xf_pipe_new (fds, 1, error)) {
    unprepare (dest);
    return NULL;
  }
  dest->tunnel_ops = ops;
  dest->tunnel = tunnel;
  dest->fd = fds[0];
  *fd_out = fds[1];
  return dest;
}
