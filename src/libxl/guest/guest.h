/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A guest, and the registry of guests. A guest is in the registry while it runs here, is defined here, or has a job.
 * It is removed at the end of its last job when none of that holds.
 *
 * A guest that is being received is in the registry too, so that its name and UUID are taken, but lists and lookups
 * hide it until it runs here (libvirt's driver shows it as shut off and lets clients start it).
 */
#pragma once

#include "conf/domain_def.h"
#include "driver.h"
#include "libxl/guest/job.h"

struct XfGuest {
  XfDriver *driver;
  char *name;
  guint8 uuid[XF_UUID_LENGTH];
  int domid;               /* -1: it does not run here */
  XfDomainDef *def;        /* of the running guest, or NULL */
  XfDomainDef *persistent; /* its stored definition, or NULL */
  char *file;              /* its definition is in FILE.xml; NULL: in the file of its own name, or there is none */
  char *refused; /* the reason why this driver refuses persistent, which is then only shown (definitions.h); or NULL */
  gboolean autostart;
  int state, reason;    /* virDomainState and its reason */
  gboolean incoming;    /* it is being received */
  gboolean foreign;     /* another toolstack started it, and may manage its end */
  guint keeper_id;      /* it has ended: that toolstack may act first */
  gboolean may_suspend; /* a migration that is over had asked it to suspend, and it may still do so */
  gboolean watch_spent; /* libxl has reported one shutdown, and reports only one to each watch */
  int dumped;           /* the domid whose memory was dumped after its end; or 0 */
  gboolean end_seen;    /* it ended during a job: to be examined when the job has ended */
  char *refused_name;   /* the name that another toolstack gave it and that is not possible here; or NULL */
  char *tty;            /* of its console */
  char *message;        /* a message for virsh dominfo, or NULL */
  XfJob *job;
  GSList *job_waiters;      /* used by job.c */
  XfTypedParams *completed; /* of its last job, or NULL */
  guint64 max_speed_mib;
  guint64 max_downtime_ms; /* 0: not set */
  gpointer death_watch;    /* libxl_evgen_domain_death */
};

/* ---- registry --------------------------------------------------------------------------------------------- */

/* These find hidden guests too. Calls for clients use xf_guest_find_or_error(). */
XfGuest *xf_guest_find_uuid (XfDriver *driver, const guint8 *uuid);
XfGuest *xf_guest_find_name (XfDriver *driver, const char *name);
XfGuest *xf_guest_find_domid (XfDriver *driver, int domid);

gboolean xf_guest_is_visible (const XfGuest *guest);

/* The definition of a visible guest: the running one, else the stored one. */
const XfDomainDef *xf_guest_current_def (const XfGuest *guest);

/* @flags: virConnectListAllDomainsFlags, in groups. A group filters only if some of its bits are set. */
gboolean xf_guest_matches (const XfGuest *guest, guint flags);

/* A visible guest, or XF_ERROR_NO_DOMAIN. */
XfGuest *xf_guest_find_or_error (XfDriver *driver, const guint8 *uuid, GError **error);

/* The guest with this name and UUID; it is created if it does not exist. Refused if the name belongs to another UUID,
 * the UUID to another name, or the guest is being received. */
XfGuest *xf_guest_claim (XfDriver *driver, const char *name, const guint8 *uuid, GError **error);

/* The same for a guest that is to be received: refused also if it runs here. Marks it incoming. */
XfGuest *xf_guest_reserve_incoming (XfDriver *driver, const char *name, const guint8 *uuid, GError **error);
void xf_guest_release_incoming (XfGuest *guest);
void xf_guest_set_incoming (XfGuest *guest, gboolean incoming);

/* Frees the guest if it neither runs nor is defined nor has a job. */
void xf_guest_release_if_unneeded (XfGuest *guest);
void xf_guest_free (XfGuest *guest);

XfDomainRef *xf_guest_ref (const XfGuest *guest);

/* ---- changes of its state --------------------------------------------------------------------------------- */

/* The guest runs here now, with definition @def (taken). Watches for its end, writes its status. Sends no event. */
void xf_guest_now_running (XfGuest *guest, int domid, XfDomainDef *def, int state, int reason);

/* The guest does not run here any longer. Sends no event. The object exists at least until its job ends. */
void xf_guest_gone (XfGuest *guest, int state, int reason);

void xf_guest_set_state (XfGuest *guest, int state, int reason);
void xf_guest_set_message (XfGuest *guest, const char *message);

/* Stores @def (taken on success) as the guest's definition. Refused if that would overwrite a file that another
 * program wrote. */
gboolean xf_guest_make_persistent (XfGuest *guest, XfDomainDef *def, GError **error);
void xf_guest_remove_persistent (XfGuest *guest);

void xf_guest_emit_lifecycle (XfGuest *guest, int event, int detail);
void xf_guest_emit_iteration (XfGuest *guest, int iteration);
void xf_guest_emit_job_completed (XfGuest *guest, const XfTypedParams *params);
