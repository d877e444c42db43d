/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/typed_params.h"

static void
clear_param (gpointer data)
{
  XfTypedParam *param = data;

  g_free (param->name);
  if (param->type == XF_PARAM_STRING)
    g_free (param->s);
}

XfTypedParams *
xf_typed_params_new (void)
{
  GArray *params = g_array_new (FALSE, TRUE, sizeof (XfTypedParam));

  g_array_set_clear_func (params, clear_param);
  return params;
}

XfTypedParams *
xf_typed_params_copy (const XfTypedParams *params)
{
  XfTypedParams *copy = xf_typed_params_new ();

  for (guint i = 0; i < params->len; i++) {
    XfTypedParam param = *xf_typed_params_index (params, i);

    param.name = g_strdup (param.name);
    if (param.type == XF_PARAM_STRING)
      param.s = g_strdup (param.s);
    g_array_append_val (copy, param);
  }
  return copy;
}

#define DEFINE_ADD(word, ctype, number, field)                                                                         \
  void xf_typed_params_add_##word (XfTypedParams *params, const char *name, ctype value)                               \
  {                                                                                                                    \
    XfTypedParam param = { .name = g_strdup (name), .type = number, .field = value };                                  \
                                                                                                                       \
    g_array_append_val (params, param);                                                                                \
  }

DEFINE_ADD (int, gint32, XF_PARAM_INT, i)
DEFINE_ADD (uint, guint32, XF_PARAM_UINT, ui)
DEFINE_ADD (llong, gint64, XF_PARAM_LLONG, l)
DEFINE_ADD (ullong, guint64, XF_PARAM_ULLONG, ul)
DEFINE_ADD (double, double, XF_PARAM_DOUBLE, d)
DEFINE_ADD (boolean, gboolean, XF_PARAM_BOOLEAN, b)

void
xf_typed_params_add_string (XfTypedParams *params, const char *name, const char *value)
{
  XfTypedParam param = { .name = g_strdup (name), .type = XF_PARAM_STRING, .s = g_strdup (value) };

  g_array_append_val (params, param);
}

const XfTypedParam *
xf_typed_params_index (const XfTypedParams *params, guint n)
{
  return &g_array_index (params, XfTypedParam, n);
}

const XfTypedParam *
xf_typed_params_find (const XfTypedParams *params, const char *name)
{
  for (guint i = 0; i < params->len; i++) {
    const XfTypedParam *param = xf_typed_params_index (params, i);

    if (g_str_equal (param->name, name))
      return param;
  }
  return NULL;
}

void
xf_typed_params_remove (XfTypedParams *params, const char *name)
{
  for (guint i = params->len; i > 0; i--) {
    if (g_str_equal (xf_typed_params_index (params, i - 1)->name, name))
      g_array_remove_index (params, i - 1);
  }
}

const char *
xf_param_type_name (XfParamType type)
{
  static const char *const names[] = { NULL,     "int",     "unsigned int", "long long", "unsigned long long",
                                       "double", "boolean", "string" };

  return (guint)type < G_N_ELEMENTS (names) && names[type] ? names[type] : "unknown type";
}
