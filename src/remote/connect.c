/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Calls about the connection and the host. This file answers for the RPC layer (authentication, its own features, the
 * libvirt version of the protocol); the driver answers the rest.
 */
#include <libvirt/libvirt.h>
#include <string.h>

#include "conf/migrate_uri.h"
#include "remote/reply.h"

/* The protocol is that of libvirt 9.0.0. */
#define SPOKEN_VERSION 9000000
#define OUR_URI "xen:///system"

/* Features of the RPC layer (docs/wire.md, Features). */
enum {
  FEATURE_TYPED_PARAM_STRING = 9,
  FEATURE_KEEPALIVE = 10,
  FEATURE_EVENT_CALLBACK = 14,
  FEATURE_CLOSE_CALLBACK = 15,
};

void
xf_handle_AUTH_LIST (XfCall *call, const xf_void *arguments, XfRemoteClient *client)
{
  int none = 0;
  xf_auth_ret ret = { .types = { 1, &none } };

  if (client->rights.authenticated)
    xf_call_reply (call, &ret);
  else
    xf_reply_refuse (call, XF_ERROR_AUTH_FAILED, "only root may use this socket; the read-only one is for everybody");
}

/* The client has already removed transport and host: the rest names the driver and the path. */
static gboolean
check_name (const char *name, GError **error)
{
  g_auto (XfConnectUri) uri = { 0 };

  if (!name || !*name)
    return TRUE;
  if (!xf_connect_uri_parse (name, &uri, error))
    return FALSE;
  if (g_strcmp0 (uri.driver, "xen") != 0) {
    g_set_error (error, XF_ERROR, XF_ERROR_NO_CONNECT, "no connection driver available for %s: this daemon serves %s",
                 name, OUR_URI);
    return FALSE;
  }
  if (!uri.path || !*uri.path || g_str_equal (uri.path, "/") || g_str_equal (uri.path, "/system"))
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_INTERNAL, "unexpected Xen URI path '%s', try %s", uri.path, OUR_URI);
  return FALSE;
}

void
xf_handle_CONNECT_OPEN (XfCall *call, const xf_opt_string_flags_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;

  if (client->rights.open) {
    xf_reply_refuse (call, XF_ERROR_INTERNAL, "connection already open");
    return;
  }
  if (!check_name (arguments->value ? *arguments->value : NULL, &error)) {
    xf_reply_error (call, error);
    return;
  }
  client->rights.open = TRUE;
  /* Other bits concern only the client library (session, autostart of a daemon). */
  if (arguments->flags & VIR_CONNECT_RO)
    client->rights.read_only = TRUE;
  xf_admission_opened (client);
  xf_reply_void (call);
}

void
xf_handle_CONNECT_CLOSE (XfCall *call, const xf_void *arguments, XfRemoteClient *client)
{
  xf_reply_void (call);
  xf_conn_close_after_write (client->conn);
}

void
xf_handle_CONNECT_SUPPORTS_FEATURE (XfCall *call, const xf_int_args *arguments, XfRemoteClient *client)
{
  const XfRemoteConfig *config = &client->remote->config;

  switch (arguments->value) {
  case FEATURE_KEEPALIVE:
    /* The client knows keepalive: only from now on may requests be sent to it. */
    xf_conn_set_keepalive (client->conn, config->keepalive_interval_s, config->keepalive_count);
    xf_reply_int (call, 1);
    break;
  case FEATURE_TYPED_PARAM_STRING:
  case FEATURE_EVENT_CALLBACK:
  case FEATURE_CLOSE_CALLBACK:
    xf_reply_int (call, 1);
    break;
  default:
    xf_reply_int (call, xf_driver_supports_feature (xf_driver_of (client), arguments->value) ? 1 : 0);
    break;
  }
}

void
xf_handle_CONNECT_GET_TYPE (XfCall *call, const xf_void *arguments, XfRemoteClient *client)
{
  xf_reply_string (call, "Xen");
}

void
xf_handle_CONNECT_GET_URI (XfCall *call, const xf_void *arguments, XfRemoteClient *client)
{
  xf_reply_string (call, OUR_URI);
}

void
xf_handle_CONNECT_GET_VERSION (XfCall *call, const xf_void *arguments, XfRemoteClient *client)
{
  xf_reply_u64 (call, xf_driver_xen_version (xf_driver_of (client)));
}

void
xf_handle_CONNECT_GET_LIB_VERSION (XfCall *call, const xf_void *arguments, XfRemoteClient *client)
{
  xf_reply_u64 (call, SPOKEN_VERSION);
}

void
xf_handle_CONNECT_GET_HOSTNAME (XfCall *call, const xf_void *arguments, XfRemoteClient *client)
{
  xf_reply_string (call, xf_driver_hostname (xf_driver_of (client)));
}

void
xf_handle_GET_CPU_FEATURES (XfCall *call, const xf_void *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *features = xf_driver_cpu_features (xf_driver_of (client), &error);

  if (features)
    xf_reply_string (call, features);
  else
    xf_reply_error (call, error);
}

void
xf_handle_CONNECT_GET_MAX_VCPUS (XfCall *call, const xf_opt_string_args *arguments, XfRemoteClient *client)
{
  xf_reply_int (call, xf_driver_max_vcpus (xf_driver_of (client), arguments->value ? *arguments->value : NULL));
}

void
xf_handle_CONNECT_GET_CAPABILITIES (XfCall *call, const xf_void *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *xml = xf_driver_capabilities (xf_driver_of (client), &error);

  xf_reply_string_or (call, xml, error);
}

static const char *
optional (const xf_opt_string value)
{
  return value ? *value : NULL;
}

void
xf_handle_CONNECT_GET_DOMAIN_CAPABILITIES (XfCall *call, const xf_domcaps_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *xml = xf_driver_domain_capabilities (xf_driver_of (client), optional (arguments->emulator),
                                                        optional (arguments->arch), optional (arguments->machine),
                                                        optional (arguments->virttype), arguments->flags, &error);

  xf_reply_string_or (call, xml, error);
}

void
xf_handle_NODE_GET_INFO (XfCall *call, const xf_void *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;
  XfNodeInfo info = { 0 };
  xf_node_info_ret ret = { 0 };

  if (!xf_driver_node_info (xf_driver_of (client), &info, &error)) {
    xf_reply_error (call, error);
    return;
  }
  for (guint i = 0; i < G_N_ELEMENTS (ret.model) && i + 1 < sizeof (info.model) && info.model[i]; i++)
    ret.model[i] = (guchar)info.model[i];
  ret.memory = info.memory_kib;
  ret.cpus = info.cpus;
  ret.mhz = info.mhz;
  ret.nodes = info.nodes;
  ret.sockets = info.sockets;
  ret.cores = info.cores;
  ret.threads = info.threads;
  xf_call_reply (call, &ret);
}

void
xf_handle_NODE_GET_FREE_MEMORY (XfCall *call, const xf_void *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;
  guint64 bytes = 0;

  xf_driver_free_memory (xf_driver_of (client), &bytes, &error);
  xf_reply_u64_or (call, bytes, error);
}

void
xf_handle_NODE_GET_CELLS_FREE_MEMORY (XfCall *call, const xf_two_ints_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) cells = NULL;
  xf_cells_ret ret;

  if (arguments->first < 0 || arguments->second < 1 || arguments->second > XF_CELLS_MAX) {
    xf_reply_refuse (call, XF_ERROR_INVALID_ARG, "cells %d to +%d are not a range of NUMA cells", arguments->first,
                     arguments->second);
    return;
  }
  cells = xf_driver_cells_free_memory (xf_driver_of (client), arguments->first, arguments->second, &error);
  if (!cells) {
    xf_reply_error (call, error);
    return;
  }
  ret.cells.cells_len = cells->len;
  ret.cells.cells_val = (gpointer)cells->data;
  xf_call_reply (call, &ret);
}

/* One NUL each: no security model, as libvirt's libxl driver answers. */
void
xf_handle_NODE_GET_SECURITY_MODEL (XfCall *call, const xf_void *arguments, XfRemoteClient *client)
{
  int nul = 0;
  xf_security_ret ret = { .model = { 1, &nul }, .doi = { 1, &nul } };

  xf_call_reply (call, &ret);
}

/* The message for these would report that the hypervisor has ended without the daemon. Xen ends only with the host, so
 * the message is never sent. */
void
xf_handle_CONNECT_REGISTER_CLOSE_CALLBACK (XfCall *call, const xf_void *arguments, XfRemoteClient *client)
{
  xf_reply_void (call);
}

void
xf_handle_CONNECT_UNREGISTER_CLOSE_CALLBACK (XfCall *call, const xf_void *arguments, XfRemoteClient *client)
{
  xf_reply_void (call);
}
