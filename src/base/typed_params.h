/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libvirt's typed parameters: a list of (name, type, value), names may repeat. The numbers of the types are the
 * wire's (docs/wire.md, Typed parameters).
 */
#pragma once

#include <glib.h>

typedef enum {
  XF_PARAM_INT = 1,
  XF_PARAM_UINT = 2,
  XF_PARAM_LLONG = 3,
  XF_PARAM_ULLONG = 4,
  XF_PARAM_DOUBLE = 5,
  XF_PARAM_BOOLEAN = 6,
  XF_PARAM_STRING = 7,
} XfParamType;

typedef struct {
  char *name;
  XfParamType type;
  union {
    gint32 i;
    guint32 ui;
    gint64 l;
    guint64 ul;
    double d;
    gboolean b;
    char *s; /* owned */
  };
} XfTypedParam;

/* An array of XfTypedParam that owns its names and strings. */
typedef GArray XfTypedParams;
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfTypedParams, g_array_unref)

XfTypedParams *xf_typed_params_new (void);
XfTypedParams *xf_typed_params_copy (const XfTypedParams *params);

void xf_typed_params_add_int (XfTypedParams *params, const char *name, gint32 value);
void xf_typed_params_add_uint (XfTypedParams *params, const char *name, guint32 value);
void xf_typed_params_add_llong (XfTypedParams *params, const char *name, gint64 value);
void xf_typed_params_add_ullong (XfTypedParams *params, const char *name, guint64 value);
void xf_typed_params_add_double (XfTypedParams *params, const char *name, double value);
void xf_typed_params_add_boolean (XfTypedParams *params, const char *name, gboolean value);
void xf_typed_params_add_string (XfTypedParams *params, const char *name, const char *value);

/* The n-th parameter, n < params->len. */
const XfTypedParam *xf_typed_params_index (const XfTypedParams *params, guint n);

/* The first parameter of that name, or NULL. */
const XfTypedParam *xf_typed_params_find (const XfTypedParams *params, const char *name);

/* Removes every parameter of that name. */
void xf_typed_params_remove (XfTypedParams *params, const char *name);

/* The type's name for messages: "int", "string", ... */
const char *xf_param_type_name (XfParamType type);
