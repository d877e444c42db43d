/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A guest and the registry of them. A guest is in it while it runs here, or has a definition here, or something is
 * being done with it; when none of that holds any more, it goes (with its last job's end).
 *
 * A guest that is being received is in the registry too, so that nobody else takes its name or uuid, but it is hidden
 * from everyone who looks until it runs here (libvirt's driver shows it as shut off and lets people start it).
 */
#pragma once

#include "conf/domain_def.h"
#include "driver.h"
#include "libxl/guest/job.h"

struct XfGuest {
  XfDriver *driver;
  char *name;
  guint8 uuid[XF_UUID_LENGTH];
  int domid;               /* -1: does not run here */
  XfDomainDef *def;        /* as it runs; NULL when it does not */
  XfDomainDef *persistent; /* as it is defined; NULL when it is not */
  char *file;              /* its definition is in FILE.xml; NULL: in one of its own name, or there is none */
  char *refused;           /* why persistent only shows: this driver refuses the definition (definitions.h); or NULL */
  gboolean autostart;
  int state, reason;    /* virDomainState and its reason */
  gboolean incoming;    /* being received */
  gboolean foreign;     /* another toolstack started it, and may look after it */
  guint keeper_id;      /* it has ended: that toolstack's turn */
  gboolean may_suspend; /* a migration that is over had asked it to, and it may still obey */
  gboolean watch_spent; /* libxl has told of one shutdown, and tells each watch of one only */
  int dumped;           /* the domid whose memory has been written to a file after its end; or 0 */
  gboolean end_seen;    /* while a job had it: looked at when that has ended */
  char *refused_name;   /* what others call it, which cannot be its name here; or NULL */
  char *tty;            /* of its console */
  char *message;        /* what a person should know, or NULL */
  XfJob *job;
  GSList *job_waiters;      /* job.c's */
  XfTypedParams *completed; /* its last job, or NULL */
  guint64 max_speed_mib;
  guint64 max_downtime_ms; /* 0: nobody has said */
  gpointer death_watch;    /* libxl_evgen_domain_death */
};

/* ---- registry --------------------------------------------------------------------------------------------- */

/* Hidden guests are found by these too: the caller who answers clients uses the ones below. */
XfGuest *xf_guest_find_uuid (XfDriver *driver, const guint8 *uuid);
XfGuest *xf_guest_find_name (XfDriver *driver, const char *name);
XfGuest *xf_guest_find_domid (XfDriver *driver, int domid);

gboolean xf_guest_is_visible (const XfGuest *guest);

/* What a visible guest is: as it runs, else as it is defined. */
const XfDomainDef *xf_guest_current_def (const XfGuest *guest);

/* virConnectListAllDomainsFlags, in groups: a group filters only when some of its bits are set. */
gboolean xf_guest_matches (const XfGuest *guest, guint flags);

/* A visible guest, or XF_ERROR_NO_DOMAIN. */
XfGuest *xf_guest_find_or_error (XfDriver *driver, const guint8 *uuid, GError **error);

/* The guest with this name and uuid, made if there is none. Refused when the name belongs to another uuid or the uuid
 * to another name, or when it is being received. */
XfGuest *xf_guest_claim (XfDriver *driver, const char *name, const guint8 *uuid, GError **error);

/* The same for a guest that is to be received: refused too when it runs here. Marks it incoming. */
XfGuest *xf_guest_reserve_incoming (XfDriver *driver, const char *name, const guint8 *uuid, GError **error);
void xf_guest_release_incoming (XfGuest *guest);
void xf_guest_set_incoming (XfGuest *guest, gboolean incoming);

/* Frees a guest that neither runs nor is defined nor is busy. */
void xf_guest_release_if_unneeded (XfGuest *guest);
void xf_guest_free (XfGuest *guest);

XfDomainRef *xf_guest_ref (const XfGuest *guest);

/* ---- what happens to it ----------------------------------------------------------------------------------- */

/* It runs here now, as @def (taken). Watches for its end, writes its status. No event. */
void xf_guest_now_running (XfGuest *guest, int domid, XfDomainDef *def, int state, int reason);

/* It does not run here any more. No event. The object lives on at least until its job ends. */
void xf_guest_gone (XfGuest *guest, int state, int reason);

void xf_guest_set_state (XfGuest *guest, int state, int reason);
void xf_guest_set_message (XfGuest *guest, const char *message);

/* Stores @def (taken on success) as its definition. Refused where that would write over what others wrote. */
gboolean xf_guest_make_persistent (XfGuest *guest, XfDomainDef *def, GError **error);
void xf_guest_remove_persistent (XfGuest *guest);

void xf_guest_emit_lifecycle (XfGuest *guest, int event, int detail);
void xf_guest_emit_iteration (XfGuest *guest, int iteration);
void xf_guest_emit_job_completed (XfGuest *guest, const XfTypedParams *params);
