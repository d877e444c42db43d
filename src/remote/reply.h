/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Short ways to answer a call. Each answers it; the call is gone afterwards. xf_reply_done(), xf_reply_ref_done() are
 * the driver's callbacks for calls that answer later, with the call as their data.
 */
#pragma once

#include "base/error.h"
#include "driver.h"
#include "remote/remote_private.h"

/* What @error says on the wire. */
void xf_reply_wire_error (const GError *error, XfWireError *wire_out);

void xf_reply_error (XfCall *call, const GError *error);
void xf_reply_refuse (XfCall *call, XfErrorCode code, const char *format, ...) G_GNUC_PRINTF (3, 4);

void xf_reply_void (XfCall *call);
void xf_reply_int (XfCall *call, int value);
void xf_reply_u64 (XfCall *call, guint64 value);
void xf_reply_string (XfCall *call, const char *value);

/* @error set: the error; else the value. For a synchronous driver call's result. */
void xf_reply_void_or (XfCall *call, const GError *error);
void xf_reply_int_or (XfCall *call, int value, const GError *error);
void xf_reply_u64_or (XfCall *call, guint64 value, const GError *error);
void xf_reply_string_or (XfCall *call, const char *value, const GError *error);
void xf_reply_ref_or (XfCall *call, const XfDomainRef *ref, const GError *error);

void xf_reply_done (const GError *error, gpointer call);
void xf_reply_ref_done (const XfDomainRef *ref, const GError *error, gpointer call);
