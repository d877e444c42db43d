/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The peer client against a server in the same process, on a unix socket with real frames; each test sets the server's
 * answers.
 */
#include "remote/peer.h"

#include <glib-unix.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "loop.h"
#include "procs.h"
#include "rpc/call.h"
#include "rpc/listener.h"

/* ---- the server ------------------------------------------------------------------------------------------- */

typedef struct {
  char *dir, *path, *uri;
  XfListener *listener;
  XfConn *conn;
  XfProgram programs[2];
  guint n_programs; /* 2: a xenferry that checks; 1: none, or an older one */
  int auth;         /* the answer to AUTH_LIST */
  gboolean silent;  /* does not answer until the test ends */
  XfCall *unanswered;
  gboolean drop_on_prepare; /* closes instead of answering */
  const char *refuse;       /* PREPARE's error */
  guint n_calls;
  char *seen_xml;
  guint finish_flags;
  int finish_cancelled;

  XfStream *stream;
  int stream_end; /* read end of the pipe that the stream writes to */
  GByteArray *received;
  guint watch;
  int how; /* XfStreamEnd, -1: not ended */
} Server;

static Server *server;

static void
answer_auth (XfCall *call, gconstpointer args, gpointer client)
{
  xf_auth_ret ret = { .types = { 1, &server->auth } };

  if (server->silent)
    server->unanswered = call;
  else
    xf_call_reply (call, &ret);
}

static void
answer_void (XfCall *call, gconstpointer args, gpointer client)
{
  xf_void ret = { 0 };

  xf_call_reply (call, &ret);
}

static void
answer_feature (XfCall *call, gconstpointer args, gpointer client)
{
  const xf_int_args *arguments = args;
  xf_int_ret ret = { arguments->value == 13 || arguments->value == 10 };

  xf_call_reply (call, &ret);
}

static void
answer_prepare (XfCall *call, gconstpointer args, gpointer client)
{
  const xf_prepare_args *arguments = args;
  char uri_text[] = "tcp://b:49152";
  xf_string uri = uri_text;
  xf_prepare_ret ret = { .uri = &uri };

  g_free (server->seen_xml);
  server->seen_xml = g_strdup (arguments->params.params_val[0].value.xf_param_value_u.s);
  if (server->drop_on_prepare) {
    xf_conn_close (server->conn, NULL);
    xf_call_reply (call, &ret);
  } else if (server->refuse) {
    g_auto (XfWireError) wire = { .code = 9, .domain = 20, .message = g_strdup (server->refuse) };

    xf_call_fail (call, &wire);
  } else {
    ret.cookie.cookie_val = arguments->cookie.cookie_val;
    ret.cookie.cookie_len = arguments->cookie.cookie_len;
    xf_call_reply (call, &ret);
  }
}

static void
stream_ended (XfStream *stream, XfStreamEnd how, const GError *error, gpointer data)
{
  server->how = how;
  xf_stream_free (stream);
  server->stream = NULL;
}

static void
stream_broken (XfStream *stream, gpointer data)
{
}

static gboolean
take (int fd, GIOCondition condition, gpointer data)
{
  guint8 buffer[65536];
  gssize n = read (fd, buffer, sizeof (buffer));

  if (n > 0) {
    g_byte_array_append (server->received, buffer, n);
    return G_SOURCE_CONTINUE;
  }
  server->watch = 0;
  return G_SOURCE_REMOVE;
}

static void
answer_tunnel (XfCall *call, gconstpointer args, gpointer client)
{
  static const XfStreamEvents events = { .ended = stream_ended, .broken = stream_broken };
  xf_cookie_ret ret = { 0 };
  int fds[2];

  g_assert_true (xf_pipe_new (fds, -1, NULL));
  server->stream_end = fds[0];
  server->watch = g_unix_fd_add (fds[0], G_IO_IN | G_IO_HUP, take, NULL);
  server->stream = xf_call_reply_stream (call, &ret, fds[1], -1, &events, NULL);
}

static void
answer_finish (XfCall *call, gconstpointer args, gpointer client)
{
  const xf_finish_args *arguments = args;
  char name[] = "g1";
  xf_finish_ret ret = { .dom = { .name = name, .id = 7 } };

  server->finish_flags = arguments->flags;
  server->finish_cancelled = arguments->cancelled;
  xf_call_reply (call, &ret);
}

/* Finds what the cookie says. */
static void
answer_check (XfCall *call, gconstpointer args, gpointer client)
{
  const xf_prepare_args *arguments = args;
  char host[] = "b", resource[] = "memory";
  xf_finding finding = { host, resource, 1, arguments->cookie.cookie_val };
  xf_findings_ret ret = { .findings = { 1, &finding } };

  if (server->refuse) {
    g_auto (XfWireError) wire = { .code = 39, .domain = 7, .message = g_strdup (server->refuse) };

    xf_call_fail (call, &wire);
    return;
  }
  xf_call_reply (call, &ret);
}

#define PROCEDURE(name, args, ret, handler)                                                                            \
  {                                                                                                                    \
    XF_PROC_##name, #name, #args, (xdrproc_t)xdr_##args, (xdrproc_t)xdr_##ret, sizeof (args), XF_POLICY_FREE, handler  \
  }

static const XfProcedure procedures[] = {
  PROCEDURE (AUTH_LIST, xf_void, xf_auth_ret, answer_auth),
  PROCEDURE (CONNECT_OPEN, xf_opt_string_flags_args, xf_void, answer_void),
  PROCEDURE (CONNECT_SUPPORTS_FEATURE, xf_int_args, xf_int_ret, answer_feature),
  PROCEDURE (DOMAIN_MIGRATE_PREPARE3_PARAMS, xf_prepare_args, xf_prepare_ret, answer_prepare),
  PROCEDURE (DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS, xf_prepare_args, xf_cookie_ret, answer_tunnel),
  PROCEDURE (DOMAIN_MIGRATE_FINISH3_PARAMS, xf_finish_args, xf_finish_ret, answer_finish),
};

static const XfProcedure own_procedures[] = {
  PROCEDURE (CHECK_INCOMING, xf_prepare_args, xf_findings_ret, answer_check),
};

static void
server_call (XfConn *conn, const XfFrameHeader *header, GBytes *payload, gpointer data)
{
  const XfCallRights rights = { .authenticated = TRUE, .open = TRUE };

  server->n_calls++;
  xf_call_dispatch (server->programs, server->n_programs, conn, header, payload, &rights, NULL);
}

static gboolean
server_reply (XfConn *conn, const XfFrameHeader *header, GBytes *payload, gpointer data)
{
  return TRUE;
}

static void
server_message (XfConn *conn, const XfFrameHeader *header, GBytes *payload, gpointer data)
{
}

static void
server_closed (XfConn *conn, const GError *error, gpointer data)
{
}

static void
server_accepted (int fd, gpointer data)
{
  static const XfConnEvents events = { server_call, server_reply, server_message, server_closed };

  g_clear_pointer (&server->conn, xf_conn_unref);
  server->conn = xf_conn_new (fd, &events, NULL);
}

static void
setup (char *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  server = g_new0 (Server, 1);
  server->how = -1;
  server->stream_end = -1;
  server->received = g_byte_array_new ();
  server->programs[0] = (XfProgram){ XF_REMOTE_PROGRAM, XF_PROGRAM_VERSION, procedures, G_N_ELEMENTS (procedures) };
  server->programs[1] = (XfProgram){ XF_XENFERRY_PROGRAM, XF_PROGRAM_VERSION, own_procedures, 1 };
  server->n_programs = 2;
  server->dir = g_dir_make_tmp ("xf-peer-XXXXXX", &error);
  g_assert_no_error (error);
  server->path = g_build_filename (server->dir, "sock", NULL);
  server->uri = g_strconcat ("xen+unix:///system?socket=", server->path, NULL);
  server->listener = xf_listener_new_unix (server->path, 0700, server_accepted, NULL, &error);
  g_assert_no_error (error);
}

static void
teardown (char *fixture, gconstpointer data)
{
  xf_auth_ret late = { .types = { 1, &server->auth } };

  if (server->unanswered)
    xf_call_reply (server->unanswered, &late);
  g_clear_pointer (&server->stream, xf_stream_free);
  if (server->conn)
    xf_conn_abandon (server->conn);
  g_clear_pointer (&server->conn, xf_conn_unref);
  xf_listener_free (server->listener);
  g_clear_handle_id (&server->watch, g_source_remove);
  xf_clear_fd (&server->stream_end);
  g_byte_array_unref (server->received);
  g_rmdir (server->dir);
  g_free (server->dir);
  g_free (server->path);
  g_free (server->uri);
  g_free (server->seen_xml);
  g_free (server);
  /* Runs pending callbacks. */
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

/* ---- the driver's part ------------------------------------------------------------------------------------ */

static char local_socket[] = "/nonexistent/local-sock";
static const XfPeerConfig config = { local_socket, 5, 5 };

typedef struct {
  XfPeer *peer;
  guint opened, answered, sent, finished, lost;
  gboolean close_in_answer;
  gboolean supported;
  GError *error; /* of the last answer */
  char *uri;     /* of prepare; or the text of a finding */
  int blocks;    /* of that finding; -1: none */
  GBytes *cookie;
  int id;
} Caller;

static void
caller_clear (Caller *caller)
{
  if (caller->peer)
    xf_peer_ops ()->close (caller->peer);
  g_clear_error (&caller->error);
  g_free (caller->uri);
  g_clear_pointer (&caller->cookie, g_bytes_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Caller, caller_clear)

static void
note (Caller *caller, const GError *error)
{
  g_clear_error (&caller->error);
  caller->error = error ? g_error_copy (error) : NULL;
}

static void
opened (XfPeer *peer, const GError *error, gpointer data)
{
  Caller *caller = data;

  caller->opened++;
  note (caller, error);
}

static void
lost (const GError *error, gpointer data)
{
  Caller *caller = data;

  caller->lost++;
}

static void
migrated (const XfMigrateResult *result, const GError *error, gpointer data)
{
  Caller *caller = data;

  caller->answered++;
  note (caller, error);
  if (result) {
    g_free (caller->uri);
    caller->uri = g_strdup (result->uri);
    caller->cookie = result->cookie ? g_bytes_ref (result->cookie) : NULL;
    caller->id = result->ref ? result->ref->id : -1;
  }
  if (caller->close_in_answer)
    xf_peer_ops ()->close (g_steal_pointer (&caller->peer));
}

static void
feature (gboolean supported, const GError *error, gpointer data)
{
  Caller *caller = data;

  caller->answered++;
  caller->supported = supported;
  note (caller, error);
}

static void
sent (const GError *error, gpointer data)
{
  Caller *caller = data;

  caller->sent++;
  note (caller, error);
}

static void
stream_finished (const GError *error, gpointer data)
{
  Caller *caller = data;

  caller->finished++;
  note (caller, error);
}

static void
open_uri (Caller *caller, const char *uri, guint timeout_s)
{
  caller->peer = xf_peer_ops ()->open ((gpointer)&config, uri, timeout_s, opened, lost, caller);
  g_assert_nonnull (caller->peer);
  g_assert_cmpuint (caller->opened, ==, 0); /* not before the call has returned */
  run_until (caller->opened >= 1);
}

static void
open_server (Caller *caller)
{
  open_uri (caller, server->uri, 5);
  g_assert_no_error (caller->error);
}

static XfTypedParams *
make_params (void)
{
  XfTypedParams *params = xf_typed_params_new ();

  xf_typed_params_add_string (params, "destination_xml", "<domain/>");
  xf_typed_params_add_ullong (params, "bandwidth", 3);
  return params;
}

/* ---- tests ------------------------------------------------------------------------------------------------ */

static void
test_phases (char *fixture, gconstpointer data)
{
  g_auto (Caller) caller = { 0 };
  g_autoptr (GArray) params = make_params ();
  g_autoptr (GBytes) cookie = g_bytes_new_static ("cookie", 7);

  open_server (&caller);
  xf_peer_ops ()->supports_feature (caller.peer, 13, feature, &caller);
  run_until (caller.answered >= 1);
  g_assert_true (caller.supported);
  xf_peer_ops ()->supports_feature (caller.peer, 4711, feature, &caller);
  run_until (caller.answered >= 2);
  g_assert_false (caller.supported);

  xf_peer_ops ()->prepare (caller.peer, params, cookie, 1, migrated, &caller);
  run_until (caller.answered >= 3);
  g_assert_no_error (caller.error);
  g_assert_cmpstr (server->seen_xml, ==, "<domain/>");
  g_assert_cmpstr (caller.uri, ==, "tcp://b:49152");
  g_assert_true (g_bytes_equal (caller.cookie, cookie));

  g_clear_pointer (&caller.cookie, g_bytes_unref);
  xf_peer_ops ()->finish (caller.peer, params, NULL, 0x20, TRUE, migrated, &caller);
  run_until (caller.answered >= 4);
  g_assert_cmpint (caller.id, ==, 7);
  g_assert_null (caller.cookie);
  g_assert_cmphex (server->finish_flags, ==, 0x20);
  g_assert_cmpint (server->finish_cancelled, ==, 1);
  g_assert_cmpuint (caller.lost, ==, 0);
}

static void
test_auth (char *fixture, gconstpointer data)
{
  g_auto (Caller) caller = { 0 };

  server->auth = 1;
  open_uri (&caller, server->uri, 5);
  g_assert_error (caller.error, XF_ERROR, XF_ERROR_AUTH_FAILED);
  g_assert_nonnull (strstr (caller.error->message, server->path));
  run_for (50);
  g_assert_cmpuint (caller.opened, ==, 1);
  g_assert_cmpuint (caller.lost, ==, 0);
  g_assert_cmpuint (server->n_calls, ==, 1); /* no call after AUTH_LIST */
}

static const struct {
  const char *uri;
  int code;
  const char *text;
} unreachable[] = {
  { "xen:///system", XF_ERROR_NO_CONNECT, "cannot connect to this host" },
  { "xen+unix:///system?socket=/nonexistent/s", XF_ERROR_NO_CONNECT, "/nonexistent/s" },
  { "xen+tcp://127.0.0.1:1/system", XF_ERROR_NO_CONNECT, "127.0.0.1" },
  { "xen://b/system", XF_ERROR_OPERATION_UNSUPPORTED, "'tls'" },
  { "xen+ssh://root@b/system", XF_ERROR_OPERATION_UNSUPPORTED, "'ssh'" },
  { "xen+unix://b/system", XF_ERROR_INVALID_ARG, "'b'" },
  { "qemu+tcp://b/system", XF_ERROR_INVALID_ARG, "'qemu'" },
  { "not a uri", XF_ERROR_INVALID_ARG, "not a uri" },
};

static void
test_unreachable (char *fixture, gconstpointer data)
{
  for (guint i = 0; i < G_N_ELEMENTS (unreachable); i++) {
    g_auto (Caller) caller = { 0 };

    open_uri (&caller, unreachable[i].uri, 5);
    g_assert_error (caller.error, XF_ERROR, unreachable[i].code);
    if (!strstr (caller.error->message, unreachable[i].text))
      g_error ("'%s' does not name %s", caller.error->message, unreachable[i].text);
  }
}

static void
test_silent (char *fixture, gconstpointer data)
{
  g_auto (Caller) caller = { 0 };

  server->silent = TRUE;
  open_uri (&caller, server->uri, 1);
  g_assert_error (caller.error, XF_ERROR, XF_ERROR_TIMEOUT);
  run_for (50);
  g_assert_cmpuint (caller.opened, ==, 1);
}

static void
test_refused (char *fixture, gconstpointer data)
{
  g_auto (Caller) caller = { 0 };
  g_autoptr (GArray) params = make_params ();

  server->refuse = "operation failed: domain 'g1' already exists with uuid 1";
  open_server (&caller);
  xf_peer_ops ()->prepare (caller.peer, params, NULL, 0, migrated, &caller);
  run_until (caller.answered >= 1);
  g_assert_error (caller.error, XF_ERROR, XF_ERROR_OPERATION_FAILED);
  g_assert_cmpstr (caller.error->message, ==, "domain 'g1' already exists with uuid 1");
}

static void
checked (const GPtrArray *findings, const GError *error, gpointer data)
{
  Caller *caller = data;

  caller->answered++;
  note (caller, error);
  g_assert_true (!findings != !error);
  caller->blocks = -1;
  g_clear_pointer (&caller->uri, g_free);
  if (!findings)
    return;
  g_assert_cmpuint (findings->len, ==, 1);
  caller->blocks = ((XfCheckFinding *)findings->pdata[0])->blocks;
  caller->uri = g_strdup (((XfCheckFinding *)findings->pdata[0])->text);
}

static void
test_check (char *fixture, gconstpointer data)
{
  g_auto (Caller) caller = { 0 };
  g_autoptr (GArray) params = make_params ();
  g_autoptr (GBytes) cookie = g_bytes_new_static ("found", 6);

  open_server (&caller);
  xf_peer_ops ()->check (caller.peer, params, cookie, 0, checked, &caller);
  run_until (caller.answered >= 1);
  g_assert_cmpint (caller.blocks, ==, TRUE);
  g_assert_cmpstr (caller.uri, ==, "found");
  server->refuse = "XML error: no cookie";
  xf_peer_ops ()->check (caller.peer, params, cookie, 0, checked, &caller);
  run_until (caller.answered >= 2);
  g_assert_nonnull (caller.error);
}

/* Without the call (an older xenferry), or without the program: one warning, and no error. */
static void
test_check_unknown (char *fixture, gconstpointer data)
{
  g_auto (Caller) caller = { 0 };
  g_autoptr (GArray) params = make_params ();

  server->programs[1].n_procedures = 0;
  open_server (&caller);
  for (guint i = 1; i <= 2; i++) {
    server->n_programs = i;
    xf_peer_ops ()->check (caller.peer, params, NULL, 0, checked, &caller);
    run_until (caller.answered >= i);
    g_assert_no_error (caller.error);
    g_assert_cmpint (caller.blocks, ==, FALSE);
    g_assert_nonnull (strstr (caller.uri, "older"));
  }
}

static void
test_lost (char *fixture, gconstpointer data)
{
  g_auto (Caller) caller = { 0 };
  g_autoptr (GArray) params = make_params ();

  server->drop_on_prepare = TRUE;
  open_server (&caller);
  xf_peer_ops ()->prepare (caller.peer, params, NULL, 0, migrated, &caller);
  run_until (caller.lost >= 1);
  g_assert_cmpuint (caller.answered, ==, 1); /* the call is answered before the loss is reported */
  g_assert_error (caller.error, XF_ERROR, XF_ERROR_NO_CONNECT);
  /* A call on a lost connection is answered, too. */
  xf_peer_ops ()->finish (caller.peer, params, NULL, 0, TRUE, migrated, &caller);
  run_until (caller.answered >= 2);
  g_assert_error (caller.error, XF_ERROR, XF_ERROR_NO_CONNECT);
  g_assert_cmpuint (caller.lost, ==, 1);
}

/* The driver may close in any callback, also while other callbacks are pending. */
static void
test_close_in_answer (char *fixture, gconstpointer data)
{
  g_auto (Caller) caller = { .close_in_answer = TRUE };
  g_autoptr (GArray) params = make_params ();

  server->drop_on_prepare = TRUE;
  open_server (&caller);
  xf_peer_ops ()->prepare (caller.peer, params, NULL, 0, migrated, &caller);
  xf_peer_ops ()->prepare (caller.peer, params, NULL, 0, migrated, &caller);
  xf_peer_ops ()->finish (caller.peer, params, NULL, 0, TRUE, migrated, &caller);
  run_until (caller.answered >= 1);
  run_for (50);
  g_assert_cmpuint (caller.answered, ==, 1);
  g_assert_cmpuint (caller.lost, ==, 0);
}

static void
test_close_before_opened (char *fixture, gconstpointer data)
{
  Caller caller = { 0 };

  caller.peer = xf_peer_ops ()->open ((gpointer)&config, server->uri, 5, opened, lost, &caller);
  xf_peer_ops ()->close (caller.peer);
  caller.peer = xf_peer_ops ()->open ((gpointer)&config, server->uri, 5, opened, lost, &caller);
  g_main_context_iteration (NULL, FALSE);
  xf_peer_ops ()->close (caller.peer);
  run_for (50);
  g_assert_cmpuint (caller.opened, ==, 0);
  g_assert_cmpuint (caller.lost, ==, 0);
}

static void
open_tunnel (Caller *caller)
{
  g_autoptr (GArray) params = make_params ();

  open_server (caller);
  xf_peer_ops ()->prepare_tunnel (caller->peer, params, NULL, 0, migrated, caller);
  run_until (caller->answered >= 1);
  g_assert_no_error (caller->error);
}

static GBytes *
make_payload (gsize size)
{
  guint8 *bytes = g_malloc (size);

  for (gsize i = 0; i < size; i++)
    bytes[i] = (guint8)(i * 2654435761u >> 13);
  return g_bytes_new_take (bytes, size);
}

/* Fills a pipe from a thread, as libxl's helper does from another process. */
typedef struct {
  int fd;
  GBytes *payload;
} Writer;

static gpointer
write_all (gpointer data)
{
  Writer *writer = data;
  gsize size, done = 0;
  const guint8 *bytes = g_bytes_get_data (writer->payload, &size);

  while (done < size) {
    gssize n = write (writer->fd, bytes + done, size - done);

    if (n <= 0)
      break;
    done += n;
  }
  close (writer->fd);
  return NULL;
}

static GThread *
start_sending (Caller *caller, Writer *writer)
{
  int fds[2];

  g_assert_true (xf_pipe_new (fds, 0, NULL));
  writer->fd = fds[1];
  xf_peer_ops ()->send (caller->peer, fds[0], sent, caller);
  return g_thread_new ("writer", write_all, writer);
}

static void
test_tunnel (char *fixture, gconstpointer data)
{
  g_auto (Caller) caller = { 0 };
  g_autoptr (GBytes) payload = make_payload (5 * 1024 * 1024 + 17);
  g_autoptr (GArray) params = make_params ();
  Writer writer = { .payload = payload };
  GThread *thread;

  open_tunnel (&caller);
  thread = start_sending (&caller, &writer);
  run_until (caller.sent >= 1);
  g_thread_join (thread);
  g_assert_no_error (caller.error);
  g_assert_cmpuint (xf_peer_ops ()->sent (caller.peer), ==, g_bytes_get_size (payload));

  xf_peer_ops ()->send_finish (caller.peer, stream_finished, &caller);
  run_until (caller.finished >= 1);
  g_assert_no_error (caller.error);
  g_assert_cmpint (server->how, ==, XF_STREAM_FINISHED);
  run_until (server->received->len >= g_bytes_get_size (payload));
  g_assert_cmpmem (server->received->data, server->received->len, g_bytes_get_data (payload, NULL),
                   g_bytes_get_size (payload));
  g_assert_cmpuint (xf_peer_ops ()->sent (caller.peer), ==, g_bytes_get_size (payload));

  /* The connection carries calls before, during and after the stream. */
  xf_peer_ops ()->finish (caller.peer, params, NULL, 0, FALSE, migrated, &caller);
  run_until (caller.answered >= 2);
  g_assert_no_error (caller.error);
}

static void
test_tunnel_rate (char *fixture, gconstpointer data)
{
  g_auto (Caller) caller = { 0 };
  g_autoptr (GBytes) payload = make_payload (400 * 1000);
  Writer writer = { .payload = payload };
  gint64 start = g_get_monotonic_time ();
  GThread *thread;

  open_tunnel (&caller);
  xf_peer_ops ()->set_rate (caller.peer, 1000 * 1000);
  thread = start_sending (&caller, &writer);
  run_until (caller.sent >= 1);
  g_thread_join (thread);
  /* 400 kB at 1 MB/s, minus the tenth of a second that may be sent at once. */
  g_assert_cmpint (g_get_monotonic_time () - start, >=, 290 * 1000);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 2000 * 1000);
}

static void
test_tunnel_failed (char *fixture, gconstpointer data)
{
  g_auto (Caller) caller = { 0 };
  g_autoptr (GBytes) payload = make_payload (64 * 1024 * 1024);
  Writer writer = { .payload = payload };
  g_auto (XfWireError) wire = { .code = 1, .domain = 41, .message = g_strdup ("internal error: no memory there") };
  GThread *thread;

  open_tunnel (&caller);
  thread = start_sending (&caller, &writer);
  g_main_context_iteration (NULL, TRUE);
  xf_stream_fail (server->stream, &wire);
  run_until (caller.sent >= 1);
  g_thread_join (thread); /* the pipe's reader is closed, so a blocked writer ends */
  g_assert_nonnull (caller.error);
  g_assert_nonnull (strstr (caller.error->message, "no memory there"));
  g_assert_nonnull (strstr (caller.error->message, server->path));
  /* After the end of the stream, each call is still allowed and answered. */
  xf_peer_ops ()->set_rate (caller.peer, 0);
  xf_peer_ops ()->send_finish (caller.peer, stream_finished, &caller);
  run_until (caller.finished >= 1);
  g_assert_error (caller.error, XF_ERROR, XF_ERROR_INVALID_STREAM);
  xf_peer_ops ()->send_abort (caller.peer);
}

/* A libvirtd waits for ever if the stream is not aborted before finish(cancelled). */
static void
test_tunnel_aborted (char *fixture, gconstpointer data)
{
  g_auto (Caller) caller = { 0 };
  g_autoptr (GBytes) payload = make_payload (64 * 1024 * 1024);
  g_autoptr (GArray) params = make_params ();
  Writer writer = { .payload = payload };
  GThread *thread;

  open_tunnel (&caller);
  xf_peer_ops ()->set_rate (caller.peer, 100 * 1000);
  thread = start_sending (&caller, &writer);
  run_until (server->received->len >= 1);
  xf_peer_ops ()->send_abort (caller.peer);
  g_thread_join (thread);
  xf_peer_ops ()->finish (caller.peer, params, NULL, 0, TRUE, migrated, &caller);
  run_until (caller.answered >= 2);
  g_assert_cmpint (server->how, ==, XF_STREAM_ABORTED);
  g_assert_cmpuint (caller.sent, ==, 0); /* not called, as driver.h says */
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  signal (SIGPIPE, SIG_IGN);
#define ADD(name, function) g_test_add ("/peer/" name, char, NULL, setup, function, teardown)
  ADD ("phases", test_phases);
  ADD ("auth", test_auth);
  ADD ("unreachable", test_unreachable);
  ADD ("silent", test_silent);
  ADD ("refused", test_refused);
  ADD ("check", test_check);
  ADD ("check-unknown", test_check_unknown);
  ADD ("lost", test_lost);
  ADD ("close-in-answer", test_close_in_answer);
  ADD ("close-before-opened", test_close_before_opened);
  ADD ("tunnel", test_tunnel);
  ADD ("tunnel-rate", test_tunnel_rate);
  ADD ("tunnel-failed", test_tunnel_failed);
  ADD ("tunnel-aborted", test_tunnel_aborted);
  return g_test_run ();
}
