/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/migrate/params.h"

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "conf/domain_name.h"
#include "libxl/transport/ticket.h"

/* libvirt's constant for it is newer than the libvirt that this is built with. */
#define PARAM_ZSTD_LEVEL "compression.zstd.level"
#define ZSTD_LEVEL_MAX 19

/* The bits that libvirt 9.0's libxl driver accepts in any phase (docs/wire.md, A libvirtd as peer). */
#define LIBVIRTD_FLAGS                                                                                                 \
  (VIR_MIGRATE_LIVE | VIR_MIGRATE_PEER2PEER | VIR_MIGRATE_TUNNELLED | VIR_MIGRATE_PERSIST_DEST                         \
   | VIR_MIGRATE_UNDEFINE_SOURCE | VIR_MIGRATE_PAUSED)

static const struct {
  guint bit;
  gboolean served;
  const char *name;
  const char *option; /* of virsh */
} flag_table[] = {
  { VIR_MIGRATE_LIVE, TRUE, "VIR_MIGRATE_LIVE", "--live" },
  { VIR_MIGRATE_PEER2PEER, TRUE, "VIR_MIGRATE_PEER2PEER", "--p2p" },
  { VIR_MIGRATE_TUNNELLED, TRUE, "VIR_MIGRATE_TUNNELLED", "--tunnelled" },
  { VIR_MIGRATE_PERSIST_DEST, TRUE, "VIR_MIGRATE_PERSIST_DEST", "--persistent" },
  { VIR_MIGRATE_UNDEFINE_SOURCE, TRUE, "VIR_MIGRATE_UNDEFINE_SOURCE", "--undefinesource" },
  { VIR_MIGRATE_PAUSED, TRUE, "VIR_MIGRATE_PAUSED", "--suspend" },
  { VIR_MIGRATE_NON_SHARED_DISK, FALSE, "VIR_MIGRATE_NON_SHARED_DISK", "--copy-storage-all" },
  { VIR_MIGRATE_NON_SHARED_INC, FALSE, "VIR_MIGRATE_NON_SHARED_INC", "--copy-storage-inc" },
  { VIR_MIGRATE_CHANGE_PROTECTION, TRUE, "VIR_MIGRATE_CHANGE_PROTECTION", "--change-protection" },
  { VIR_MIGRATE_UNSAFE, TRUE, "VIR_MIGRATE_UNSAFE", "--unsafe" },
  { VIR_MIGRATE_OFFLINE, TRUE, "VIR_MIGRATE_OFFLINE", "--offline" },
  { VIR_MIGRATE_COMPRESSED, TRUE, "VIR_MIGRATE_COMPRESSED", "--compressed" },
  { VIR_MIGRATE_ABORT_ON_ERROR, TRUE, "VIR_MIGRATE_ABORT_ON_ERROR", "--abort-on-error" },
  { VIR_MIGRATE_AUTO_CONVERGE, TRUE, "VIR_MIGRATE_AUTO_CONVERGE", "--auto-converge" },
  { VIR_MIGRATE_RDMA_PIN_ALL, FALSE, "VIR_MIGRATE_RDMA_PIN_ALL", "--rdma-pin-all" },
  { VIR_MIGRATE_POSTCOPY, FALSE, "VIR_MIGRATE_POSTCOPY", "--postcopy" },
  { VIR_MIGRATE_TLS, TRUE, "VIR_MIGRATE_TLS", "--tls" },
  { VIR_MIGRATE_PARALLEL, TRUE, "VIR_MIGRATE_PARALLEL", "--parallel" },
  { VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES, FALSE, "VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES",
    "--copy-storage-synchronous-writes" },
  { VIR_MIGRATE_POSTCOPY_RESUME, FALSE, "VIR_MIGRATE_POSTCOPY_RESUME", "--postcopy-resume" },
  { VIR_MIGRATE_ZEROCOPY, FALSE, "VIR_MIGRATE_ZEROCOPY", "--zerocopy" },
};

static const struct {
  const char *name;
  XfParamType type;
  gsize offset; /* offset in XfMigrateParams */
  const char *option;
} param_table[] = {
  { VIR_MIGRATE_PARAM_URI, XF_PARAM_STRING, G_STRUCT_OFFSET (XfMigrateParams, migrate_uri), "--migrateuri" },
  { VIR_MIGRATE_PARAM_DEST_NAME, XF_PARAM_STRING, G_STRUCT_OFFSET (XfMigrateParams, destination_name), "--dname" },
  { VIR_MIGRATE_PARAM_DEST_XML, XF_PARAM_STRING, G_STRUCT_OFFSET (XfMigrateParams, destination_xml), "--xml" },
  { VIR_MIGRATE_PARAM_PERSIST_XML, XF_PARAM_STRING, G_STRUCT_OFFSET (XfMigrateParams, persistent_xml),
    "--persistent-xml" },
  { VIR_MIGRATE_PARAM_LISTEN_ADDRESS, XF_PARAM_STRING, G_STRUCT_OFFSET (XfMigrateParams, listen_address),
    "--listen-address" },
  { VIR_MIGRATE_PARAM_BANDWIDTH, XF_PARAM_ULLONG, G_STRUCT_OFFSET (XfMigrateParams, bandwidth_mib), "--bandwidth" },
  { VIR_MIGRATE_PARAM_TLS_DESTINATION, XF_PARAM_STRING, G_STRUCT_OFFSET (XfMigrateParams, tls_destination),
    "--tls-destination" },
  { VIR_MIGRATE_PARAM_COMPRESSION, XF_PARAM_STRING, G_STRUCT_OFFSET (XfMigrateParams, compression), "--comp-methods" },
  { PARAM_ZSTD_LEVEL, XF_PARAM_INT, G_STRUCT_OFFSET (XfMigrateParams, zstd_level), "--comp-zstd-level" },
  { VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS, XF_PARAM_INT, G_STRUCT_OFFSET (XfMigrateParams, connections),
    "--parallel-connections" },
  { VIR_MIGRATE_PARAM_AUTO_CONVERGE_INITIAL, XF_PARAM_INT, G_STRUCT_OFFSET (XfMigrateParams, converge_initial),
    "--auto-converge-initial" },
  { VIR_MIGRATE_PARAM_AUTO_CONVERGE_INCREMENT, XF_PARAM_INT, G_STRUCT_OFFSET (XfMigrateParams, converge_increment),
    "--auto-converge-increment" },
};

static gboolean
check_flags (guint flags, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (flag_table); i++) {
    if ((flags & flag_table[i].bit) && !flag_table[i].served) {
      g_set_error (error, XF_ERROR, XF_ERROR_ARGUMENT_UNSUPPORTED,
                   "migration flag %s (virsh %s) is not served by this driver; migrate without it", flag_table[i].name,
                   flag_table[i].option);
      return FALSE;
    }
    flags &= ~flag_table[i].bit;
  }
  if (flags) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "migration flags 0x%x are unknown to this driver", flags);
    return FALSE;
  }
  return TRUE;
}

static gboolean
check_combinations (const XfMigrateParams *params, GError **error)
{
  guint flags = params->flags;
  const char *wrong = NULL;

  if ((flags & VIR_MIGRATE_TUNNELLED) && params->migrate_uri)
    wrong = "a tunnelled migration has no data connection of its own: --migrateuri makes no sense with --tunnelled";
  else if ((flags & VIR_MIGRATE_TUNNELLED) && params->listen_address)
    wrong = "a tunnelled migration has no data connection of its own: --listen-address makes no sense with --tunnelled";
  else if ((flags & VIR_MIGRATE_OFFLINE) && !(flags & VIR_MIGRATE_PERSIST_DEST))
    wrong = "an offline migration moves the definition alone: --offline needs --persistent";
  else if ((flags & VIR_MIGRATE_OFFLINE) && (flags & VIR_MIGRATE_TUNNELLED))
    wrong = "an offline migration has no data: --tunnelled makes no sense with --offline";
  else if ((flags & VIR_MIGRATE_TUNNELLED) && flags & (VIR_MIGRATE_TLS | VIR_MIGRATE_PARALLEL))
    wrong = "a tunnelled migration goes through the management connection: --tls and --parallel make no sense with it";
  else if (params->compression && !g_str_equal (params->compression, "zstd"))
    wrong = "the only compression method is zstd: --comp-methods zstd";
  else if ((params->compression || params->zstd_level) && !(flags & VIR_MIGRATE_COMPRESSED))
    wrong = "compression options need --compressed";
  else if (params->zstd_level < 0 || params->zstd_level > ZSTD_LEVEL_MAX)
    wrong = "zstd's level is a number from 1 to 19";
  else if (params->connections && !(flags & VIR_MIGRATE_PARALLEL))
    wrong = "--parallel-connections needs --parallel";
  else if (params->connections < 0 || params->connections > XF_TICKET_CONNECTIONS_MAX)
    wrong = "a migration has 1 to 16 connections";
  else if (params->converge_initial < 0 || params->converge_initial > 99 || params->converge_increment < 0
           || params->converge_increment > 99)
    wrong = "a guest is slowed down by 1 to 99 percent";
  else if (params->tls_destination && !(flags & VIR_MIGRATE_TLS))
    wrong = "--tls-destination needs --tls";
  else if (params->persistent_xml && !(flags & VIR_MIGRATE_PERSIST_DEST))
    wrong = "--persistent-xml needs --persistent";
  if (wrong)
    g_set_error_literal (error, XF_ERROR, XF_ERROR_INVALID_ARG, wrong);
  return !wrong;
}

/* The destination uses it as the name without the parser's check. */
static gboolean
check_name (const XfMigrateParams *params, GError **error)
{
  g_autoptr (GError) wrong = NULL;

  if (!params->destination_name || xf_domain_name_check (params->destination_name, &wrong))
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "the new name of a migration (--dname): %s", wrong->message);
  return FALSE;
}

static gboolean
read_param (XfMigrateParams *out, const XfTypedParam *param, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (param_table); i++) {
    if (!g_str_equal (param->name, param_table[i].name))
      continue;
    if (param->type != param_table[i].type) {
      g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "migration parameter '%s' must be of type %s, not %s",
                   param->name, xf_param_type_name (param_table[i].type), xf_param_type_name (param->type));
      return FALSE;
    }
    if (param->type == XF_PARAM_INT) {
      G_STRUCT_MEMBER (int, out, param_table[i].offset) = param->i;
      return TRUE;
    }
    if (param->type == XF_PARAM_ULLONG) {
      G_STRUCT_MEMBER (guint64, out, param_table[i].offset) = param->ul;
      return TRUE;
    }
    if (G_STRUCT_MEMBER (char *, out, param_table[i].offset)) {
      g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "migration parameter '%s' is given twice", param->name);
      return FALSE;
    }
    G_STRUCT_MEMBER (char *, out, param_table[i].offset) = g_strdup (param->s);
    return TRUE;
  }
  g_set_error (error, XF_ERROR, XF_ERROR_ARGUMENT_UNSUPPORTED, "parameter '%s' is not served by this driver",
               param->name);
  return FALSE;
}

gboolean
xf_migrate_params_parse (XfMigrateParams *params_out, const XfTypedParams *params, guint flags, GError **error)
{
  g_auto (XfMigrateParams) read = { .flags = flags };

  *params_out = (XfMigrateParams){ 0 };
  if (!check_flags (flags, error))
    return FALSE;
  for (guint i = 0; i < params->len; i++) {
    if (!read_param (&read, xf_typed_params_index (params, i), error))
      return FALSE;
  }
  if (!check_combinations (&read, error) || !check_name (&read, error))
    return FALSE;
  *params_out = read;
  read = (XfMigrateParams){ 0 };
  return TRUE;
}

void
xf_migrate_params_clear (XfMigrateParams *params)
{
  g_free (params->migrate_uri);
  g_free (params->destination_name);
  g_free (params->destination_xml);
  g_free (params->persistent_xml);
  g_free (params->listen_address);
  g_free (params->tls_destination);
  g_free (params->compression);
  *params = (XfMigrateParams){ 0 };
}

void
xf_migrate_params_copy (XfMigrateParams *copy_out, const XfMigrateParams *params)
{
  *copy_out = (XfMigrateParams){
    .flags = params->flags,
    .migrate_uri = g_strdup (params->migrate_uri),
    .destination_name = g_strdup (params->destination_name),
    .destination_xml = g_strdup (params->destination_xml),
    .persistent_xml = g_strdup (params->persistent_xml),
    .listen_address = g_strdup (params->listen_address),
    .tls_destination = g_strdup (params->tls_destination),
    .compression = g_strdup (params->compression),
    .zstd_level = params->zstd_level,
    .connections = params->connections,
    .converge_initial = params->converge_initial,
    .converge_increment = params->converge_increment,
    .bandwidth_mib = params->bandwidth_mib,
  };
}

gboolean
xf_migrate_params_fit_libvirtd (const XfMigrateParams *params, const char *host, GError **error)
{
  const char *option = NULL;

  if (params->listen_address)
    option = "--listen-address";
  else if (params->persistent_xml)
    option = "--persistent-xml";
  else if (params->flags & VIR_MIGRATE_OFFLINE)
    option = "--offline";
  else if (params->flags & VIR_MIGRATE_TLS)
    option = "--tls";
  else if (params->flags & VIR_MIGRATE_COMPRESSED)
    option = "--compressed";
  else if (params->flags & VIR_MIGRATE_PARALLEL)
    option = "--parallel";
  if (!option)
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_ARGUMENT_UNSUPPORTED,
               "the daemon at '%s' is a libvirtd, whose Xen driver does not serve %s; migrate without it", host,
               option);
  return FALSE;
}

guint
xf_migrate_params_destination_flags (const XfMigrateParams *params, gboolean libvirtd)
{
  guint flags = params->flags
                & ~(guint)(VIR_MIGRATE_PEER2PEER | VIR_MIGRATE_ABORT_ON_ERROR | VIR_MIGRATE_CHANGE_PROTECTION);

  return libvirtd ? flags & LIBVIRTD_FLAGS : flags;
}
