/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A guest's definition: libvirt's domain XML, and the facts that libxl needs.
 *
 * The XML document itself is kept and written again, so that nothing is lost (metadata, foreign namespaces, elements
 * without effect on a Xen guest). The facts for libxl are extracted from it once. Elements that would change the guest
 * and are not understood are refused by name when parsing (domain_check.c holds the list; docs/domain-xml.md describes
 * it).
 *
 * A definition is immutable after parsing, except through the functions below, which keep document and facts
 * consistent.
 */
#pragma once

#include <glib.h>

#include "conf/uuid.h"

typedef enum { XF_GUEST_PV, XF_GUEST_PVH, XF_GUEST_HVM } XfGuestType;

typedef enum {
  XF_ACTION_DESTROY,
  XF_ACTION_RESTART,
  XF_ACTION_RENAME_RESTART,
  XF_ACTION_PRESERVE,
  XF_ACTION_COREDUMP_DESTROY,
  XF_ACTION_COREDUMP_RESTART,
} XfAction;

/* XF_TSC_DEFAULT is every mode except the three that libxl can express. */
typedef enum { XF_TSC_DEFAULT, XF_TSC_EMULATE, XF_TSC_NATIVE, XF_TSC_PARAVIRT } XfTscMode;

/* Physical CPUs that a pin can name. */
#define XF_CPUS_MAX 1024

typedef struct {
  guint vcpu;
  guint8 cpus[XF_CPUS_MAX / 8]; /* bit n of byte n/8: may run on CPU n */
} XfVcpuPin;

typedef struct {
  char *name; /* libvirt's, or libxl's */
  gboolean on;
} XfCpuFeature;

typedef enum { XF_DISK_DISK, XF_DISK_CDROM, XF_DISK_FLOPPY } XfDiskDevice;

typedef struct {
  XfDiskDevice device;
  char *source; /* path; NULL: no medium */
  char *target; /* "xvda", "hda", ... */
  char *driver; /* "qemu", "tap", "phy", "file" or NULL */
  char *format; /* "raw", "qcow2", ... or NULL */
  char *backend_domain;
  gboolean readonly, shareable;
  int discard; /* -1 unsaid, 0 ignore, 1 unmap */
} XfDisk;

typedef struct {
  char *type; /* "bridge" or "ethernet" */
  guint8 mac[6];
  char *bridge;
  char *model;
  char *script;
  char *ip; /* addresses joined by blanks */
  char *ifname;
  char *backend_domain;
  guint64 outbound_kib_s; /* 0: no limit */
} XfNic;

typedef struct {
  gboolean present;
  gboolean autoport;
  int port; /* -1: not known yet */
  char *listen;
  char *password;
  char *keymap;
} XfVnc;

typedef struct {
  char *libxl; /* the value for libxl (and qemu): "pty", "file:PATH", "tcp:HOST:PORT,server,nowait", ... */
} XfSerial;

typedef struct XfDomainDef XfDomainDef;

struct XfDomainDef {
  gpointer doc; /* xmlDoc */
  XfGuestType type;
  char *arch; /* "x86_64" when the XML names none */
  char *name;
  guint8 uuid[XF_UUID_SIZE];
  guint64 memory_kib; /* maximum, rounded up to 1 MiB */
  guint64 current_kib;
  guint vcpus;
  guint vcpus_current;
  GArray *pins;         /* of XfVcpuPin; vCPUs without one run anywhere */
  guint cpu_weight;     /* the scheduler's; 0: its default */
  GArray *cpu_features; /* of XfCpuFeature: those that the guest must or must not see; each name once */
  char *kernel, *initrd, *cmdline;
  char *bootloader, *bootloader_args;
  gboolean efi;
  char *boot; /* libxl's letters: a c d n */
  XfAction on_poweroff, on_reboot, on_crash;
  gboolean pae, apic, acpi;
  int hap; /* -1 unsaid, else 0 or 1 */
  gboolean localtime;
  gint64 rtc_offset_s;
  XfTscMode tsc;
  int hpet;                               /* -1 unsaid, else 0 or 1 */
  guint max_grant_frames, event_channels; /* 0: libxl's default */
  char *emulator;
  GArray *disks;   /* of XfDisk */
  GArray *nics;    /* of XfNic */
  GArray *serials; /* of XfSerial */
  XfVnc vnc;
  char *video; /* "vga", "cirrus", "qxl", "xen", "none" or NULL */
  guint64 video_kib;
  char **usb_inputs; /* HVM: "tablet", "mouse"; NULL: none */
};

typedef enum {
  XF_DOMAIN_PARSE_NONE = 0,
  XF_DOMAIN_PARSE_INACTIVE = 1, /* drop a running host's additions: id, console tty, vif names, automatic ports */
} XfDomainParseFlags;

typedef enum {
  XF_DOMAIN_FORMAT_NONE = 0,
  XF_DOMAIN_FORMAT_SECURE = 1,     /* with passwords */
  XF_DOMAIN_FORMAT_INACTIVE = 2,   /* without a running host's additions */
  XF_DOMAIN_FORMAT_MIGRATABLE = 4, /* for another host; nothing differs today */
} XfDomainFormatFlags;

/* Facts that are only true while the guest runs here. */
typedef struct {
  int id;                  /* domid; -1: not running */
  const char *console_tty; /* NULL: not known */
  int vnc_port;            /* -1: not known */
} XfDomainLive;

/* Parses and checks. Errors: XF_ERROR_XML for malformed or contradictory XML; XF_ERROR_CONFIG_UNSUPPORTED, which names
 * the element, for XML that is not supported. A missing uuid or MAC address is generated. */
XfDomainDef *xf_domain_def_parse (const char *xml, XfDomainParseFlags flags, GError **error);

/* A copy of document and facts. Cannot fail. */
XfDomainDef *xf_domain_def_copy (const XfDomainDef *def);
void xf_domain_def_free (XfDomainDef *def);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfDomainDef, xf_domain_def_free)

/* The XML, the caller's. @live: NULL for an inactive guest. */
char *xf_domain_def_format (const XfDomainDef *def, XfDomainFormatFlags flags, const XfDomainLive *live);

/* FALSE for a name that xf_domain_name_check() refuses. */
gboolean xf_domain_def_set_name (XfDomainDef *def, const char *name, GError **error);

/* TRUE when a guest that runs as @running can continue as @wanted: the same uuid, type, memory, vCPUs, and the same
 * devices by target or MAC address; a disk's source and an interface's bridge may differ. Otherwise the error names the
 * first difference. */
gboolean xf_domain_def_check_abi (const XfDomainDef *running, const XfDomainDef *wanted, GError **error);

/* "linux", "xenpvh", "hvm": the text of <os><type>; and what the API calls it: "xen", "xenpvh", "hvm". */
const char *xf_guest_type_xml (XfGuestType type);
const char *xf_guest_type_api (XfGuestType type);

/* "destroy", "restart", ... */
const char *xf_action_name (XfAction action);

/* For the files of this folder. */
char *xf_domain_read_name (gconstpointer root);
gboolean xf_domain_check (gpointer root, const char *name, GError **error);
gboolean xf_domain_parse_devices (XfDomainDef *def, gpointer devices, XfDomainParseFlags flags, GError **error);
void xf_domain_init_devices (XfDomainDef *def);
void xf_domain_clear_devices (XfDomainDef *def);
void xf_domain_complete (XfDomainDef *def, gpointer root);
gboolean xf_domain_parse_cpus (XfDomainDef *def, gpointer root, GError **error);
GArray *xf_domain_new_features (void);
gboolean xf_domain_parse_clock (XfDomainDef *def, gpointer clock, GError **error);
gboolean xf_domain_parse_xenbus (XfDomainDef *def, gpointer controller, GError **error);
