/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one table between xenferry's errors and libvirt's: number, subsystem and the frame of the text. Both ways:
 * what a client is told (GError to wire), and what a peer told us (wire to GError). Nothing else in xenferry knows
 * libvirt's error numbers.
 */
#pragma once

#include <glib.h>

#include "base/error.h"

typedef struct {
  XfErrorCode code;
  int number;         /* virErrorNumber */
  int domain;         /* virErrorDomain */
  const char *format; /* one %s: the detail. What libvirt itself puts around it, and sends as str1 */
} XfErrorMapping;

/* The row of @error; an error of another domain than XF_ERROR is an internal one. Never NULL. */
const XfErrorMapping *xf_error_map_find (const GError *error);

/* The whole text a person sees: the row's format with the detail of @error. */
char *xf_error_map_text (const GError *error);

/* An error that another daemon answered: nearest code and the peer's own text, without the frame that
 * xf_error_map_text() would put around it a second time. @text NULL: the peer said nothing. */
GError *xf_error_map_from_wire (int number, const char *text);
