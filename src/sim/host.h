/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A simulated Xen host: a directory. Its files and the guests' processes are the "hypervisor", which knows nothing of
 * daemons: a daemon may be killed and started again at any time.
 *
 *   DIR/control                 rates and faults, read when needed (host_control_*)
 *   DIR/trace                   one line for each event
 *   DIR/calls                   the number of libxl calls (calls.c)
 *   DIR/struck/                 one file for each stop and kill that has happened (strike.c)
 *   DIR/boot-id                 of the host's current boot; without it, the real machine's
 *   DIR/events/                 a file is touched here each time a domain's state changes
 *   DIR/console/NAME.log        the guest's output, with the time of each line
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

/* Shared by all processes that use the domain. All fields but the constant ones are atomic. */
typedef struct {
  /* constant once the domain is built */
  guint32 domid;
  guint32 type; /* libxl_domain_type */
  guint64 n_pages;
  guint32 vcpus;
  guint8 uuid[16];
  char name[256];

  _Atomic guint32 kick; /* futex: changes when the guest must read its block again */
  _Atomic guint32 state;
  _Atomic guint32 shutdown_reason; /* libxl_shutdown_reason */
  _Atomic guint32 paused;
  _Atomic guint32 ask;
  _Atomic guint32 log_dirty;
  _Atomic gint32 guest_pid;
  _Atomic guint64 cpu_time_ns;
  _Atomic guint64 counter;    /* a copy of the guest's, for readers outside */
  _Atomic guint64 target_kib; /* of the balloon; 0: all its memory */
  char tty[64];
  _Atomic guint32 cap;     /* of the scheduler: percent of one processor; 0: none */
  _Atomic guint64 dirty[]; /* one bit a page */
} SimBlock;

/* The page with the guest's own state; it is sent with the image. */
typedef struct {
  guint64 magic;
  guint64 counter;
  guint64 random;
  guint64 fresh; /* 1: it has not counted yet */
} SimGuestState;

#define SIM_GUEST_MAGIC G_GUINT64_CONSTANT (0x6665727279677565)

/* $XF_SIM_HOST, created if missing; NULL if the variable is not set. */
const char *host_dir (void);

char *host_path (const char *dir, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* The control file's value of @key, for guest @name (may be NULL) if there is a line "NAME.key=value". */
char *host_control (const char *dir, const char *name, const char *key);
guint64 host_control_number (const char *dir, const char *name, const char *key, guint64 otherwise);

/* TRUE if the control file's @what ("fail", "die") names @point, for this guest. */
gboolean host_control_point (const char *dir, const char *name, const char *what, const char *point);

/* Waits while the control file's "pause" names @point. */
void host_pause_at (const char *dir, const char *name, const char *point);

/* TRUE if the control file's @what ("stop", "die") has a pattern for @point, for this guest (may be NULL), and this is
 * the first such call since the file was last written. */
gboolean host_control_strikes (const char *dir, const char *name, const char *what, const char *point);

/* Appends "TIME WORDS" to the trace. */
void host_trace (const char *dir, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* Touches events/. */
void host_notify (const char *dir, guint32 domid);

/* ---- calls of libxl --------------------------------------------------------------------------------------- */

/* Counts a call and returns its number, from 1. @fails_out: set if the control file's "fail-nth", or without
 * that $XF_SIM_FAIL_NTH, is this number. Counting restarts at 1 when the control file's number changes. Safe from any
 * thread and process. */
guint32 host_calls_add (const char *dir, gboolean *fails_out);
guint32 host_calls_count (const char *dir);
void host_calls_reset (const char *dir);

/* ---- domains ---------------------------------------------------------------------------------------------- */

/* Makes a domain: being built, paused. 0 on error. */
guint32 host_domain_new (const char *dir, const char *name, const guint8 *uuid, guint32 type, guint64 n_pages,
                         guint32 vcpus, const char *json);

/* The ids of all domains, ascending. */
GArray *host_domains (const char *dir);

/* Maps the control block; NULL if there is no such domain. */
SimBlock *host_block_map (const char *dir, guint32 domid);
void host_block_unmap (SimBlock *block);

/* The guest's current memory in KiB. */
guint64 host_block_kib (const SimBlock *block);

/* Maps the guest's memory. */
guint8 *host_memory_map (const char *dir, const SimBlock *block, gboolean writable);

/* Starts the guest's process, which continues after the caller's end. */
gboolean host_guest_start (const char *dir, guint32 domid);

void host_kick (SimBlock *block);
void host_set_paused (const char *dir, SimBlock *block, gboolean paused);

/* Kills the guest's process and removes the domain's files; with "linger-ms" in the control file it removes them only
 * after that time, and until then the domain is dying. FALSE: there is no such domain. */
gboolean host_domain_destroy (const char *dir, guint32 domid);

/* The same without delay, whatever the control file says. */
gboolean host_domain_remove (const char *dir, guint32 domid);

/* Removes all domains, and what a daemon that was killed while it made or removed one has left: after the boot a new
 * domain gets the same number. */
void host_domains_remove (const char *dir);

/* Boots the host: its domains are gone, domids restart at 1, and the boot has another id. */
void host_boot (const char *dir);

/* The id of its current boot; NULL: it has not booted since it was made. */
char *host_boot_id (const char *dir);

/* Memory in KiB: of dom0 (less than at boot after it has given some back), free for guests, and in all. */
guint64 host_dom0_kib (const char *dir);
gboolean host_set_dom0_kib (const char *dir, guint64 kib);
guint64 host_free_kib (const char *dir);
guint64 host_total_kib (const char *dir);

/* The path of xenferry-sim-guest or xenferry-sim-helper. */
char *host_program (const char *name);
