/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/call.h"

#include <string.h>

#include "base/turn.h"
#include "procs.h"

/* libvirt's numbers for the errors of this layer (docs/wire.md, Errors). */
enum { CODE_INTERNAL = 1, CODE_DENIED = 29, CODE_RPC = 39, FROM_RPC = 7 };

struct XfCall {
  XfConn *conn;
  XfFrameHeader header;
  const XfProcedure *procedure;
  char *guest; /* the domain's name, for the line in the log */
};

/* ---- the line that a call leaves -------------------------------------------------------------------------- */

static gboolean
is_write (const XfProcedure *procedure)
{
  return !(procedure->policy & XF_POLICY_RO);
}

/* The layouts that begin with a domain. */
static gboolean
names_guest (const XfProcedure *procedure)
{
  static const char *const others[] = { "xf_begin_args", "xf_perform_args", "xf_confirm_args", NULL };

  return g_str_has_prefix (procedure->args_name, "xf_dom_") || g_strv_contains (others, procedure->args_name);
}

static void
audit (const XfConn *conn, const XfProcedure *procedure, const char *guest, const char *failure)
{
  /* A name from a peer may have megabytes. */
  if (is_write (procedure) && guest)
    g_message ("%s: %s of domain '%.200s': %s%.1000s", xf_conn_name (conn), procedure->name, guest,
               failure ? "failed: " : "done", failure ? failure : "");
  else if (is_write (procedure))
    g_message ("%s: %s: %s%.1000s", xf_conn_name (conn), procedure->name, failure ? "failed: " : "done",
               failure ? failure : "");
}

/* ---- answers ---------------------------------------------------------------------------------------------- */

static void
send_error (XfConn *conn, const XfFrameHeader *call, const XfWireError *error)
{
  XfFrameHeader header = *call;
  GBytes *frame;

  header.type = XF_FRAME_REPLY;
  frame = xf_frame_encode_error (&header, error);
  if (frame)
    xf_conn_send (conn, frame);
}

static void G_GNUC_PRINTF (5, 6)
  refuse (XfConn *conn, const XfFrameHeader *call, int code, char *pattern, const char *format, ...)
{
  g_auto (XfWireError) error = { .code = code, .domain = FROM_RPC, .format = pattern };
  va_list args;

  va_start (args, format);
  error.message = g_strdup_vprintf (format, args);
  va_end (args);
  send_error (conn, call, &error);
}

static const XfProcedure *
find (const XfProgram *program, gint32 number)
{
  for (guint i = 0; i < program->n_procedures; i++) {
    if (program->procedures[i].number == number)
      return &program->procedures[i];
  }
  return NULL;
}

static gboolean
allowed (const XfProcedure *procedure, XfConn *conn, const XfFrameHeader *header, const XfCallRights *rights)
{
  if (!rights->authenticated && !(procedure->policy & XF_POLICY_UNAUTH))
    refuse (conn, header, CODE_RPC, NULL, "authentication required");
  else if (!rights->open && !(procedure->policy & XF_POLICY_CLOSED))
    refuse (conn, header, CODE_INTERNAL, NULL, "internal error: hypervisor connection not open");
  else if (rights->read_only && !(procedure->policy & XF_POLICY_RO))
    refuse (conn, header, CODE_DENIED, NULL, "operation forbidden: read only access prevents %s", procedure->name);
  else
    return TRUE;
  if (xf_conn_may_log_refusal (conn))
    audit (conn, procedure, NULL, "this connection has no right to call it");
  return FALSE;
}

static void
run (const XfProcedure *procedure, XfConn *conn, const XfFrameHeader *header, GBytes *payload, gpointer client)
{
  g_autofree gpointer args = g_malloc0 (procedure->args_size);
  XfCall *call;

  if (!xf_frame_decode (payload, procedure->args_xdr, args)) {
    refuse (conn, header, CODE_RPC, NULL, "Unable to decode message payload of %s", procedure->name);
    audit (conn, procedure, NULL, "its arguments cannot be decoded");
    xdr_free (procedure->args_xdr, args);
    return;
  }
  call = g_new0 (XfCall, 1);
  call->conn = xf_conn_ref (conn);
  call->header = *header;
  call->procedure = procedure;
  if (is_write (procedure) && names_guest (procedure))
    call->guest = g_strdup (((const xf_domain *)args)->name);
  xf_conn_call_begins (conn);
  xf_turn_note (procedure->name);
  g_debug ("%s: %s serial %u", xf_conn_name (conn), procedure->name, header->serial);
  procedure->handler (call, args, client);
  xdr_free (procedure->args_xdr, args);
}

static const XfProgram *
find_program (const XfProgram *programs, guint n, const XfFrameHeader *header)
{
  for (guint i = 0; i < n; i++) {
    if (programs[i].program == header->program && programs[i].version == header->version)
      return &programs[i];
  }
  return NULL;
}

void
xf_call_dispatch (const XfProgram *programs, guint n, XfConn *conn, const XfFrameHeader *header, GBytes *payload,
                  const XfCallRights *rights, gpointer client)
{
  const XfProgram *program = find_program (programs, n, header);
  const XfProcedure *procedure;

  if (!program) {
    refuse (conn, header, CODE_RPC, NULL, "Cannot find program %u version %u", header->program, header->version);
    return;
  }
  procedure = find (program, header->procedure);
  /* Clients recognise a missing procedure by this text. */
  if (!procedure || header->type != XF_FRAME_CALL)
    refuse (conn, header, CODE_RPC, NULL, "unknown procedure: %d", header->procedure);
  else if (allowed (procedure, conn, header, rights))
    run (procedure, conn, header, payload, client);
}

static void
call_free (XfCall *call)
{
  xf_conn_call_ends (call->conn);
  xf_conn_unref (call->conn);
  g_free (call->guest);
  g_free (call);
}

static gboolean
send_reply (XfCall *call, gconstpointer ret)
{
  XfFrameHeader header = call->header;
  GBytes *frame;

  header.type = XF_FRAME_REPLY;
  header.status = XF_FRAME_OK;
  frame = xf_frame_encode (&header, call->procedure->ret_xdr, ret);
  if (!frame) {
    refuse (call->conn, &call->header, CODE_RPC, NULL, "the result of %s is too large for a frame",
            call->procedure->name);
    audit (call->conn, call->procedure, call->guest, "its result is too large for a frame");
    return FALSE;
  }
  audit (call->conn, call->procedure, call->guest, NULL);
  xf_conn_send (call->conn, frame);
  return xf_conn_is_open (call->conn);
}

void
xf_call_reply (XfCall *call, gconstpointer ret)
{
  (void)send_reply (call, ret);
  call_free (call);
}

void
xf_call_fail (XfCall *call, const XfWireError *error)
{
  audit (call->conn, call->procedure, call->guest, error->message ? error->message : "without a reason");
  send_error (call->conn, &call->header, error);
  call_free (call);
}

XfStream *
xf_call_reply_stream (XfCall *call, gconstpointer ret, int into, int from, const XfStreamEvents *events, gpointer data)
{
  XfStream *stream = NULL;

  if (send_reply (call, ret))
    stream = xf_stream_new (call->conn, &call->header, TRUE, into, from, events, data);
  call_free (call);
  return stream;
}

XfConn *
xf_call_conn (const XfCall *call)
{
  return call->conn;
}

const char *
xf_call_name (const XfCall *call)
{
  return call->procedure->name;
}

void
xf_call_send_message (XfConn *conn, gint32 procedure, xdrproc_t xdr, gconstpointer body)
{
  XfFrameHeader header = {
    .program = XF_REMOTE_PROGRAM,
    .version = XF_PROGRAM_VERSION,
    .procedure = procedure,
    .type = XF_FRAME_MESSAGE,
    .serial = 1,
  };
  GBytes *frame = xf_frame_encode (&header, xdr, body);

  if (frame)
    xf_conn_send (conn, frame);
}
