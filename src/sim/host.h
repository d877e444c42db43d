/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A simulated Xen host: a directory. The "hypervisor" is what lies in it and the guests' processes; it knows nothing
 * of daemons, which may be killed and started again at any time.
 *
 *   DIR/control                 pace and faults, read when needed (host_control_*)
 *   DIR/trace                   one line for everything that happened
 *   DIR/calls                   how many calls libxl has had (calls.c)
 *   DIR/struck/                 one file for every stop and death that has been (strike.c)
 *   DIR/boot-id                 of the host's present boot; without it, the machine's own
 *   DIR/events/                 a file is touched here whenever a domain's state changes
 *   DIR/console/NAME.log        what the guest printed, with the time of each line
 *   DIR/domains/ID/config.json  libxl's own JSON of the domain
 *   DIR/domains/ID/block        the domain's control block, shared memory of guest, helpers and daemons
 *   DIR/domains/ID/memory       a link to the guest's memory, a file in /dev/shm
 */
#pragma once

#include <glib.h>
#include <libxl.h>
#include <stdatomic.h>

#define SIM_PAGE 4096

typedef enum { SIM_RUNNING, SIM_SUSPENDED, SIM_SHUTDOWN, SIM_BUILDING, SIM_DYING } SimState;
typedef enum { SIM_ASK_NOTHING, SIM_ASK_SUSPEND, SIM_ASK_SHUTDOWN, SIM_ASK_REBOOT, SIM_ASK_CRASH } SimAsk;

/* Shared by every process that has to do with the domain. All fields but the constant ones are atomic. */
typedef struct {
  /* constant once the domain is built */
  guint32 domid;
  guint32 type; /* libxl_domain_type */
  guint64 n_pages;
  guint32 vcpus;
  guint8 uuid[16];
  char name[256];

  _Atomic guint32 kick; /* futex: changes when the guest should look again */
  _Atomic guint32 state;
  _Atomic guint32 shutdown_reason; /* libxl_shutdown_reason */
  _Atomic guint32 paused;
  _Atomic guint32 ask;
  _Atomic guint32 log_dirty;
  _Atomic gint32 guest_pid;
  _Atomic guint64 cpu_time_ns;
  _Atomic guint64 counter;    /* a copy for onlookers */
  _Atomic guint64 target_kib; /* the balloon's; 0: all it has */
  char tty[64];
  _Atomic guint32 cap;     /* the scheduler's: percent of one processor; 0: none */
  _Atomic guint64 dirty[]; /* one bit a page */
} SimBlock;

/* The page that is the guest's own state; it travels with the image. */
typedef struct {
  guint64 magic;
  guint64 counter;
  guint64 random;
  guint64 fresh; /* 1: never beaten yet */
} SimGuestState;

#define SIM_GUEST_MAGIC G_GUINT64_CONSTANT (0x6665727279677565)

/* $XF_SIM_HOST, made when missing; NULL when the variable is not set. */
const char *host_dir (void);

char *host_path (const char *dir, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* The control file's value for @key, of guest @name (may be NULL) if it has one of its own: "NAME.key=value". */
char *host_control (const char *dir, const char *name, const char *key);
guint64 host_control_number (const char *dir, const char *name, const char *key, guint64 otherwise);

/* TRUE when the control file's @what ("fail", "die") names @point, for this guest. */
gboolean host_control_point (const char *dir, const char *name, const char *what, const char *point);

/* Waits as long as the control file's "pause" names @point. */
void host_pause_at (const char *dir, const char *name, const char *point);

/* TRUE when the control file's @what ("stop", "die") has a pattern for @point, for this guest (may be NULL), and this
 * is the first time since the file was last written. */
gboolean host_control_strikes (const char *dir, const char *name, const char *what, const char *point);

/* Appends "TIME WORDS" to the trace. */
void host_trace (const char *dir, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* Touches events/. */
void host_notify (const char *dir, guint32 domid);

/* ---- calls of libxl ---------------------------------------------------------------------------------------- */

/* Counts one more, and returns its number, from 1. @fails_out: it is the one that the control file's "fail-nth", or
 * without that $XF_SIM_FAIL_NTH, wants to fail. Counting begins anew when the control file's number changes. Of any
 * thread and process. */
guint32 host_calls_add (const char *dir, gboolean *fails_out);
guint32 host_calls_count (const char *dir);
void host_calls_reset (const char *dir);

/* ---- domains ---------------------------------------------------------------------------------------------- */

/* Makes a domain: building, paused. 0 on error. */
guint32 host_domain_new (const char *dir, const char *name, const guint8 *uuid, guint32 type, guint64 n_pages,
                         guint32 vcpus, const char *json);

/* The ids of all domains, ascending. */
GArray *host_domains (const char *dir);

/* Maps the control block; NULL when there is no such domain. */
SimBlock *host_block_map (const char *dir, guint32 domid);
void host_block_unmap (SimBlock *block);

/* KiB that the guest has now. */
guint64 host_block_kib (const SimBlock *block);

/* Maps the guest's memory. */
guint8 *host_memory_map (const char *dir, const SimBlock *block, gboolean writable);

/* Starts the guest's process, which outlives the caller. */
gboolean host_guest_start (const char *dir, guint32 domid);

void host_kick (SimBlock *block);
void host_set_paused (const char *dir, SimBlock *block, gboolean paused);

/* Kills the guest's process and removes all that belongs to the domain; with "linger-ms" in the control file only so
 * much later, and until then the domain is dying. FALSE: there is none. */
gboolean host_domain_destroy (const char *dir, guint32 domid);

/* The same at once, whatever the control file says. */
gboolean host_domain_remove (const char *dir, guint32 domid);

/* The host boots: its domains are gone, their numbers begin anew, and the boot has another id. */
void host_boot (const char *dir);

/* The id of its present boot; NULL: it has not booted since it was made. */
char *host_boot_id (const char *dir);

/* Bytes free for guests. */
/* dom0's memory; less than at boot when it has given some back. */
guint64 host_dom0_kib (const char *dir);
gboolean host_set_dom0_kib (const char *dir, guint64 kib);
guint64 host_free_kib (const char *dir);
guint64 host_total_kib (const char *dir);

/* Where xenferry-sim-guest and xenferry-sim-helper lie. */
char *host_program (const char *name);
