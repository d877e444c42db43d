/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remote/convert.h"

#include <string.h>

xf_domain
xf_convert_dom (const XfDomainRef *ref)
{
  xf_domain dom = { .name = ref->name, .id = ref->id };

  memcpy (dom.uuid, ref->uuid, sizeof (dom.uuid));
  return dom;
}

XfDomainRef
xf_convert_ref (const xf_domain *dom)
{
  XfDomainRef ref = { .name = dom->name, .id = dom->id };

  memcpy (ref.uuid, dom->uuid, sizeof (ref.uuid));
  return ref;
}

static xf_param_value
value_to_wire (const XfTypedParam *param)
{
  xf_param_value value = { .type = param->type };

  switch (param->type) {
  case XF_PARAM_INT:
    value.xf_param_value_u.i = param->i;
    break;
  case XF_PARAM_UINT:
    value.xf_param_value_u.ui = param->ui;
    break;
  case XF_PARAM_LLONG:
    value.xf_param_value_u.l = param->l;
    break;
  case XF_PARAM_ULLONG:
    value.xf_param_value_u.ul = param->ul;
    break;
  case XF_PARAM_DOUBLE:
    value.xf_param_value_u.d = param->d;
    break;
  case XF_PARAM_BOOLEAN:
    value.xf_param_value_u.b = param->b != FALSE;
    break;
  case XF_PARAM_STRING:
    value.xf_param_value_u.s = param->s;
    break;
  }
  return value;
}

xf_param *
xf_convert_params_to_wire (const XfTypedParams *params, guint *n_out)
{
  xf_param *wire = g_new0 (xf_param, params ? params->len : 0);

  *n_out = params ? params->len : 0;
  for (guint i = 0; i < *n_out; i++) {
    const XfTypedParam *param = xf_typed_params_index (params, i);

    wire[i].field = param->name;
    wire[i].value = value_to_wire (param);
  }
  return wire;
}

static void
add_from_wire (XfTypedParams *params, const xf_param *wire)
{
  const xf_param_value *value = &wire->value;

  switch (value->type) {
  case XF_PARAM_INT:
    xf_typed_params_add_int (params, wire->field, value->xf_param_value_u.i);
    break;
  case XF_PARAM_UINT:
    xf_typed_params_add_uint (params, wire->field, value->xf_param_value_u.ui);
    break;
  case XF_PARAM_LLONG:
    xf_typed_params_add_llong (params, wire->field, value->xf_param_value_u.l);
    break;
  case XF_PARAM_ULLONG:
    xf_typed_params_add_ullong (params, wire->field, value->xf_param_value_u.ul);
    break;
  case XF_PARAM_DOUBLE:
    xf_typed_params_add_double (params, wire->field, value->xf_param_value_u.d);
    break;
  case XF_PARAM_BOOLEAN:
    xf_typed_params_add_boolean (params, wire->field, value->xf_param_value_u.b != 0);
    break;
  case XF_PARAM_STRING:
    xf_typed_params_add_string (params, wire->field, value->xf_param_value_u.s);
    break;
  default:
    break; /* the decoder has refused it */
  }
}

XfTypedParams *
xf_convert_params_from_wire (const xf_param *params, guint n)
{
  XfTypedParams *copy = xf_typed_params_new ();

  for (guint i = 0; i < n; i++)
    add_from_wire (copy, &params[i]);
  return copy;
}

GBytes *
xf_convert_cookie_from_wire (const char *bytes, guint length)
{
  return length ? g_bytes_new (bytes, length) : NULL;
}

char *
xf_convert_cookie_to_wire (GBytes *cookie, guint *length_out)
{
  gsize length = 0;
  gconstpointer bytes = cookie ? g_bytes_get_data (cookie, &length) : NULL;

  *length_out = (guint)length;
  return (char *)bytes;
}
