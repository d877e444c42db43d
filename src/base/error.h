/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one error domain of xenferry. Every failure inside the daemon is a GError of this domain; callers add guest, host
 * and phase with g_prefix_error(). The codes classify a failure for the client or peer; remote/ maps them to libvirt's
 * error numbers, and is the only folder that knows those.
 */
#pragma once

#include <glib.h>

#define XF_ERROR (xf_error_quark ())

typedef enum {
  XF_ERROR_INTERNAL,              /* an internal failure that should not happen */
  XF_ERROR_NO_SUPPORT,            /* this driver has no such function */
  XF_ERROR_NO_CONNECT,            /* a connection could not be made or was lost */
  XF_ERROR_INVALID_ARG,           /* an argument or flag is not acceptable */
  XF_ERROR_OPERATION_FAILED,      /* tried, and failed */
  XF_ERROR_XML,                   /* malformed or contradictory XML */
  XF_ERROR_DOMAIN_EXISTS,         /* name or uuid is taken */
  XF_ERROR_DENIED,                /* read-only connection, or policy */
  XF_ERROR_SYSTEM,                /* a system call failed */
  XF_ERROR_RPC,                   /* a frame or its payload is wrong, or an unknown procedure */
  XF_ERROR_NO_DOMAIN,             /* no such guest */
  XF_ERROR_AUTH_FAILED,           /* authentication failed */
  XF_ERROR_OPERATION_INVALID,     /* not in this state */
  XF_ERROR_CONFIG_UNSUPPORTED,    /* XML is well formed, but asks for what is not supported */
  XF_ERROR_TIMEOUT,               /* a deadline passed */
  XF_ERROR_PERSIST_FAILED,        /* guest runs, but its definition could not be stored */
  XF_ERROR_INVALID_STREAM,        /* a stream broke or was used wrongly */
  XF_ERROR_ARGUMENT_UNSUPPORTED,  /* a typed parameter is not served */
  XF_ERROR_ABORTED,               /* a person or client asked for it */
  XF_ERROR_NO_METADATA,           /* no such metadata */
  XF_ERROR_MIGRATE_UNSAFE,        /* refused as a precaution; --unsafe overrides */
  XF_ERROR_OPERATION_UNSUPPORTED, /* not with this guest, host or hypervisor */
  XF_ERROR_RESOURCE_BUSY,         /* another job or guest has it */
  XF_ERROR_HOOK_FAILED,           /* a script of the administrator has failed */
  XF_ERROR_FINISH_OK,             /* finish(cancelled) has cleaned up: nothing runs here */
  XF_ERROR_GUEST_TIMEDOUT,        /* guest did not acknowledge suspend: it must not be resumed */
} XfErrorCode;

GQuark xf_error_quark (void);

/* Sets @error to XF_ERROR_SYSTEM with the text, ": ", and strerror (@errnum). Always returns FALSE, so that a
 * caller can return the result. */
gboolean xf_error_set_errno (GError **error, int errnum, const char *format, ...) G_GNUC_PRINTF (3, 4);
