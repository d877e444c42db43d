/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The libvirt-like layer: everything the RPC side may ask of the hypervisor driver, and everything the driver may
 * ask of the RPC side. remote/ calls it and knows XDR; libxl/ implements it and knows libxl; no file knows both.
 *
 * Rules that hold for every function here:
 * - One thread, one GLib main context. Nothing blocks.
 * - What is instant is synchronous: TRUE or a result, or FALSE/NULL and a GError of XF_ERROR.
 * - What is not takes a `done` callback, which is called exactly once and never before the call has returned
 *   (completion goes through the loop). Arguments of a callback belong to the driver and are gone when it returns.
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

/* All strings are owned by whoever owns the struct; the driver copies what it keeps. */
typedef struct {
  char *config_dir;         /* persistent definitions, NAME.xml, and autostart/: libvirt's libxl driver's place */
  char *state_dir;          /* volatile: what is known of running guests, gone after a host reboot */
  char *lib_dir;            /* persistent own state */
  char *migration_host;     /* host name or address announced to sources; NULL: the host's own name */
  char *migration_listen;   /* address to listen on for migration data; NULL: all */
  guint migration_port_min; /* first and last port of the range, inclusive */
  guint migration_port_max;
  guint accept_timeout_s;    /* from prepare to the first byte of migration data, and begin to perform */
  guint connect_timeout_s;   /* the source's connect to the data port, and to a peer */
  guint dom0_min_memory_mib; /* dom0 gives memory back for guests down to that; 0: none */
  guint stall_timeout_s;     /* without a byte moving, a migration is broken; longer than a guest may take to suspend */
  guint finish_timeout_s;    /* a guest that is restored waits so long for finish, one that is sent for confirm */
  guint peer_port;           /* where other xenferries ask what became of a guest they sent; 0: nowhere */
  gboolean one_port;         /* and where they send guests to */
  char *peer_uri;            /* where a libvirtd is asked that in managed mode; %s: its host */
  char *boot_id;             /* of the host's present boot; NULL: what the kernel says */
  char *pki_dir;             /* certificates and keys, in libvirt's places below it */
  char *tls;                 /* of migration data: "never", "allow", "require" */
  char *compression;         /* likewise: "never", "allow", "always" */
  char *checksums;           /* likewise: "never", "allow", "always", "require" */
  gboolean guard;            /* what comes in passes xenferry-pump before libxl */
  char *pump_path;           /* the program */
  char *pump_user;           /* names, of which it runs as the first that there is, when we are root; NULL: us */
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

/* Opens Xen, finds running guests again, starts nothing. @peers is how this driver, as a peer-to-peer source,
 * reaches other daemons; kept, with @peers_data, until xf_driver_free(). */
XfDriver *xf_driver_new (const XfDriverConfig *config, const XfPeerOps *peers, gpointer peers_data, GError **error);

/* Starts the guests marked for autostart, once per boot of the host. */
void xf_driver_autostart (XfDriver *driver);

/* Ends. Running guests go on; running migrations are rolled back as far as that is possible at once. */
void xf_driver_free (XfDriver *driver);

/* A connection to peer_port (@fd, taken): a migration's data; or else @other's, who takes it. */
typedef void (*XfDriverOther) (int fd, gpointer data);
void xf_driver_take_connection (XfDriver *driver, int fd, XfDriverOther other, gpointer data);

/* A client's connection has closed; @client is the token it passed to the migration calls. */
void xf_driver_client_gone (XfDriver *driver, gconstpointer client);

/* @is_there looks whether a client's connection stands at this moment; without it, it does until
 * xf_driver_client_gone().
 */
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
/* What a person should know about the guest (virDomainGetMessages); NULL-terminated. */
char **xf_driver_domain_messages (XfDriver *driver, const guint8 *uuid, GError **error);
/* @type: virDomainMetadataType. */
char *xf_driver_domain_get_metadata (XfDriver *driver, const guint8 *uuid, int type, const char *uri, guint flags,
                                     GError **error);
/* A file descriptor of the guest's console (a pty), for the caller to own. @device NULL: the first.
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
/* @flags: virDomainGetJobStatsFlags. */
XfTypedParams *xf_driver_job_stats (XfDriver *driver, const guint8 *uuid, guint flags, int *type_out, GError **error);
gboolean xf_driver_job_abort (XfDriver *driver, const guint8 *uuid, guint flags, GError **error);
/* MiB/s, 0 = no limit; kept for the guest's next migration, and applied at once to a running one. */
gboolean xf_driver_set_max_speed (XfDriver *driver, const guint8 *uuid, guint64 mib, guint flags, GError **error);
/* What the last pass of a live migration should take at most: while it would take longer, the guest is slowed down.
 * Kept for the guest's next migration, and minded by a running one. */
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

/* One listener at a time is enough: remote/ fans out. NULL removes it. */
void xf_driver_set_listener (XfDriver *driver, XfEventFunc func, gpointer data);

/* ---- migration -------------------------------------------------------------------------------------------- */

/* Results of a phase; which fields are set is said at each function. */
typedef struct {
  GBytes *cookie;         /* NULL: an empty one */
  const char *xml;        /* begin */
  const char *uri;        /* prepare: where the data goes */
  const XfDomainRef *ref; /* finish */
} XfMigrateResult;

/* @result is NULL when @error is set. */
typedef void (*XfMigrateDone) (const XfMigrateResult *result, const GError *error, gpointer data);

/* Phase 1, source: takes the guest's migration job; result: cookie, xml. @client: token of the connection that
 * drives the migration. */
void xf_driver_migrate_begin (XfDriver *driver, const guint8 *uuid, gconstpointer client, const XfTypedParams *params,
                              guint flags, XfMigrateDone done, gpointer data);

/* Phase 2, destination, data on a connection of its own; result: cookie, uri. */
void xf_driver_migrate_prepare (XfDriver *driver, gconstpointer client, const XfTypedParams *params, GBytes *cookie,
                                guint flags, XfMigrateDone done, gpointer data);

/* The driver's hold on a tunnel's other half. Every function may be called after the stream ended: no effect then. */
typedef struct {
  void (*discard) (gpointer tunnel);                   /* swallow whatever the peer still sends */
  void (*fail) (gpointer tunnel, const GError *error); /* tell the peer that the stream is broken */
  guint64 (*received) (gpointer tunnel);               /* bytes that have come so far */
  void (*release) (gpointer tunnel);                   /* the driver will not call again */
} XfTunnelOps;

/* Where a tunnel's bytes go. */
typedef struct {
  int fd;                                             /* write end of a pipe, for the caller to own */
  void (*ended) (gpointer sink, const GError *error); /* call once: NULL: the peer finished; else aborted or lost.
                                                         After the fd is closed. */
  gpointer sink;
} XfTunnelSink;

typedef void (*XfTunnelDone) (const XfTunnelSink *sink, const XfMigrateResult *result, const GError *error,
                              gpointer data);

/* Phase 2, destination, data as a stream of this very call; result: cookie. @ops with @tunnel are kept until
 * release(). If @error is set in done, nothing is kept. */
void xf_driver_migrate_prepare_tunnel (XfDriver *driver, gconstpointer client, const XfTypedParams *params,
                                       GBytes *cookie, guint flags, const XfTunnelOps *ops, gpointer tunnel,
                                       XfTunnelDone done, gpointer data);

/* Phase 3, source. @dconnuri NULL: managed, sends the data and answers when all is sent. Else peer to peer: runs the
 * whole migration against that daemon. Result: cookie. */
void xf_driver_migrate_perform (XfDriver *driver, const guint8 *uuid, gconstpointer client, const char *dconnuri,
                                const XfTypedParams *params, GBytes *cookie, guint flags, XfMigrateDone done,
                                gpointer data);

/* Phase 4, destination; result: ref, cookie. With @cancelled it always ends in an error: XF_ERROR_FINISH_OK when
 * there was something to clean up and it is gone. Only for the client that called prepare, or with a cookie that names
 * the migration. */
void xf_driver_migrate_finish (XfDriver *driver, gconstpointer client, const XfTypedParams *params, GBytes *cookie,
                               guint flags, gboolean cancelled, XfMigrateDone done, gpointer data);

/* Phase 5, source; result: nothing. Only for the client that called begin. */
void xf_driver_migrate_confirm (XfDriver *driver, const guint8 *uuid, gconstpointer client, const XfTypedParams *params,
                                GBytes *cookie, guint flags, gboolean cancelled, XfMigrateDone done, gpointer data);

/* ---- what became of a migration --------------------------------------------------------------------------- */

typedef enum {
  XF_VERDICT_RUNS,         /* the guest was started there, and runs there or has moved on */
  XF_VERDICT_WILL_NOT_RUN, /* it was not, and never will be */
  XF_VERDICT_HAS_RUN,      /* it was started there, and has ended there */
} XfVerdict;

/* @verdict means nothing when @error is set. */
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

/* A migration of the journal, for a person. */
typedef struct {
  guint8 id[XF_UUID_LENGTH];
  gboolean is_source, is_final;
  char *guest, *state, *peer;
  char *reason; /* what it waits for, or how it ended; NULL: nothing to say */
  gint64 changed_s;
} XfMigrationInfo;

void xf_migration_info_free (XfMigrationInfo *info);

/* Array of XfMigrationInfo, oldest first. Files of the journal that cannot be read are in it too, with only a reason.
 */
GPtrArray *xf_driver_migrations (XfDriver *driver);

/* A person decides for a source that still asks: the guest goes on @here, or it runs there and ends here. */
void xf_driver_migration_resolve (XfDriver *driver, const guint8 *id, gboolean here, XfDone done, gpointer data);

/* ---- peers: what the driver asks of the RPC side as a peer-to-peer source ------------------------------------ */

typedef struct XfPeer XfPeer;
typedef void (*XfPeerOpened) (XfPeer *peer, const GError *error, gpointer data);
/* @state: virDomainState; -1: there is no such guest. */
typedef void (*XfPeerState) (int state, const GError *error, gpointer data);
typedef void (*XfPeerFeature) (gboolean supported, const GError *error, gpointer data);

/* A connection to another daemon. After close() no callback of that peer is called any more. An error that the other
 * daemon answered arrives with its own text and the nearest XfErrorCode. */
struct XfPeerOps {
  /* Connects and opens xen:///system there, keepalive on. @closed: the connection was lost (once, only after it was
   * opened, with the reason; calls under way end with an error before that). */
  XfPeer *(*open) (gpointer peers_data, const char *uri, guint timeout_s, XfPeerOpened opened, XfDone closed,
                   gpointer data);
  void (*close) (XfPeer *peer);
  void (*supports_feature) (XfPeer *peer, int feature, XfPeerFeature done, gpointer data);
  void (*prepare) (XfPeer *peer, const XfTypedParams *params, GBytes *cookie, guint flags, XfMigrateDone done,
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
  void (*send_abort) (XfPeer *peer); /* STREAM ERROR; also ends a send() under way, without done */
  void (*finish) (XfPeer *peer, const XfTypedParams *params, GBytes *cookie, guint flags, gboolean cancelled,
                  XfMigrateDone done, gpointer data);
  /* Each is a connection of its own for one question, whose answer or failure comes once; then it is to be closed.
   * settle: of a xenferry, xf_driver_settle(); look_up: a guest's state, of any daemon. */
  XfPeer *(*settle) (gpointer peers_data, const char *uri, guint timeout_s, const guint8 *id, const char *secret,
                     XfPurpose purpose, XfVerdictDone done, gpointer data);
  XfPeer *(*look_up) (gpointer peers_data, const char *uri, guint timeout_s, const guint8 *uuid, XfPeerState done,
                      gpointer data);
};
