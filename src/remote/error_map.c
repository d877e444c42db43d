/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remote/error_map.h"

#include <string.h>

#include <libvirt/virterror.h>

#include "base/log.h"

/* The patterns are those of libvirt's client library, because tools search for these texts. A number whose usual
 * pattern would be misleading ("invalid stream pointer in ...") has a plain "%s". */
static const XfErrorMapping mappings[] = {
  { XF_ERROR_INTERNAL, VIR_ERR_INTERNAL_ERROR, VIR_FROM_LIBXL, "internal error: %s" },
  { XF_ERROR_NO_SUPPORT, VIR_ERR_NO_SUPPORT, VIR_FROM_DOMAIN,
    "this function is not supported by the connection driver: %s" },
  { XF_ERROR_NO_CONNECT, VIR_ERR_SYSTEM_ERROR, VIR_FROM_RPC, "%s" },
  { XF_ERROR_INVALID_ARG, VIR_ERR_INVALID_ARG, VIR_FROM_LIBXL, "invalid argument: %s" },
  { XF_ERROR_OPERATION_FAILED, VIR_ERR_OPERATION_FAILED, VIR_FROM_LIBXL, "operation failed: %s" },
  { XF_ERROR_XML, VIR_ERR_XML_ERROR, VIR_FROM_DOMAIN, "XML error: %s" },
  /* Not 28: libvirt's own drivers use 9 for a name or uuid that is in use, and tools expect that. */
  { XF_ERROR_DOMAIN_EXISTS, VIR_ERR_OPERATION_FAILED, VIR_FROM_DOMAIN, "operation failed: %s" },
  { XF_ERROR_DENIED, VIR_ERR_OPERATION_DENIED, VIR_FROM_RPC, "operation forbidden: %s" },
  { XF_ERROR_SYSTEM, VIR_ERR_SYSTEM_ERROR, VIR_FROM_LIBXL, "%s" },
  { XF_ERROR_RPC, VIR_ERR_RPC, VIR_FROM_RPC, "%s" },
  { XF_ERROR_NO_DOMAIN, VIR_ERR_NO_DOMAIN, VIR_FROM_LIBXL, "Domain not found: %s" },
  { XF_ERROR_AUTH_FAILED, VIR_ERR_AUTH_FAILED, VIR_FROM_RPC, "authentication failed: %s" },
  { XF_ERROR_OPERATION_INVALID, VIR_ERR_OPERATION_INVALID, VIR_FROM_LIBXL, "Requested operation is not valid: %s" },
  { XF_ERROR_CONFIG_UNSUPPORTED, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_LIBXL, "unsupported configuration: %s" },
  { XF_ERROR_TIMEOUT, VIR_ERR_OPERATION_TIMEOUT, VIR_FROM_LIBXL, "Timed out during operation: %s" },
  { XF_ERROR_PERSIST_FAILED, VIR_ERR_MIGRATE_PERSIST_FAILED, VIR_FROM_LIBXL,
    "Failed to make domain persistent after migration: %s" },
  { XF_ERROR_INVALID_STREAM, VIR_ERR_INVALID_STREAM, VIR_FROM_STREAMS, "%s" },
  { XF_ERROR_ARGUMENT_UNSUPPORTED, VIR_ERR_ARGUMENT_UNSUPPORTED, VIR_FROM_LIBXL, "argument unsupported: %s" },
  { XF_ERROR_ABORTED, VIR_ERR_OPERATION_ABORTED, VIR_FROM_LIBXL, "operation aborted: %s" },
  { XF_ERROR_NO_METADATA, VIR_ERR_NO_DOMAIN_METADATA, VIR_FROM_DOMAIN, "metadata not found: %s" },
  { XF_ERROR_MIGRATE_UNSAFE, VIR_ERR_MIGRATE_UNSAFE, VIR_FROM_LIBXL, "Unsafe migration: %s" },
  { XF_ERROR_OPERATION_UNSUPPORTED, VIR_ERR_OPERATION_UNSUPPORTED, VIR_FROM_LIBXL, "Operation not supported: %s" },
  { XF_ERROR_RESOURCE_BUSY, VIR_ERR_RESOURCE_BUSY, VIR_FROM_LIBXL, "resource busy: %s" },
  { XF_ERROR_HOOK_FAILED, VIR_ERR_HOOK_SCRIPT_FAILED, VIR_FROM_HOOK, "Hook script execution failed: %s" },
  { XF_ERROR_FINISH_OK, VIR_ERR_MIGRATE_FINISH_OK, VIR_FROM_LIBXL, "migration successfully aborted: %s" },
  { XF_ERROR_GUEST_TIMEDOUT, VIR_ERR_OPERATION_TIMEOUT, VIR_FROM_LIBXL, "Timed out during operation: %s" },
};

/* Numbers that only peers send: our own errors use another number, or do not exist. */
static const struct {
  int number;
  XfErrorCode code;
} incoming[] = {
  { VIR_ERR_NO_CONNECT, XF_ERROR_NO_CONNECT },   { VIR_ERR_DOM_EXIST, XF_ERROR_DOMAIN_EXISTS },
  { VIR_ERR_XML_DETAIL, XF_ERROR_XML },          { VIR_ERR_AUTH_CANCELLED, XF_ERROR_AUTH_FAILED },
  { VIR_ERR_ACCESS_DENIED, XF_ERROR_DENIED },    { VIR_ERR_AUTH_UNAVAILABLE, XF_ERROR_AUTH_FAILED },
  { VIR_ERR_NO_MEMORY, XF_ERROR_RESOURCE_BUSY },
};

static const XfErrorMapping *
find_code (XfErrorCode code)
{
  for (guint i = 0; i < G_N_ELEMENTS (mappings); i++) {
    if (mappings[i].code == code)
      return &mappings[i];
  }
  return &mappings[0];
}

const XfErrorMapping *
xf_error_map_find (const GError *error)
{
  return find_code (error->domain == XF_ERROR ? (XfErrorCode)error->code : XF_ERROR_INTERNAL);
}

/* Every pattern ends with "%s": the length of the text before it. */
static gsize
frame_length (const XfErrorMapping *mapping)
{
  return strlen (mapping->format) - strlen ("%s");
}

char *
xf_error_map_text (const GError *error)
{
  const XfErrorMapping *mapping = xf_error_map_find (error);

  return g_strdup_printf ("%.*s%s", (int)frame_length (mapping), mapping->format, error->message);
}

static const XfErrorMapping *
find_number (int number)
{
  for (guint i = 0; i < G_N_ELEMENTS (incoming); i++) {
    if (incoming[i].number == number)
      return find_code (incoming[i].code);
  }
  for (guint i = 0; i < G_N_ELEMENTS (mappings); i++) {
    /* NO_CONNECT has the same number as SYSTEM; from a peer it means the peer's system. */
    if (mappings[i].number == number && mappings[i].code != XF_ERROR_NO_CONNECT)
      return &mappings[i];
  }
  return find_code (XF_ERROR_OPERATION_FAILED);
}

GError *
xf_error_map_from_wire (int number, const char *text)
{
  const XfErrorMapping *mapping = find_number (number);
  gsize frame = frame_length (mapping);
  g_autofree char *shown = NULL;

  if (!text || !*text)
    return g_error_new (XF_ERROR, mapping->code, "the other daemon gave error %d without a text", number);
  if (strncmp (text, mapping->format, frame) == 0 && text[frame])
    text += frame;
  shown = xf_log_escape (text);
  return g_error_new_literal (XF_ERROR, mapping->code, shown);
}
