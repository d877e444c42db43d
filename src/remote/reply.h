/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Helpers that answer a call. Each sends the answer and frees the call. xf_reply_done() and xf_reply_ref_done() are
 * callbacks for the driver, with the call as their data, for calls that are answered later.
 */
#pragma once

#include "base/error.h"
#include "driver.h"
#include "remote/remote_private.h"

/* Converts @error to an error of the wire. */
void xf_reply_wire_error (const GError *error, XfWireError *wire_out);

void xf_reply_error (XfCall *call, const GError *error);
void xf_reply_refuse (XfCall *call, XfErrorCode code, const char *format, ...) G_GNUC_PRINTF (3, 4);

void xf_reply_void (XfCall *call);
void xf_reply_int (XfCall *call, int value);
void xf_reply_u64 (XfCall *call, guint64 value);
void xf_reply_string (XfCall *call, const char *value);

/* Answer with @error if it is set, otherwise with the value. For the result of a synchronous driver call. */
void xf_reply_void_or (XfCall *call, const GError *error);
void xf_reply_int_or (XfCall *call, int value, const GError *error);
void xf_reply_u64_or (XfCall *call, guint64 value, const GError *error);
void xf_reply_string_or (XfCall *call, const char *value, const GError *error);
void xf_reply_ref_or (XfCall *call, const XfDomainRef *ref, const GError *error);

void xf_reply_done (const GError *error, gpointer call);
void xf_reply_ref_done (const XfDomainRef *ref, const GError *error, gpointer call);
