/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Calls that change guests: definitions are answered at once, starts and ends later.
 */
#include "remote/reply.h"

/* ---- definitions ------------------------------------------------------------------------------------------ */

static void
define (XfCall *call, XfRemoteClient *client, const char *xml, guint flags)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (XfDomainRef) ref = xf_driver_domain_define (xf_driver_of (client), xml, flags, &error);

  xf_reply_ref_or (call, ref, error);
}

void
xf_handle_DOMAIN_DEFINE_XML (XfCall *call, const xf_string_args *arguments, XfRemoteClient *client)
{
  define (call, client, arguments->value, 0);
}

void
xf_handle_DOMAIN_DEFINE_XML_FLAGS (XfCall *call, const xf_string_flags_args *arguments, XfRemoteClient *client)
{
  define (call, client, arguments->value, arguments->flags);
}

static void
undefine (XfCall *call, XfRemoteClient *client, const xf_domain *dom, guint flags)
{
  g_autoptr (GError) error = NULL;

  xf_driver_domain_undefine (xf_driver_of (client), xf_uuid_of (dom), flags, &error);
  xf_reply_void_or (call, error);
}

void
xf_handle_DOMAIN_UNDEFINE (XfCall *call, const xf_dom_args *arguments, XfRemoteClient *client)
{
  undefine (call, client, &arguments->dom, 0);
}

void
xf_handle_DOMAIN_UNDEFINE_FLAGS (XfCall *call, const xf_dom_flags_args *arguments, XfRemoteClient *client)
{
  undefine (call, client, &arguments->dom, arguments->flags);
}

void
xf_handle_DOMAIN_SET_AUTOSTART (XfCall *call, const xf_dom_int_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GError) error = NULL;

  xf_driver_domain_set_autostart (xf_driver_of (client), xf_uuid_of (&arguments->dom), arguments->value != 0, &error);
  xf_reply_void_or (call, error);
}

/* ---- life ------------------------------------------------------------------------------------------------- */

/* This reply is void, although the driver returns the started guest. */
static void
started (const XfDomainRef *ref, const GError *error, gpointer call)
{
  xf_reply_void_or (call, error);
}

void
xf_handle_DOMAIN_CREATE (XfCall *call, const xf_dom_args *arguments, XfRemoteClient *client)
{
  xf_driver_domain_start (xf_driver_of (client), xf_uuid_of (&arguments->dom), 0, started, call);
}

void
xf_handle_DOMAIN_CREATE_WITH_FLAGS (XfCall *call, const xf_dom_flags_args *arguments, XfRemoteClient *client)
{
  xf_driver_domain_start (xf_driver_of (client), xf_uuid_of (&arguments->dom), arguments->flags, xf_reply_ref_done,
                          call);
}

void
xf_handle_DOMAIN_CREATE_XML (XfCall *call, const xf_string_flags_args *arguments, XfRemoteClient *client)
{
  xf_driver_domain_create_xml (xf_driver_of (client), arguments->value, arguments->flags, xf_reply_ref_done, call);
}

void
xf_handle_DOMAIN_DESTROY (XfCall *call, const xf_dom_args *arguments, XfRemoteClient *client)
{
  xf_driver_domain_destroy (xf_driver_of (client), xf_uuid_of (&arguments->dom), 0, xf_reply_done, call);
}

void
xf_handle_DOMAIN_DESTROY_FLAGS (XfCall *call, const xf_dom_flags_args *arguments, XfRemoteClient *client)
{
  xf_driver_domain_destroy (xf_driver_of (client), xf_uuid_of (&arguments->dom), arguments->flags, xf_reply_done, call);
}

void
xf_handle_DOMAIN_SHUTDOWN (XfCall *call, const xf_dom_args *arguments, XfRemoteClient *client)
{
  xf_driver_domain_shutdown (xf_driver_of (client), xf_uuid_of (&arguments->dom), 0, xf_reply_done, call);
}

void
xf_handle_DOMAIN_SHUTDOWN_FLAGS (XfCall *call, const xf_dom_flags_args *arguments, XfRemoteClient *client)
{
  xf_driver_domain_shutdown (xf_driver_of (client), xf_uuid_of (&arguments->dom), arguments->flags, xf_reply_done,
                             call);
}

void
xf_handle_DOMAIN_REBOOT (XfCall *call, const xf_dom_flags_args *arguments, XfRemoteClient *client)
{
  xf_driver_domain_reboot (xf_driver_of (client), xf_uuid_of (&arguments->dom), arguments->flags, xf_reply_done, call);
}

void
xf_handle_DOMAIN_SUSPEND (XfCall *call, const xf_dom_args *arguments, XfRemoteClient *client)
{
  xf_driver_domain_suspend (xf_driver_of (client), xf_uuid_of (&arguments->dom), xf_reply_done, call);
}

void
xf_handle_DOMAIN_RESUME (XfCall *call, const xf_dom_args *arguments, XfRemoteClient *client)
{
  xf_driver_domain_resume (xf_driver_of (client), xf_uuid_of (&arguments->dom), xf_reply_done, call);
}
