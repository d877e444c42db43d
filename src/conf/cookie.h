/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The migration cookie: libvirt's <libxl-migration>, with one more child that libvirt's reader ignores and by which two
 * xenferries recognise each other. On the wire it is XML text *with* its terminating NUL (docs/wire.md, Cookies), or
 * nothing.
 */
#pragma once

#include <glib.h>

#include "conf/uuid.h"

/* The libxl stream version that we send and accept (LIBXL_SAVE_VERSION, 2 since Xen 4.6). */
#define XF_STREAM_VERSION 2

typedef enum { XF_FEATURE_OFFERED, XF_FEATURE_OPTIONAL, XF_FEATURE_REQUIRED } XfFeatureNeed;

typedef struct {
  char *name;
  XfFeatureNeed need;
} XfFeature;

/* The source's measurements when everything is sent. The destination reports them, because clients ask it afterwards.
 */
typedef struct {
  guint64 bytes, pages;
  guint64 content; /* bytes of libxl's stream before packing; 0: the same as bytes */
  guint64 iteration;
  guint64 dirty_rate;   /* pages per second */
  guint64 suspended_us; /* the guest's downtime until now */
} XfCookieProgress;

typedef enum { XF_COOKIE_UNSAID, XF_COOKIE_PAUSED, XF_COOKIE_RUNNING } XfCookieGuest;

typedef struct {
  char *name;
  guint8 uuid[XF_UUID_SIZE];
  char *hostname;
  guint stream_version;
  gboolean is_xenferry;      /* the cookie has the peer element */
  guint8 id[XF_UUID_SIZE];   /* of the migration; only then */
  GArray *features;          /* of XfFeature; only then */
  gboolean sent;             /* likewise, a source's: everything is sent, and its journal says so */
  XfCookieGuest guest;       /* likewise: how it was when it was suspended */
  XfCookieProgress progress; /* likewise; zero when the peer sent none */
  char *config;              /* likewise: the guest's libxl configuration, in libxl's JSON, or NULL */
  char *secret;              /* likewise, a destination's: needed to ask for the outcome of the migration; or NULL */
  guint settle_port;         /* port for that question; 0: only the URI by which the source reached the destination */
  char *cancelled;   /* a source's that cancels: its reason; parsed, it is safe for a line of the log; or NULL */
  char *warnings;    /* a destination's, in its answer to finish: what does not work there; likewise; or NULL */
  char *token;       /* a destination's: the token of the data connections' tickets, or NULL */
  GHashTable *facts; /* a source's: "disk:xvda size" -> value, of the guest's resources; NULL: none */
} XfCookie;

XfCookie *xf_cookie_new (const char *name, const guint8 *uuid, const char *hostname);
void xf_cookie_free (XfCookie *cookie);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfCookie, xf_cookie_free)

/* Adds the peer element, for the migration @id. */
void xf_cookie_set_peer (XfCookie *cookie, const guint8 *id);
void xf_cookie_add_feature (XfCookie *cookie, const char *name, XfFeatureNeed need);

GBytes *xf_cookie_format (const XfCookie *cookie);

/* NULL without @error for an empty cookie. Errors: not NUL-terminated, too large, malformed, name or uuid missing, an
 * unsupported stream version. */
XfCookie *xf_cookie_parse (GBytes *bytes, GError **error);

/* FALSE when the peer requires a feature that is not among @known (NULL-terminated); @error names it. */
gboolean xf_cookie_check_features (const XfCookie *cookie, const char *const *known, GError **error);
