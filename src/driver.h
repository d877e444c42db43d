/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The contract between the RPC side and the hypervisor driver, in both directions. remote/ calls it and knows XDR;
 * libxl/ implements it and knows libxl; no file knows both.
 *
 * Rules that hold for every function here:
 * - One thread, one GLib main context. Nothing blocks.
 * - Instant functions are synchronous: TRUE or a result, or FALSE/NULL and a GError of XF_ERROR.
 * - All others take a `done` callback, which is called exactly once and never before the function has returned (it is
 *   called from the loop). Arguments of a callback belong to the driver and are valid until the callback returns.
 * - Guests are named by their uuid: a client's name and domid may be stale (docs/wire.md, Domains).
 * - Numbers of states, reasons, flags, events and features are libvirt's own (libvirt/libvirt.h).
 * - Flags and typed parameters arrive as the client sent them; the driver refuses by name what it does not serve.
 */
#pragma once

#include <gio/gio.h>

#include "base/typed_params.h"

#define XF_UUID_LENGTH 16

typedef struct XfDriver XfDriver;

/* ---- configuration ---------------------------------------------------------------------------------------- */

/* The owner of the struct owns all strings; the driver copies what it keeps. */
typedef struct {
  char *config_dir;     /* persistent definitions, NAME.xml, and autostart/: the directory of libvirt's libxl driver */
  char *state_dir;      /* volatile: information about running guests, lost when the host boots */
  char *lib_dir;        /* persistent own state */
  char *migration_host; /* host name or address announced to sources; NULL: the host's own name */
  char *migration_listen;   /* address to listen on for migration data; NULL: all */
  guint migration_port_min; /* first and last port of the range, inclusive */
  guint migration_port_max;
  guint accept_timeout_s;    /* from prepare to the first byte of migration data, and from begin to perform */
  guint connect_timeout_s;   /* the source's connect to the data port, and to a peer */
  guint dom0_min_memory_mib; /* dom0 gives back memory for guests down to this; 0: none */
  guint stall_timeout_s;     /* without a transferred byte a migration fails; longer than a guest may take to suspend */
  guint finish_timeout_s;    /* how long a restored guest waits for finish, and a sent guest for confirm */
  guint peer_port;           /* where other xenferries ask for the outcome of a migration; 0: no such port */
  gboolean one_port;         /* they also send guests to that port */
  char *peer_uri;            /* where to look a guest up on a libvirtd in managed mode; %s: its host */
  char *boot_id;             /* id of the host's current boot; NULL: the kernel's */
  char *pki_dir;             /* certificates and keys, with libvirt's layout */
  char *tls;                 /* of migration data: "never", "allow", "require" */
  char *compression;         /* likewise: "never", "allow", "always" */
  char *checksums;           /* likewise: "never", "allow", "always", "require" */
  gboolean guard;            /* xenferry-pump checks incoming data before libxl reads it */
  char *pump_path;           /* the program */
  char *pump_user;           /* user names: it runs as the first that exists, if we are root; NULL: our user */
  char *save_helper_path;    /* xenferry-save-helper, which makes libxl's save helper keep a maximum downtime */
  guint max_passes;          /* of a live migration with a maximum downtime, before the guest is stopped all the same */
  char *exceed_downtime;     /* "allow", "abort": if a maximum downtime cannot be kept */
  char *hook_dir;            /* the administrator's scripts, libxl and libxl.d/ in it; NULL: none */
  guint hook_timeout_s;      /* of each script */
  char *resource_dir;        /* of executables that are resources of every guest; NULL: none */
  char *script_dir;          /* of Xen's scripts for devices; NULL: /etc/xen/scripts */
  char *sys_dir;             /* sysfs of a simulated host; NULL: /sys */
  char *resources;           /* which resources are mandatory at a destination (conf/wants.h); NULL: the defaults */
} XfDriverConfig;

/* @copy owns its strings, until xf_driver_config_clear(). */
void xf_driver_config_copy (XfDriverConfig *copy, const XfDriverConfig *config);
void xf_driver_config_clear (XfDriverConfig *config);

/* ---- guests ----------------------------------------------------------------------------------------------- */

typedef struct {
  char *name;
  guint8 uuid[XF_UUID_LENGTH];
  int id; /* domid, -1 when inactive */
} XfDomainRef;

XfDomainRef *xf_domain_ref_new (const char *name, const guint8 *uuid, int id);
XfDomainRef *xf_domain_ref_copy (const XfDomainRef *ref);
void xf_domain_ref_free (XfDomainRef *ref);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfDomainRef, xf_domain_ref_free)

typedef struct {
  int state;
  guint64 max_memory_kib;
  guint64 memory_kib;
  guint vcpus;
  guint64 cpu_time_ns;
} XfDomainInfo;

typedef struct {
  guint number;
  int state; /* virVcpuState */
  guint64 cpu_time_ns;
  int cpu;        /* physical, -1 when offline */
  GBytes *cpumap; /* bit n of byte n/8: may run on that CPU; owned */
} XfVcpuInfo;

typedef struct {
  char model[32];
  guint64 memory_kib;
  guint cpus, mhz, nodes, sockets, cores, threads;
} XfNodeInfo;

/* Progress of the current job; bytes and milliseconds (virDomainJobInfo). */
typedef struct {
  int type; /* virDomainJobType */
  guint64 time_elapsed, time_remaining;
  guint64 data_total, data_processed, data_remaining;
  guint64 memory_total, memory_processed, memory_remaining;
  guint64 file_total, file_processed, file_remaining;
} XfJobInfo;

typedef struct {
  XfDomainRef *ref;
  XfTypedParams *params;
} XfDomainStats;

void xf_domain_stats_free (XfDomainStats *stats);

typedef void (*XfDone) (const GError *error, gpointer data);
/* @ref is NULL when @error is set. */
typedef void (*XfRefDone) (const XfDomainRef *ref, const GError *error, gpointer data);

/* ---- the driver ------------------------------------------------------------------------------------------- */

typedef struct XfPeerOps XfPeerOps;

/* Opens Xen and finds running guests; starts no guest. As a peer-to-peer source the driver reaches other daemons
 * through
 * @peers, which it keeps, with @peers_data, until xf_driver_free(). */
XfDriver *xf_driver_new (const XfDriverConfig *config, const XfPeerOps *peers, gpointer peers_data, GError **error);

/* Starts the guests marked for autostart, once per boot of the host. */
void xf_driver_autostart (XfDriver *driver);

/* Ends. Running guests continue; running migrations are rolled back as far as that is possible at once. */
void xf_driver_free (XfDriver *driver);

/* A connection to peer_port (@fd, taken): migration data, or else passed to @other, which takes it. */
typedef void (*XfDriverOther) (int fd, gpointer data);
void xf_driver_take_connection (XfDriver *driver, int fd, XfDriverOther other, gpointer data);

/* A client's connection has closed; @client is the token it passed to the migration calls. */
void xf_driver_client_gone (XfDriver *driver, gconstpointer client);

/* @is_there checks whether a client's connection exists at this moment. Without it, a connection exists until
 * xf_driver_client_gone(). */
void xf_driver_set_client_probe (XfDriver *driver, gboolean (*is_there) (gconstpointer client));

/* ---- host ------------------------------------------------------------------------------------------------- */

gboolean xf_driver_supports_feature (XfDriver *driver, int feature); /* VIR_DRV_FEATURE_*; docs/wire.md, Features */
const char *xf_driver_hostname (XfDriver *driver);
guint64 xf_driver_xen_version (XfDriver *driver); /* major * 1000000 + minor * 1000 + release */
char *xf_driver_capabilities (XfDriver *driver, GError **error);
char *xf_driver_domain_capabilities (XfDriver *driver, const char *emulator, const char *arch, const char *machine,
                                     const char *virt_type, guint flags, GError **error);
int xf_driver_max_vcpus (XfDriver *driver, const char *type);
gboolean xf_driver_node_info (XfDriver *driver, XfNodeInfo *info_out, GError **error);
/* The CPU features that guests may see, as a text for other hosts (libxl/convert/features.h); the caller frees it. */
char *xf_driver_cpu_features (XfDriver *driver, GError **error);
gboolean xf_driver_free_memory (XfDriver *driver, guint64 *bytes_out, GError **error);
/* Free bytes of NUMA cells @start ... @start + @max - 1, as far as they exist; an array of guint64. */
GArray *xf_driver_cells_free_memory (XfDriver *driver, int start, int max, GError **error);

/* ---- guests: look ----------------------------------------------------------------------------------------- */

/* Array of XfDomainRef. @flags: virConnectListAllDomainsFlags. Never waits for a job. */
GPtrArray *xf_driver_list (XfDriver *driver, guint flags, GError **error);
XfDomainRef *xf_driver_lookup_id (XfDriver *driver, int id, GError **error);
XfDomainRef *xf_driver_lookup_uuid (XfDriver *driver, const guint8 *uuid, GError **error);
XfDomainRef *xf_driver_lookup_name (XfDriver *driver, const char *name, GError **error);

gboolean xf_driver_domain_info (XfDriver *driver, const guint8 *uuid, XfDomainInfo *info_out, GError **error);
gboolean xf_driver_domain_state (XfDriver *driver, const guint8 *uuid, int *state_out, int *reason_out, GError **error);
const char *xf_driver_domain_os_type (XfDriver *driver, const guint8 *uuid, GError **error);
/* @flags: virDomainXMLFlags. */
char *xf_driver_domain_xml (XfDriver *driver, const guint8 *uuid, guint flags, GError **error);
gboolean xf_driver_domain_is_active (XfDriver *driver, const guint8 *uuid, gboolean *yes_out, GError **error);
gboolean xf_driver_domain_is_persistent (XfDriver *driver, const guint8 *uuid, gboolean *yes_out, GError **error);
gboolean xf_driver_domain_is_updated (XfDriver *driver, const guint8 *uuid, gboolean *yes_out, GError **error);
gboolean xf_driver_domain_get_autostart (XfDriver *driver, const guint8 *uuid, gboolean *yes_out, GError **error);
gboolean xf_driver_domain_set_autostart (XfDriver *driver, const guint8 *uuid, gboolean yes, GError **error);
/* Array of XfVcpuInfo that owns its maps. */
GArray *xf_driver_domain_vcpus (XfDriver *driver, const guint8 *uuid, GError **error);
/* @flags: virDomainVcpuFlags; -1 on error. */
int xf_driver_domain_vcpu_count (XfDriver *driver, const guint8 *uuid, guint flags, GError **error);
/* Array of XfDomainStats; @uuids: n × 16 bytes, n = 0 for all guests. @stats, @flags: virConnectGetAllDomainStats. */
GPtrArray *xf_driver_domain_stats (XfDriver *driver, const guint8 *uuids, guint n, guint stats, guint flags,
                                   GError **error);
/* Messages about the guest for the user (virDomainGetMessages); NULL-terminated. */
char **xf_driver_domain_messages (XfDriver *driver, const guint8 *uuid, GError **error);
/* @type: virDomainMetadataType. */
char *xf_driver_domain_get_metadata (XfDriver *driver, const guint8 *uuid, int type, const char *uri, guint flags,
                                     GError **error);
/* A file descriptor of the guest's console (a pty); the caller owns it. @device NULL: the first.
 * @flags: virDomainConsoleFlags. */
int xf_driver_domain_open_console (XfDriver *driver, const guint8 *uuid, const char *device, guint flags,
                                   GError **error);

/* ---- guests: change --------------------------------------------------------------------------------------- */

XfDomainRef *xf_driver_domain_define (XfDriver *driver, const char *xml, guint flags, GError **error);
gboolean xf_driver_domain_undefine (XfDriver *driver, const guint8 *uuid, guint flags, GError **error);
/* @flags: virDomainCreateFlags. */
void xf_driver_domain_create_xml (XfDriver *driver, const char *xml, guint flags, XfRefDone done, gpointer data);
void xf_driver_domain_start (XfDriver *driver, const guint8 *uuid, guint flags, XfRefDone done, gpointer data);
void xf_driver_domain_shutdown (XfDriver *driver, const guint8 *uuid, guint flags, XfDone done, gpointer data);
void xf_driver_domain_reboot (XfDriver *driver, const guint8 *uuid, guint flags, XfDone done, gpointer data);
void xf_driver_domain_destroy (XfDriver *driver, const guint8 *uuid, guint flags, XfDone done, gpointer data);
void xf_driver_domain_suspend (XfDriver *driver, const guint8 *uuid, XfDone done, gpointer data);
void xf_driver_domain_resume (XfDriver *driver, const guint8 *uuid, XfDone done, gpointer data);

/* ---- jobs ------------------------------------------------------------------------------------------------- */

gboolean xf_driver_job_info (XfDriver *driver, const guint8 *uuid, XfJobInfo *info_out, GError **error);
/* @flags: virDomainGetJobStatsFlags. XF_JOB_WARNINGS, a text, is there if something did not move with the guest. */
#define XF_JOB_WARNINGS "xenferry.warnings"
XfTypedParams *xf_driver_job_stats (XfDriver *driver, const guint8 *uuid, guint flags, int *type_out, GError **error);
gboolean xf_driver_job_abort (XfDriver *driver, const guint8 *uuid, guint flags, GError **error);
/* MiB/s, 0 = no limit; kept for the guest's next migration, and applied at once to a running one. */
gboolean xf_driver_set_max_speed (XfDriver *driver, const guint8 *uuid, guint64 mib, guint flags, GError **error);
/* The longest time for the last pass of a live migration: while it would take longer, further passes are made, up to
 * max_passes, and the guest is slowed down. Kept for the guest's next migration, and applied to a running one. */
gboolean xf_driver_set_max_downtime (XfDriver *driver, const guint8 *uuid, guint64 ms, guint flags, GError **error);
gboolean xf_driver_get_max_downtime (XfDriver *driver, const guint8 *uuid, guint64 *ms_out, guint flags,
                                     GError **error);
gboolean xf_driver_get_max_speed (XfDriver *driver, const guint8 *uuid, guint64 *mib_out, guint flags, GError **error);

/* ---- events ----------------------------------------------------------------------------------------------- */

typedef struct {
  int id; /* virDomainEventID: LIFECYCLE 0, MIGRATION_ITERATION 20, JOB_COMPLETED 21, METADATA_CHANGE 23 ... */
  const XfDomainRef *ref;
  int event, detail;           /* LIFECYCLE */
  int iteration;               /* MIGRATION_ITERATION */
  const XfTypedParams *params; /* JOB_COMPLETED */
} XfEvent;

typedef void (*XfEventFunc) (const XfEvent *event, gpointer data);

/* There is one listener; remote/ distributes the events. NULL removes it. */
void xf_driver_set_listener (XfDriver *driver, XfEventFunc func, gpointer data);

/* ---- checks without a migration ---------------------------------------------------------------------------- */

/* What stands in the way of a migration, or deserves to be known. The texts are owned. */
typedef struct {
  char *host;      /* the host that has found it */
  char *resource;  /* "disk:xvda", or "guest", "connection", ... */
  gboolean blocks; /* FALSE: a warning */
  char *text;
} XfCheckFinding;

XfCheckFinding *xf_check_finding_new (const char *host, const char *resource, gboolean blocks, const char *text);
void xf_check_finding_free (gpointer finding);

/* @findings: of XfCheckFinding, in the order of the checks; none: the guest can migrate. NULL if @error is set: the
 * check itself was not possible. */
typedef void (*XfCheckDone) (const GPtrArray *findings, const GError *error, gpointer data);

/* All checks of both sides that begin and prepare would make for a peer-to-peer migration to the daemon at @dconnuri,
 * with the same flags and parameters. Nothing is changed, and no job is taken. */
void xf_driver_migrate_check (XfDriver *driver, const guint8 *uuid, const char *dconnuri, const XfTypedParams *params,
                              guint flags, XfCheckDone done, gpointer data);

/* The destination's part: @params and @cookie are what prepare would get. */
void xf_driver_migrate_check_incoming (XfDriver *driver, const XfTypedParams *params, GBytes *cookie, guint flags,
                                       XfCheckDone done, gpointer data);

/* ---- migration -------------------------------------------------------------------------------------------- */

/* Results of a phase; each function says which fields are set. */
typedef struct {
  GBytes *cookie;         /* NULL: an empty one */
  const char *xml;        /* begin */
  const char *uri;        /* prepare: the address for the data */
  const XfDomainRef *ref; /* finish */
} XfMigrateResult;

/* @result is NULL when @error is set. */
typedef void (*XfMigrateDone) (const XfMigrateResult *result, const GError *error, gpointer data);

/* Phase 1, source: takes the guest's migration job; result: cookie, xml. @client: token of the connection that owns the
 * migration. */
void xf_driver_migrate_begin (XfDriver *driver, const guint8 *uuid, gconstpointer client, const XfTypedParams *params,
                              guint flags, XfMigrateDone done, gpointer data);

/* Phase 2, destination, data on a connection of its own; result: cookie, uri. */
void xf_driver_migrate_prepare (XfDriver *driver, gconstpointer client, const XfTypedParams *params, GBytes *cookie,
                                guint flags, XfMigrateDone done, gpointer data);

/* The driver's interface to the RPC half of a tunnel. A call after the end of the stream has no effect. */
typedef struct {
  void (*discard) (gpointer tunnel);                   /* read and drop further data */
  void (*fail) (gpointer tunnel, const GError *error); /* send the error to the peer, and end the stream */
  guint64 (*received) (gpointer tunnel);               /* bytes received so far */
  void (*release) (gpointer tunnel);                   /* the driver's last call */
} XfTunnelOps;

/* @fd: the write end of the pipe that the driver reads, the caller's; -1 with @error. Its end is the end of the data:
 * the driver judges by the image whether it is whole. */
typedef void (*XfTunnelDone) (int fd, const XfMigrateResult *result, const GError *error, gpointer data);

/* Phase 2, destination, data as a stream of this call; result: cookie. @ops with @tunnel are kept until
 * release(). If @error is set in done, nothing is kept. */
void xf_driver_migrate_prepare_tunnel (XfDriver *driver, gconstpointer client, const XfTypedParams *params,
                                       GBytes *cookie, guint flags, const XfTunnelOps *ops, gpointer tunnel,
                                       XfTunnelDone done, gpointer data);

/* Phase 3, source. @dconnuri NULL: managed: sends the data, done when everything is sent. Otherwise peer to peer: runs
 * the whole migration with that daemon. Result: cookie. */
void xf_driver_migrate_perform (XfDriver *driver, const guint8 *uuid, gconstpointer client, const char *dconnuri,
                                const XfTypedParams *params, GBytes *cookie, guint flags, XfMigrateDone done,
                                gpointer data);

/* Phase 4, destination; result: ref, cookie. With @cancelled the result is always an error: XF_ERROR_FINISH_OK when
 * the migration is cleaned up. Only for the client that called prepare, or with a cookie that names
 * the migration. */
void xf_driver_migrate_finish (XfDriver *driver, gconstpointer client, const XfTypedParams *params, GBytes *cookie,
                               guint flags, gboolean cancelled, XfMigrateDone done, gpointer data);

/* Phase 5, source; result: nothing. Only for the client that called begin. */
void xf_driver_migrate_confirm (XfDriver *driver, const guint8 *uuid, gconstpointer client, const XfTypedParams *params,
                                GBytes *cookie, guint flags, gboolean cancelled, XfMigrateDone done, gpointer data);

/* ---- what became of a migration --------------------------------------------------------------------------- */

typedef enum {
  XF_VERDICT_RUNS,         /* the guest was started there, and runs there or has moved on */
  XF_VERDICT_WILL_NOT_RUN, /* it was not started there, and never will be */
  XF_VERDICT_HAS_RUN,      /* it was started there, and has ended there */
} XfVerdict;

/* @verdict is undefined when @error is set. */
typedef void (*XfVerdictDone) (XfVerdict verdict, const GError *error, gpointer data);

/* What a source asks for. */
typedef enum {
  XF_PURPOSE_KNOW,
  XF_PURPOSE_START, /* it starts the guest, if that does not run there: from then on only there */
  XF_PURPOSE_HERE,  /* a person has decided at the source: the guest runs there */
  XF_PURPOSE_THERE, /* a person has decided at the source: the guest is gone from there */
} XfPurpose;

/* A source that does not know what became of the migration @id asks its destination, this host. One that has not
 * started the guest never will from now on. XF_ERROR_NO_DOMAIN: no such migration, or not its @secret. */
void xf_driver_settle (XfDriver *driver, const guint8 *id, const char *secret, XfPurpose purpose, XfVerdictDone done,
                       gpointer data);

/* A migration of the journal, for display. */
typedef struct {
  guint8 id[XF_UUID_LENGTH];
  gboolean is_source, is_final;
  char *guest, *state, *peer;
  char *reason; /* what it waits for, or how it ended; NULL: none */
  gint64 changed_s;
} XfMigrationInfo;

void xf_migration_info_free (XfMigrationInfo *info);

/* Array of XfMigrationInfo, oldest first. Unreadable files of the journal are included, with only a reason.
 */
GPtrArray *xf_driver_migrations (XfDriver *driver);

/* A person decides for a source that still asks: the guest continues @here, or it runs there and ends here. */
void xf_driver_migration_resolve (XfDriver *driver, const guint8 *id, gboolean here, XfDone done, gpointer data);

/* ---- peers: what the driver asks of the RPC side as a peer-to-peer source ------------------------------------ */

typedef struct XfPeer XfPeer;
typedef void (*XfPeerOpened) (XfPeer *peer, const GError *error, gpointer data);
/* @state: virDomainState; -1: there is no such guest. */
typedef void (*XfPeerState) (int state, const GError *error, gpointer data);
typedef void (*XfPeerFeature) (gboolean supported, const GError *error, gpointer data);

/* A connection to another daemon. After close() no callback of that peer is called. An error of the other daemon has
 * its text and the nearest XfErrorCode. */
struct XfPeerOps {
  /* Connects and opens xen:///system there, with keepalive. @closed: the connection was lost (called once, only after
   * it was opened, with the reason; pending calls end with an error before that). */
  XfPeer *(*open) (gpointer peers_data, const char *uri, guint timeout_s, XfPeerOpened opened, XfDone closed,
                   gpointer data);
  void (*close) (XfPeer *peer);
  void (*supports_feature) (XfPeer *peer, int feature, XfPeerFeature done, gpointer data);
  void (*prepare) (XfPeer *peer, const XfTypedParams *params, GBytes *cookie, guint flags, XfMigrateDone done,
                   gpointer data);
  /* Asks a xenferry: xf_driver_migrate_check_incoming(). NULL: cannot be asked. */
  void (*check) (XfPeer *peer, const XfTypedParams *params, GBytes *cookie, guint flags, XfCheckDone done,
                 gpointer data);
  /* Opens the stream that send() then uses. */
  void (*prepare_tunnel) (XfPeer *peer, const XfTypedParams *params, GBytes *cookie, guint flags, XfMigrateDone done,
                          gpointer data);
  /* Moves everything from @fd (taken, read end of a pipe) into the stream; done at end of file, with all of it
   * written to the connection, or with the peer's stream error. */
  void (*send) (XfPeer *peer, int fd, XfDone done, gpointer data);
  void (*set_rate) (XfPeer *peer, guint64 bytes_per_s);           /* 0: no limit; any time */
  guint64 (*sent) (XfPeer *peer);                                 /* bytes given to the connection so far */
  void (*send_finish) (XfPeer *peer, XfDone done, gpointer data); /* STREAM OK, done at its acknowledgement */
  void (*send_abort) (XfPeer *peer); /* STREAM ERROR; also ends a pending send(), without done */
  void (*finish) (XfPeer *peer, const XfTypedParams *params, GBytes *cookie, guint flags, gboolean cancelled,
                  XfMigrateDone done, gpointer data);
  /* Each uses a connection of its own for one question, and calls done once, with the answer or an error; then close
   * it. settle: asks a xenferry, xf_driver_settle(); look_up: asks any daemon for a guest's state. */
  XfPeer *(*settle) (gpointer peers_data, const char *uri, guint timeout_s, const guint8 *id, const char *secret,
                     XfPurpose purpose, XfVerdictDone done, gpointer data);
  XfPeer *(*look_up) (gpointer peers_data, const char *uri, guint timeout_s, const guint8 *uuid, XfPeerState done,
                      gpointer data);
};
