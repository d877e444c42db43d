/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The migration cookie: libvirt's <libxl-migration>, with one more child that libvirt's reader ignores and in which
 * two xenferries find each other. On the wire it is XML text *with* its terminating NUL (docs/wire.md,
 * Cookies); nothing, for a peer that sends none.
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

/* What the source has measured when all is sent: so that the destination, where the guest is then, can say it. */
typedef struct {
  guint64 bytes, pages;
  guint64 content; /* of libxl's stream, that the bytes were made of; 0: the same */
  guint64 iteration;
  guint64 dirty_rate;   /* pages a second */
  guint64 suspended_us; /* how long the guest has stood still by now */
} XfCookieProgress;

typedef struct {
  char *name;
  guint8 uuid[XF_UUID_SIZE];
  char *hostname;
  guint stream_version;
  gboolean is_xenferry;      /* the peer's element was there */
  guint8 id[XF_UUID_SIZE];   /* of the migration; only then */
  GArray *features;          /* of XfFeature; only then */
  gboolean sent;             /* likewise, a source's: all is sent, and durably so */
  XfCookieProgress progress; /* likewise; zero when the peer has said none */
  char *config;              /* likewise: the guest's libxl configuration, in libxl's JSON, or NULL */
  char *secret;              /* likewise, a destination's: who knows it may ask what became of the migration; or NULL */
  guint settle_port;         /* and where; 0: only where the destination was reached by the source itself */
  char *token;               /* a destination's: what data connections to it begin with, or NULL */
} XfCookie;

XfCookie *xf_cookie_new (const char *name, const guint8 *uuid, const char *hostname);
void xf_cookie_free (XfCookie *cookie);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfCookie, xf_cookie_free)

/* Makes it one of a xenferry, for the migration @id. */
void xf_cookie_set_peer (XfCookie *cookie, const guint8 *id);
void xf_cookie_add_feature (XfCookie *cookie, const char *name, XfFeatureNeed need);

GBytes *xf_cookie_format (const XfCookie *cookie);

/* NULL without @error for an empty cookie: a peer that says nothing. Errors: not NUL-terminated, too large, malformed,
 * name or uuid missing, a stream version we cannot read. */
XfCookie *xf_cookie_parse (GBytes *bytes, GError **error);

/* FALSE, with the name, when the peer requires a feature that is not among @known (NULL-terminated). */
gboolean xf_cookie_check_features (const XfCookie *cookie, const char *const *known, GError **error);
