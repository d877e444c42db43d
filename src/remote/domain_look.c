/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Calls that read: lists, lookups, information. They never wait for a job.
 */
#include <libvirt/libvirt.h>
#include <string.h>

#include "remote/convert.h"
#include "remote/reply.h"

/* ---- lists ------------------------------------------------------------------------------------------------ */

static GPtrArray *
list (XfCall *call, XfRemoteClient *client, guint flags)
{
  g_autoptr (GError) error = NULL;
  GPtrArray *refs = xf_driver_list (xf_driver_of (client), flags, &error);

  if (!refs)
    xf_reply_error (call, error);
  return refs;
}

void
xf_handle_CONNECT_LIST_ALL_DOMAINS (XfCall *call, const xf_list_all_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GPtrArray) refs = list (call, client, arguments->flags);
  g_autofree xf_domain *domains = NULL;
  xf_list_all_ret ret = { 0 };

  if (!refs)
    return;
  ret.count = refs->len;
  if (arguments->need_results) {
    domains = g_new (xf_domain, refs->len);
    for (guint i = 0; i < refs->len; i++)
      domains[i] = xf_convert_dom (refs->pdata[i]);
    ret.domains.domains_len = refs->len;
    ret.domains.domains_val = domains;
  }
  xf_call_reply (call, &ret);
}

static void
reply_count (XfCall *call, XfRemoteClient *client, guint flags)
{
  g_autoptr (GPtrArray) refs = list (call, client, flags);

  if (refs)
    xf_reply_int (call, (int)refs->len);
}

void
xf_handle_CONNECT_NUM_OF_DOMAINS (XfCall *call, const xf_void *arguments, XfRemoteClient *client)
{
  reply_count (call, client, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
}

void
xf_handle_CONNECT_NUM_OF_DEFINED_DOMAINS (XfCall *call, const xf_void *arguments, XfRemoteClient *client)
{
  reply_count (call, client, VIR_CONNECT_LIST_DOMAINS_INACTIVE);
}

/* The number of @refs for a client that asked for at most @max. */
static guint
bounded (const GPtrArray *refs, int max)
{
  return MIN (refs->len, (guint)MAX (max, 0));
}

void
xf_handle_CONNECT_LIST_DOMAINS (XfCall *call, const xf_int_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GPtrArray) refs = list (call, client, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
  g_autofree int *ids = NULL;
  xf_ids_ret ret;

  if (!refs)
    return;
  ids = g_new (int, refs->len);
  for (guint i = 0; i < refs->len; i++)
    ids[i] = ((const XfDomainRef *)refs->pdata[i])->id;
  ret.ids.ids_len = bounded (refs, arguments->value);
  ret.ids.ids_val = ids;
  xf_call_reply (call, &ret);
}

void
xf_handle_CONNECT_LIST_DEFINED_DOMAINS (XfCall *call, const xf_int_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GPtrArray) refs = list (call, client, VIR_CONNECT_LIST_DOMAINS_INACTIVE);
  g_autofree xf_string *names = NULL;
  xf_names_ret ret;

  if (!refs)
    return;
  names = g_new (xf_string, refs->len);
  for (guint i = 0; i < refs->len; i++)
    names[i] = ((const XfDomainRef *)refs->pdata[i])->name;
  ret.names.names_len = bounded (refs, arguments->value);
  ret.names.names_val = names;
  xf_call_reply (call, &ret);
}

/* ---- lookups ---------------------------------------------------------------------------------------------- */

void
xf_handle_DOMAIN_LOOKUP_BY_ID (XfCall *call, const xf_int_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (XfDomainRef) ref = xf_driver_lookup_id (xf_driver_of (client), arguments->value, &error);

  xf_reply_ref_or (call, ref, error);
}

void
xf_handle_DOMAIN_LOOKUP_BY_NAME (XfCall *call, const xf_string_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (XfDomainRef) ref = xf_driver_lookup_name (xf_driver_of (client), arguments->value, &error);

  xf_reply_ref_or (call, ref, error);
}

void
xf_handle_DOMAIN_LOOKUP_BY_UUID (XfCall *call, const xf_uuid_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (XfDomainRef) ref = xf_driver_lookup_uuid (xf_driver_of (client), (const guint8 *)arguments->uuid, &error);

  xf_reply_ref_or (call, ref, error);
}

/* ---- information ------------------------------------------------------------------------------------------ */

void
xf_handle_DOMAIN_GET_INFO (XfCall *call, const xf_dom_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;
  XfDomainInfo info = { 0 };
  xf_info_ret ret;

  if (!xf_driver_domain_info (xf_driver_of (client), xf_uuid_of (&arguments->dom), &info, &error)) {
    xf_reply_error (call, error);
    return;
  }
  ret = (xf_info_ret){ info.state, info.max_memory_kib, info.memory_kib, info.vcpus, info.cpu_time_ns };
  xf_call_reply (call, &ret);
}

void
xf_handle_DOMAIN_GET_STATE (XfCall *call, const xf_dom_flags_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;
  xf_state_ret ret = { 0 };

  if (arguments->flags)
    xf_reply_refuse (call, XF_ERROR_INVALID_ARG, "unsupported flags (0x%x) in virDomainGetState", arguments->flags);
  else if (!xf_driver_domain_state (xf_driver_of (client), xf_uuid_of (&arguments->dom), &ret.state, &ret.reason,
                                    &error))
    xf_reply_error (call, error);
  else
    xf_call_reply (call, &ret);
}

void
xf_handle_DOMAIN_GET_OS_TYPE (XfCall *call, const xf_dom_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;
  const char *type = xf_driver_domain_os_type (xf_driver_of (client), xf_uuid_of (&arguments->dom), &error);

  xf_reply_string_or (call, type, error);
}

void
xf_handle_DOMAIN_GET_XML_DESC (XfCall *call, const xf_dom_flags_args *arguments, XfRemoteClient *client)
{
  const guint guarded = VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_MIGRATABLE;
  g_autoptr (GError) error = NULL;
  g_autofree char *xml = NULL;

  if (client->rights.read_only && (arguments->flags & guarded)) {
    xf_reply_refuse (call, XF_ERROR_DENIED, "read only access prevents XML with secrets");
    return;
  }
  xml = xf_driver_domain_xml (xf_driver_of (client), xf_uuid_of (&arguments->dom), arguments->flags, &error);
  xf_reply_string_or (call, xml, error);
}

void
xf_handle_DOMAIN_GET_MAX_MEMORY (XfCall *call, const xf_dom_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;
  XfDomainInfo info = { 0 };

  xf_driver_domain_info (xf_driver_of (client), xf_uuid_of (&arguments->dom), &info, &error);
  xf_reply_u64_or (call, info.max_memory_kib, error);
}

static void
reply_vcpu_count (XfCall *call, XfRemoteClient *client, const xf_domain *dom, guint flags)
{
  g_autoptr (GError) error = NULL;
  int count = xf_driver_domain_vcpu_count (xf_driver_of (client), xf_uuid_of (dom), flags, &error);

  xf_reply_int_or (call, count, error);
}

void
xf_handle_DOMAIN_GET_MAX_VCPUS (XfCall *call, const xf_dom_args *arguments, XfRemoteClient *client)
{
  reply_vcpu_count (call, client, &arguments->dom, VIR_DOMAIN_VCPU_CURRENT | VIR_DOMAIN_VCPU_MAXIMUM);
}

void
xf_handle_DOMAIN_GET_VCPUS_FLAGS (XfCall *call, const xf_dom_flags_args *arguments, XfRemoteClient *client)
{
  reply_vcpu_count (call, client, &arguments->dom, arguments->flags);
}

typedef gboolean (*Question) (XfDriver *driver, const guint8 *uuid, gboolean *yes_out, GError **error);

static void
reply_answer (XfCall *call, XfRemoteClient *client, const xf_domain *dom, Question question)
{
  g_autoptr (GError) error = NULL;
  gboolean yes = FALSE;

  question (xf_driver_of (client), xf_uuid_of (dom), &yes, &error);
  xf_reply_int_or (call, yes ? 1 : 0, error);
}

void
xf_handle_DOMAIN_IS_ACTIVE (XfCall *call, const xf_dom_args *arguments, XfRemoteClient *client)
{
  reply_answer (call, client, &arguments->dom, xf_driver_domain_is_active);
}

void
xf_handle_DOMAIN_IS_PERSISTENT (XfCall *call, const xf_dom_args *arguments, XfRemoteClient *client)
{
  reply_answer (call, client, &arguments->dom, xf_driver_domain_is_persistent);
}

void
xf_handle_DOMAIN_IS_UPDATED (XfCall *call, const xf_dom_args *arguments, XfRemoteClient *client)
{
  reply_answer (call, client, &arguments->dom, xf_driver_domain_is_updated);
}

void
xf_handle_DOMAIN_GET_AUTOSTART (XfCall *call, const xf_dom_args *arguments, XfRemoteClient *client)
{
  reply_answer (call, client, &arguments->dom, xf_driver_domain_get_autostart);
}

/* There are no managed save images; the guest must exist. */
void
xf_handle_DOMAIN_HAS_MANAGED_SAVE_IMAGE (XfCall *call, const xf_dom_flags_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (XfDomainRef)
    ref G_GNUC_UNUSED = xf_driver_lookup_uuid (xf_driver_of (client), xf_uuid_of (&arguments->dom), &error);

  xf_reply_int_or (call, 0, error);
}

void
xf_handle_DOMAIN_GET_METADATA (XfCall *call, const xf_dom_metadata_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = xf_driver_domain_get_metadata (xf_driver_of (client), xf_uuid_of (&arguments->dom),
                                                         arguments->type, arguments->uri ? *arguments->uri : NULL,
                                                         arguments->flags, &error);

  xf_reply_string_or (call, text, error);
}

void
xf_handle_DOMAIN_GET_MESSAGES (XfCall *call, const xf_dom_flags_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) messages = NULL;
  xf_messages_ret ret;

  messages = xf_driver_domain_messages (xf_driver_of (client), xf_uuid_of (&arguments->dom), &error);
  if (!messages) {
    xf_reply_error (call, error);
    return;
  }
  ret.messages.messages_len = MIN (g_strv_length (messages), XF_MESSAGES_MAX);
  ret.messages.messages_val = messages;
  xf_call_reply (call, &ret);
}
