/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remote/reply.h"

#include "base/log.h"
#include "remote/convert.h"
#include "remote/error_map.h"

void
xf_reply_wire_error (const GError *error, XfWireError *wire_out)
{
  const XfErrorMapping *mapping = xf_error_map_find (error);
  g_autofree char *text = xf_error_map_text (error);

  /* What it repeats may be a peer's words, or the client's own. */
  wire_out->code = mapping->number;
  wire_out->domain = mapping->domain;
  wire_out->message = xf_log_escape (text);
  wire_out->format = (char *)mapping->format; /* static; never freed */
  wire_out->detail = xf_log_escape (error->message);
}

void
xf_reply_error (XfCall *call, const GError *error)
{
  g_auto (XfWireError) wire = { 0 };

  xf_reply_wire_error (error, &wire);
  g_info ("%s: %s failed: %s", xf_conn_name (xf_call_conn (call)), xf_call_name (call), wire.message);
  xf_call_fail (call, &wire);
}

void
xf_reply_refuse (XfCall *call, XfErrorCode code, const char *format, ...)
{
  g_autoptr (GError) error = NULL;
  va_list args;

  va_start (args, format);
  error = g_error_new_valist (XF_ERROR, code, format, args);
  va_end (args);
  xf_reply_error (call, error);
}

void
xf_reply_void (XfCall *call)
{
  xf_void ret = { 0 };

  xf_call_reply (call, &ret);
}

void
xf_reply_int (XfCall *call, int value)
{
  xf_int_ret ret = { value };

  xf_call_reply (call, &ret);
}

void
xf_reply_u64 (XfCall *call, guint64 value)
{
  xf_u64_ret ret = { value };

  xf_call_reply (call, &ret);
}

void
xf_reply_string (XfCall *call, const char *value)
{
  xf_string_ret ret = { (char *)value };

  xf_call_reply (call, &ret);
}

void
xf_reply_void_or (XfCall *call, const GError *error)
{
  if (error)
    xf_reply_error (call, error);
  else
    xf_reply_void (call);
}

void
xf_reply_int_or (XfCall *call, int value, const GError *error)
{
  if (error)
    xf_reply_error (call, error);
  else
    xf_reply_int (call, value);
}

void
xf_reply_u64_or (XfCall *call, guint64 value, const GError *error)
{
  if (error)
    xf_reply_error (call, error);
  else
    xf_reply_u64 (call, value);
}

void
xf_reply_string_or (XfCall *call, const char *value, const GError *error)
{
  if (error)
    xf_reply_error (call, error);
  else
    xf_reply_string (call, value);
}

void
xf_reply_ref_or (XfCall *call, const XfDomainRef *ref, const GError *error)
{
  xf_dom_ret ret;

  if (error) {
    xf_reply_error (call, error);
    return;
  }
  ret.dom = xf_convert_dom (ref);
  xf_call_reply (call, &ret);
}

void
xf_reply_done (const GError *error, gpointer call)
{
  xf_reply_void_or (call, error);
}

void
xf_reply_ref_done (const XfDomainRef *ref, const GError *error, gpointer call)
{
  xf_reply_ref_or (call, ref, error);
}
