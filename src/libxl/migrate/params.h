/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The client's options for a migration: flags and typed parameters, read into one struct. One table names every flag
 * and every parameter that libvirt 9.0 knows. An option that is not served is refused here, by name, before anything
 * has happened. The same check runs in each phase, because in managed mode every phase has its own copy.
 */
#pragma once

#include "base/typed_params.h"

typedef struct {
  guint flags; /* virDomainMigrateFlags */
  char *migrate_uri;
  char *destination_name;
  char *destination_xml;
  char *persistent_xml;
  char *listen_address;
  char *tls_destination; /* the name in the destination's certificate; NULL: the host to which the data goes */
  char *compression;     /* a method; NULL: the driver's choice */
  int zstd_level;        /* 0: the driver's choice */
  int connections;       /* 0: the driver's choice */
  int converge_initial, converge_increment; /* percent; 0: the driver's choice */
  guint64 bandwidth_mib;                    /* MiB/s; 0: no limit */
} XfMigrateParams;

/* Fills @params_out. Errors: a flag or parameter not served, of the wrong type, given twice, flags that
 * contradict each other, or a name that no domain can have. On error @params_out is empty. */
gboolean xf_migrate_params_parse (XfMigrateParams *params_out, const XfTypedParams *params, guint flags,
                                  GError **error);
void xf_migrate_params_clear (XfMigrateParams *params);
void xf_migrate_params_copy (XfMigrateParams *copy_out, const XfMigrateParams *params);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (XfMigrateParams, xf_migrate_params_clear)

/* FALSE with an error that names the option if @params need an option that a libvirtd as destination refuses: its
 * libxl driver knows migrate_uri, destination_name and destination_xml (docs/wire.md, A libvirtd as peer). The
 * bandwidth limit acts at the source alone. */
gboolean xf_migrate_params_fit_libvirtd (const XfMigrateParams *params, const char *host, GError **error);

/* The flags for the destination's phases, without those that concern only the source (docs/wire.md, Migration flags
 * and parameters). @libvirtd: only bits that its libxl driver accepts. */
guint xf_migrate_params_destination_flags (const XfMigrateParams *params, gboolean libvirtd);
