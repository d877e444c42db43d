/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one table between xenferry's errors and libvirt's: number, subsystem and the pattern of the text. It is used for
 * errors to clients (GError to wire) and for errors from peers (wire to GError). No other file of xenferry knows
 * libvirt's error numbers, except for the RPC layer's own refusals (rpc/call.c).
 */
#pragma once

#include <glib.h>

#include "base/error.h"

typedef struct {
  XfErrorCode code;
  int number;         /* virErrorNumber */
  int domain;         /* virErrorDomain */
  const char *format; /* libvirt's pattern, sent as str1; one %s, at the end, for the detail */
} XfErrorMapping;

/* The row of @error; an error of a domain other than XF_ERROR counts as internal. Never NULL. */
const XfErrorMapping *xf_error_map_find (const GError *error);

/* The complete text for the user: the row's pattern with the message of @error. */
char *xf_error_map_text (const GError *error);

/* The GError for another daemon's error: the nearest code and the peer's text, without the pattern that
 * xf_error_map_text() would add a second time. @text NULL: the peer sent no text. */
GError *xf_error_map_from_wire (int number, const char *text);
