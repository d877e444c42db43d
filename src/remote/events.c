/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Registrations for events, and their delivery. Clients register each event in the callback style (every message has
 * the registration's id), old clients in the legacy style. Registrations end with the connection. Clients may also
 * register for events that Xen's driver never sends: "virsh event --all" does.
 */
#include <libvirt/libvirt.h>
#include <string.h>

#include "remote/convert.h"
#include "remote/reply.h"

/* Numbers of libvirt 9.0: newer clients get an error for the others. */
#define LAST_EVENT VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE

/* Each registration costs one message per event. A tool that registers every event of some guests has a few hundred. */
#define REGISTRATIONS_MAX 1024

/* ---- registering ------------------------------------------------------------------------------------------ */

static gboolean
check_event (XfCall *call, const XfRemoteClient *client, int event)
{
  if (client->registrations->len >= REGISTRATIONS_MAX) {
    xf_reply_refuse (call, XF_ERROR_INTERNAL, "this connection has %u event registrations, and may have no more",
                     client->registrations->len);
    return FALSE;
  }
  if (event >= 0 && event <= LAST_EVENT)
    return TRUE;
  xf_reply_refuse (call, XF_ERROR_INTERNAL, "unsupported event ID %d", event);
  return FALSE;
}

void
xf_handle_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY (XfCall *call, const xf_event_args *arguments,
                                                      XfRemoteClient *client)
{
  XfRegistration registration = { .callback = client->remote->next_callback, .event = arguments->event };

  if (!check_event (call, client, arguments->event))
    return;
  if (arguments->dom) {
    registration.one_guest = TRUE;
    memcpy (registration.uuid, arguments->dom->uuid, sizeof (registration.uuid));
  }
  client->remote->next_callback = (client->remote->next_callback + 1) & G_MAXINT;
  g_array_append_val (client->registrations, registration);
  xf_reply_int (call, registration.callback);
}

void
xf_handle_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY (XfCall *call, const xf_int_args *arguments,
                                                        XfRemoteClient *client)
{
  for (guint i = 0; i < client->registrations->len; i++) {
    const XfRegistration *registration = &g_array_index (client->registrations, XfRegistration, i);

    if (!registration->legacy && registration->callback == arguments->value) {
      g_array_remove_index (client->registrations, i);
      xf_reply_void (call);
      return;
    }
  }
  xf_reply_refuse (call, XF_ERROR_INTERNAL, "domain event callback %d not registered", arguments->value);
}

static gboolean
find_legacy (const XfRemoteClient *client, int event, guint *at_out)
{
  for (guint i = 0; i < client->registrations->len; i++) {
    const XfRegistration *registration = &g_array_index (client->registrations, XfRegistration, i);

    if (registration->legacy && registration->event == event) {
      *at_out = i;
      return TRUE;
    }
  }
  return FALSE;
}

static gboolean
add_legacy (XfCall *call, XfRemoteClient *client, int event)
{
  XfRegistration registration = { .event = event, .legacy = TRUE };
  guint at;

  if (!check_event (call, client, event))
    return FALSE;
  if (find_legacy (client, event, &at)) {
    xf_reply_refuse (call, XF_ERROR_INTERNAL, "domain event %d already registered", event);
    return FALSE;
  }
  g_array_append_val (client->registrations, registration);
  return TRUE;
}

static gboolean
remove_legacy (XfCall *call, XfRemoteClient *client, int event)
{
  guint at;

  if (!find_legacy (client, event, &at)) {
    xf_reply_refuse (call, XF_ERROR_INTERNAL, "domain event %d not registered", event);
    return FALSE;
  }
  g_array_remove_index (client->registrations, at);
  return TRUE;
}

/* The oldest form: lifecycle only; the result says whether a registration remains. */
void
xf_handle_CONNECT_DOMAIN_EVENT_REGISTER (XfCall *call, const xf_void *arguments, XfRemoteClient *client)
{
  if (add_legacy (call, client, VIR_DOMAIN_EVENT_ID_LIFECYCLE))
    xf_reply_int (call, 1);
}

void
xf_handle_CONNECT_DOMAIN_EVENT_DEREGISTER (XfCall *call, const xf_void *arguments, XfRemoteClient *client)
{
  if (remove_legacy (call, client, VIR_DOMAIN_EVENT_ID_LIFECYCLE))
    xf_reply_int (call, 0);
}

void
xf_handle_CONNECT_DOMAIN_EVENT_REGISTER_ANY (XfCall *call, const xf_int_args *arguments, XfRemoteClient *client)
{
  if (add_legacy (call, client, arguments->value))
    xf_reply_void (call);
}

void
xf_handle_CONNECT_DOMAIN_EVENT_DEREGISTER_ANY (XfCall *call, const xf_int_args *arguments, XfRemoteClient *client)
{
  if (remove_legacy (call, client, arguments->value))
    xf_reply_void (call);
}

/* ---- telling ---------------------------------------------------------------------------------------------- */

static void
send_lifecycle (XfConn *conn, const XfRegistration *registration, const XfEvent *event)
{
  xf_lifecycle_callback_event body = {
    .callback = registration->callback,
    .body = { xf_convert_dom (event->ref), event->event, event->detail },
  };

  if (registration->legacy)
    xf_call_send_message (conn, XF_MESSAGE_LIFECYCLE, (xdrproc_t)xdr_xf_lifecycle_event, &body.body);
  else
    xf_call_send_message (conn, XF_MESSAGE_LIFECYCLE_CALLBACK, (xdrproc_t)xdr_xf_lifecycle_callback_event, &body);
}

static void
send_iteration (XfConn *conn, const XfRegistration *registration, const XfEvent *event)
{
  xf_iteration_event body = { registration->callback, xf_convert_dom (event->ref), event->iteration };

  xf_call_send_message (conn, XF_MESSAGE_ITERATION_CALLBACK, (xdrproc_t)xdr_xf_iteration_event, &body);
}

static void
send_job_completed (XfConn *conn, const XfRegistration *registration, const XfEvent *event)
{
  xf_job_completed_event body = { .callback = registration->callback, .dom = xf_convert_dom (event->ref) };
  g_autofree xf_param *params = xf_convert_params_to_wire (event->params, &body.params.params_len);

  body.params.params_val = params;
  xf_call_send_message (conn, XF_MESSAGE_JOB_COMPLETED_CALLBACK, (xdrproc_t)xdr_xf_job_completed_event, &body);
}

static void
tell (XfConn *conn, const XfRegistration *registration, const XfEvent *event)
{
  if (registration->event != event->id)
    return;
  if (registration->one_guest && memcmp (registration->uuid, event->ref->uuid, XF_UUID_LENGTH) != 0)
    return;
  if (event->id == VIR_DOMAIN_EVENT_ID_LIFECYCLE)
    send_lifecycle (conn, registration, event);
  else if (event->id == VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION && !registration->legacy)
    send_iteration (conn, registration, event);
  else if (event->id == VIR_DOMAIN_EVENT_ID_JOB_COMPLETED && !registration->legacy)
    send_job_completed (conn, registration, event);
}

void
xf_events_deliver (const XfEvent *event, gpointer data)
{
  const XfRemote *remote = data;

  /* Backwards: a client whose queue overflows is closed at once and leaves the array, and the last client gets its
   * index. Its struct and registrations stay until the next turn of the loop. */
  for (guint i = remote->clients->len; i > 0; i--) {
    const XfRemoteClient *client = remote->clients->pdata[i - 1];

    for (guint n = 0; n < client->registrations->len; n++)
      tell (client->conn, &g_array_index (client->registrations, XfRegistration, n), event);
  }
}
