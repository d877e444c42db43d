/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The server of the remote program on a fake driver, with our own RPC client at the other end of a socket pair: each
 * call reaches the driver, and its answers and events reach the client.
 */
#include "remote/remote.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <signal.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "fake_driver.h"
#include "loop.h"
#include "procs.h"
#include "rpc/client.h"

typedef struct {
  XfDriver *driver;
  XfRemote *remote;
  XfClient *client;
  guint closed;
} Fixture;

typedef struct {
  guint done;
  GString *order; /* the tags in the order of the answers; shared */
  char tag;
  int error_code, error_domain;
  char *error_text;
  gpointer copy; /* of a result without pointers */
  gsize size;
  void (*look) (gconstpointer ret, gpointer data);
  XfFrameHeader header;
} Reply;

static void
reply_clear (Reply *reply)
{
  g_free (reply->error_text);
  g_free (reply->copy);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Reply, reply_clear)

static void
client_closed (const GError *error, gpointer data)
{
  Fixture *fixture = data;

  fixture->closed++;
}

static XfDoor
door_named (const char *how)
{
  if (g_strcmp0 (how, "peer") == 0)
    return XF_DOOR_PEER;
  return g_strcmp0 (how, "ro") == 0 ? XF_DOOR_READ_ONLY : XF_DOOR_PRIVATE;
}

static void
connect_client (Fixture *fixture, const char *how)
{
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  xf_remote_accept (fixture->remote, fds[0], door_named (how));
  fixture->client = xf_client_new (fds[1], client_closed, fixture);
}

static void
setup_closed (Fixture *fixture, gconstpointer data)
{
  const XfRemoteConfig config = { 2, 2, 2, 30, 0, 5 };

  fixture->driver = fake_driver_new ();
  fixture->remote = xf_remote_new (fixture->driver, &config);
  connect_client (fixture, data);
}

static void
replied (gconstpointer ret, const XfWireError *wire, const GError *lost, const XfFrameHeader *header, gpointer data)
{
  Reply *reply = data;

  reply->done++;
  if (reply->order)
    g_string_append_c (reply->order, reply->tag);
  if (wire) {
    reply->error_code = wire->code;
    reply->error_domain = wire->domain;
    reply->error_text = g_strdup (wire->message);
  }
  if (header)
    reply->header = *header;
  if (ret && reply->size)
    reply->copy = g_memdup2 (ret, reply->size);
  if (ret && reply->look)
    reply->look (ret, reply);
}

#define SEND_TO(program, fixture, reply, name, args_type, args, ret_type)                                              \
  xf_client_call ((fixture)->client, program, XF_PROC_##name, (xdrproc_t)xdr_##args_type, args,                        \
                  (xdrproc_t)xdr_##ret_type, sizeof (ret_type), replied, reply)

#define SEND(...) SEND_TO (XF_REMOTE_PROGRAM, __VA_ARGS__)

#define CALL_TO(program, fixture, reply, name, args_type, args, ret_type)                                              \
  do {                                                                                                                 \
    (reply)->size = sizeof (ret_type);                                                                                 \
    SEND_TO (program, fixture, reply, name, args_type, args, ret_type);                                                \
    run_until ((reply)->done >= 1);                                                                                    \
  } while (0)

#define CALL(...) CALL_TO (XF_REMOTE_PROGRAM, __VA_ARGS__)
#define CALL_OWN(...) CALL_TO (XF_XENFERRY_PROGRAM, __VA_ARGS__)

static void
setup (Fixture *fixture, gconstpointer data)
{
  g_auto (Reply) reply = { 0 };
  xf_opt_string_flags_args args = { 0 };

  setup_closed (fixture, data);
  CALL (fixture, &reply, CONNECT_OPEN, xf_opt_string_flags_args, &args, xf_void);
  g_assert_cmpint (reply.error_code, ==, 0);
}

static void
teardown (Fixture *fixture, gconstpointer data)
{
  g_clear_pointer (&fixture->client, xf_client_free);
  run_ready ();
  g_assert_cmpuint (xf_remote_n_clients (fixture->remote), ==, 0);
  xf_remote_free (fixture->remote);
  g_assert_null (fixture->driver->listener);
  fake_driver_free (fixture->driver);
}

static char name_g1[] = "stale name";

/* A client may send an old name or id: only the uuid counts. */
static xf_domain
dom (int byte)
{
  xf_domain domain = { .name = name_g1, .id = 4711 };

  memset (domain.uuid, byte, sizeof (domain.uuid));
  return domain;
}

/* ---- tests ------------------------------------------------------------------------------------------------ */

static void
test_before_open (Fixture *fixture, gconstpointer data)
{
  g_auto (Reply) early = { 0 }, auth = { 0 }, feature = { 0 }, alien = { 0 }, path = { 0 }, open = { 0 }, again = { 0 };
  xf_void nothing = { 0 };
  xf_int_args keepalive = { 10 };
  char qemu_text[] = "qemu:///system", session_text[] = "xen:///session", xen_text[] = "xen:///system";
  xf_string qemu = qemu_text, session = session_text, xen = xen_text;
  xf_opt_string_flags_args args = { .value = &qemu };

  CALL (fixture, &early, CONNECT_GET_HOSTNAME, xf_void, &nothing, xf_string_ret);
  g_assert_cmpstr (early.error_text, ==, "internal error: hypervisor connection not open");
  SEND (fixture, &auth, AUTH_LIST, xf_void, &nothing, xf_auth_ret);
  run_until (auth.done >= 1);
  g_assert_cmpint (auth.error_code, ==, 0);
  CALL (fixture, &feature, CONNECT_SUPPORTS_FEATURE, xf_int_args, &keepalive, xf_int_ret);
  g_assert_cmpint (((xf_int_ret *)feature.copy)->value, ==, 1);
  CALL (fixture, &alien, CONNECT_OPEN, xf_opt_string_flags_args, &args, xf_void);
  g_assert_nonnull (strstr (alien.error_text, "no connection driver available for qemu:///system"));
  args.value = &session;
  CALL (fixture, &path, CONNECT_OPEN, xf_opt_string_flags_args, &args, xf_void);
  g_assert_nonnull (strstr (path.error_text, "unexpected Xen URI path '/session'"));
  args.value = &xen;
  CALL (fixture, &open, CONNECT_OPEN, xf_opt_string_flags_args, &args, xf_void);
  g_assert_cmpint (open.error_code, ==, 0);
  CALL (fixture, &again, CONNECT_OPEN, xf_opt_string_flags_args, &args, xf_void);
  g_assert_cmpstr (again.error_text, ==, "internal error: connection already open");
}

static void
test_close (Fixture *fixture, gconstpointer data)
{
  g_auto (Reply) reply = { 0 };
  xf_void nothing = { 0 };

  CALL (fixture, &reply, CONNECT_CLOSE, xf_void, &nothing, xf_void);
  g_assert_cmpint (reply.error_code, ==, 0);
  run_until (fixture->closed >= 1);
  g_assert_nonnull (fixture->driver->gone);
}

static void
look_at_list (gconstpointer ret, gpointer data)
{
  const xf_list_all_ret *list = ret;

  g_assert_cmpuint (list->count, ==, 2);
  g_assert_cmpuint (list->domains.domains_len, ==, 2);
  g_assert_cmpstr (list->domains.domains_val[0].name, ==, "g1");
  g_assert_cmpint (list->domains.domains_val[0].id, ==, 1);
  g_assert_cmpint (list->domains.domains_val[1].id, ==, -1);
  g_assert_cmpint (list->domains.domains_val[1].uuid[15], ==, 0x22);
}

static void
test_look (Fixture *fixture, gconstpointer data)
{
  g_auto (Reply) list = { .look = look_at_list }, info = { 0 }, state = { 0 }, missing = { 0 }, node = { 0 },
                 job = { 0 };
  xf_list_all_args all = { 1, 0 };
  xf_dom_args g1 = { dom (0x11) }, nobody = { dom (0x33) };
  xf_dom_flags_args g1_flags = { dom (0x11), 0 };
  xf_void nothing = { 0 };

  SEND (fixture, &list, CONNECT_LIST_ALL_DOMAINS, xf_list_all_args, &all, xf_list_all_ret);
  run_until (list.done >= 1);
  g_assert_cmpint (list.error_code, ==, 0);
  CALL (fixture, &info, DOMAIN_GET_INFO, xf_dom_args, &g1, xf_info_ret);
  g_assert_cmpuint (((xf_info_ret *)info.copy)->max_memory, ==, 2048);
  g_assert_cmpuint (((xf_info_ret *)info.copy)->cpu_time, ==, 3000000000ull);
  CALL (fixture, &state, DOMAIN_GET_STATE, xf_dom_flags_args, &g1_flags, xf_state_ret);
  g_assert_cmpint (((xf_state_ret *)state.copy)->state, ==, VIR_DOMAIN_PAUSED);
  g_assert_cmpint (((xf_state_ret *)state.copy)->reason, ==, VIR_DOMAIN_PAUSED_USER);
  CALL (fixture, &missing, DOMAIN_GET_INFO, xf_dom_args, &nobody, xf_info_ret);
  g_assert_cmpint (missing.error_code, ==, VIR_ERR_NO_DOMAIN);
  g_assert_cmpint (missing.error_domain, ==, VIR_FROM_LIBXL);
  g_assert_cmpstr (missing.error_text, ==, "Domain not found: no domain with that uuid");
  CALL (fixture, &node, NODE_GET_INFO, xf_void, &nothing, xf_node_info_ret);
  g_assert_cmpint (((xf_node_info_ret *)node.copy)->model[5], ==, '4');
  g_assert_cmpint (((xf_node_info_ret *)node.copy)->model[6], ==, 0);
  g_assert_cmpint (((xf_node_info_ret *)node.copy)->threads, ==, 1);
  CALL (fixture, &job, DOMAIN_GET_JOB_INFO, xf_dom_args, &g1, xf_job_info_ret);
  g_assert_cmpuint (((xf_job_info_ret *)job.copy)->file_remaining, ==, 11);
}

static void
look_at_vcpus (gconstpointer ret, gpointer data)
{
  const xf_vcpus_ret *vcpus = ret;

  g_assert_cmpuint (vcpus->info.info_len, ==, 2);
  g_assert_cmpint (vcpus->info.info_val[1].cpu, ==, 1);
  g_assert_cmpuint (vcpus->cpumaps.cpumaps_len, ==, 6);
  g_assert_cmpmem (vcpus->cpumaps.cpumaps_val, 6, "\x0f\0\0\x0f\0\0", 6);
}

static void
look_at_stats (gconstpointer ret, gpointer data)
{
  const xf_stats_ret *stats = ret;

  g_assert_cmpuint (stats->records.records_len, ==, 1);
  g_assert_cmpstr (stats->records.records_val[0].dom.name, ==, "g2");
  g_assert_cmpuint (stats->records.records_val[0].params.params_len, ==, 2);
  g_assert_cmpstr (stats->records.records_val[0].params.params_val[1].value.xf_param_value_u.s, ==, "vif1.0");
}

static void
look_at_job_stats (gconstpointer ret, gpointer data)
{
  const xf_job_stats_ret *stats = ret;
  const xf_param *params = stats->params.params_val;

  g_assert_cmpint (stats->type, ==, VIR_DOMAIN_JOB_COMPLETED);
  g_assert_cmpuint (stats->params.params_len, ==, 7);
  g_assert_cmpint (params[0].value.xf_param_value_u.i, ==, 5);
  g_assert_cmpuint (params[1].value.xf_param_value_u.ui, ==, 6);
  g_assert_cmpint (params[2].value.xf_param_value_u.l, ==, -7);
  g_assert_cmpuint (params[3].value.xf_param_value_u.ul, ==, G_MAXUINT64);
  g_assert_cmpfloat (params[4].value.xf_param_value_u.d, ==, 0.5);
  g_assert_cmpint (params[5].value.xf_param_value_u.b, ==, 1);
  g_assert_cmpstr (params[6].value.xf_param_value_u.s, ==, "none");
}

static void
test_bulk (Fixture *fixture, gconstpointer data)
{
  g_auto (Reply) vcpus = { .look = look_at_vcpus }, huge = { 0 }, stats = { .look = look_at_stats };
  g_auto (Reply) job = { .look = look_at_job_stats };
  xf_dom_vcpus_args few = { dom (0x11), 16, 3 }, many = { dom (0x11), 16384, 16384 };
  xf_domain g2 = dom (0x22);
  xf_stats_args one = { .doms = { 1, &g2 } };
  xf_dom_flags_args g1 = { dom (0x11), 1 };

  SEND (fixture, &vcpus, DOMAIN_GET_VCPUS, xf_dom_vcpus_args, &few, xf_vcpus_ret);
  SEND (fixture, &huge, DOMAIN_GET_VCPUS, xf_dom_vcpus_args, &many, xf_vcpus_ret);
  SEND (fixture, &stats, CONNECT_GET_ALL_DOMAIN_STATS, xf_stats_args, &one, xf_stats_ret);
  SEND (fixture, &job, DOMAIN_GET_JOB_STATS, xf_dom_flags_args, &g1, xf_job_stats_ret);
  run_until (job.done >= 1);
  g_assert_cmpuint (vcpus.done + huge.done + stats.done, ==, 3);
  g_assert_cmpint (vcpus.error_code + stats.error_code + job.error_code, ==, 0);
  g_assert_cmpint (huge.error_code, ==, VIR_ERR_INVALID_ARG);
}

/* Calls are answered when they complete, and queries work meanwhile. */
static void
test_out_of_order (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GString) order = g_string_new (NULL);
  g_auto (Reply) a = { .order = order, .tag = 'a' }, b = { .order = order, .tag = 'b' },
                 c = { .order = order, .tag = 'c' };
  xf_dom_args g1 = { dom (0x11) };
  xf_perform_args perform = { .dom = dom (0x11), .flags = 1 };

  fixture->driver->hold = TRUE;
  SEND (fixture, &a, DOMAIN_MIGRATE_PERFORM3_PARAMS, xf_perform_args, &perform, xf_cookie_ret);
  SEND (fixture, &b, DOMAIN_SUSPEND, xf_dom_args, &g1, xf_void);
  SEND (fixture, &c, DOMAIN_GET_INFO, xf_dom_args, &g1, xf_info_ret);
  run_until (c.done >= 1);
  g_assert_cmpuint (a.done + b.done, ==, 0);
  fake_driver_release (fixture->driver);
  run_until (a.done >= 1);
  g_assert_cmpstr (order->str, ==, "cba");
}

static void
test_client_gone (Fixture *fixture, gconstpointer data)
{
  g_auto (Reply) reply = { 0 };
  xf_dom_args g1 = { dom (0x11) };

  fixture->driver->hold = TRUE;
  SEND (fixture, &reply, DOMAIN_SUSPEND, xf_dom_args, &g1, xf_void);
  run_ready ();
  g_clear_pointer (&fixture->client, xf_client_free);
  run_ready ();
  g_assert_nonnull (fixture->driver->gone);
  g_assert_cmpuint (xf_remote_n_clients (fixture->remote), ==, 0);
  /* The answer to a client that has disconnected is dropped. */
  fake_driver_release (fixture->driver);
  run_ready ();
  g_assert_cmpuint (reply.done, ==, 0);
}

static void
test_read_only (Fixture *fixture, gconstpointer data)
{
  g_auto (Reply) destroy = { 0 }, look = { 0 }, secret = { 0 }, plain = { 0 }, tunnel = { 0 };
  xf_dom_args g1 = { dom (0x11) };
  xf_dom_flags_args secure = { dom (0x11), VIR_DOMAIN_XML_SECURE }, insecure = { dom (0x11), 0 };
  xf_prepare_args prepare = { 0 };

  CALL (fixture, &destroy, DOMAIN_DESTROY, xf_dom_args, &g1, xf_void);
  g_assert_cmpint (destroy.error_code, ==, VIR_ERR_OPERATION_DENIED);
  CALL (fixture, &tunnel, DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS, xf_prepare_args, &prepare, xf_cookie_ret);
  g_assert_cmpint (tunnel.error_code, ==, VIR_ERR_OPERATION_DENIED);
  CALL (fixture, &secret, DOMAIN_GET_XML_DESC, xf_dom_flags_args, &secure, xf_string_ret);
  g_assert_cmpint (secret.error_code, ==, VIR_ERR_OPERATION_DENIED);
  g_assert_cmpstr (fixture->driver->log->str, ==, ""); /* the driver was not called */
  CALL (fixture, &look, DOMAIN_GET_INFO, xf_dom_args, &g1, xf_info_ret);
  CALL (fixture, &plain, DOMAIN_GET_XML_DESC, xf_dom_flags_args, &insecure, xf_string_ret);
  g_assert_cmpint (look.error_code + plain.error_code, ==, 0);
}

static void
test_migrate (Fixture *fixture, gconstpointer data)
{
  g_auto (Reply) prepare = { 0 }, finish = { 0 }, p2p = { 0 }, confirm = { 0 }, refused = { 0 };
  char field[] = "destination_name", value[] = "new", cookie[] = "<libxl-migration/>",
       uri_text[] = "xen+tcp://b/system";
  xf_string uri = uri_text;
  xf_param param = { field, { XF_PARAM_STRING, { .s = value } } };
  xf_prepare_args prepare_args = { { 1, &param }, { sizeof (cookie), cookie }, 0x1b };
  xf_finish_args finish_args = { .cancelled = 1 };
  xf_perform_args perform_args = { .dom = dom (0x11), .dconnuri = &uri };
  xf_confirm_args confirm_args = { .dom = dom (0x11), .cancelled = 0 };

  SEND (fixture, &prepare, DOMAIN_MIGRATE_PREPARE3_PARAMS, xf_prepare_args, &prepare_args, xf_prepare_ret);
  run_until (prepare.done >= 1);
  g_assert_cmpint (prepare.error_code, ==, 0);
  g_assert_cmpstr (xf_typed_params_find (fixture->driver->params, "destination_name")->s, ==, "new");
  g_assert_cmpuint (g_bytes_get_size (fixture->driver->cookie), ==, sizeof (cookie));
  g_assert_cmphex (fixture->driver->flags, ==, 0x1b);
  SEND (fixture, &finish, DOMAIN_MIGRATE_FINISH3_PARAMS, xf_finish_args, &finish_args, xf_finish_ret);
  run_until (finish.done >= 1);
  g_assert_null (fixture->driver->cookie);
  SEND (fixture, &p2p, DOMAIN_MIGRATE_PERFORM3_PARAMS, xf_perform_args, &perform_args, xf_cookie_ret);
  run_until (p2p.done >= 1);
  SEND (fixture, &confirm, DOMAIN_MIGRATE_CONFIRM3_PARAMS, xf_confirm_args, &confirm_args, xf_void);
  run_until (confirm.done >= 1);
  g_assert_cmpstr (fixture->driver->log->str, ==, "prepare finish-cancelled xen+tcp://b/system confirm ");

  fixture->driver->fail = g_error_new_literal (XF_ERROR, XF_ERROR_ARGUMENT_UNSUPPORTED, "parameter 'x' not supported");
  SEND (fixture, &refused, DOMAIN_MIGRATE_PREPARE3_PARAMS, xf_prepare_args, &prepare_args, xf_prepare_ret);
  run_until (refused.done >= 1);
  g_assert_cmpint (refused.error_code, ==, VIR_ERR_ARGUMENT_UNSUPPORTED);
  g_assert_cmpstr (refused.error_text, ==, "argument unsupported: parameter 'x' not supported");
}

/* ---- streams ---------------------------------------------------------------------------------------------- */

typedef struct {
  XfStream *stream;
  guint ended;
  XfStreamEnd how;
  char *error;
  int out; /* read end of the pipe that the stream writes to */
} ClientStream;

static void
stream_ended (XfStream *stream, XfStreamEnd how, const GError *error, gpointer data)
{
  ClientStream *client = data;

  client->ended++;
  client->how = how;
  client->error = error ? g_strdup (error->message) : NULL;
}

static void
stream_quiet (XfStream *stream, gpointer data)
{
}

static void
open_stream (Fixture *fixture, const Reply *reply, ClientStream *client)
{
  static const XfStreamEvents events = { stream_ended, stream_quiet, stream_quiet };
  int fds[2];

  g_assert_true (xf_pipe_new (fds, -1, NULL));
  client->out = fds[0];
  client->stream = xf_stream_new (xf_client_conn (fixture->client), &reply->header, FALSE, fds[1], -1, &events, client);
}

static void
close_stream (ClientStream *client)
{
  xf_stream_free (client->stream);
  xf_clear_fd (&client->out);
  g_free (client->error);
}

static gboolean
read_up_to (int fd, char *buffer, gsize *have, gsize length)
{
  gssize n = read (fd, buffer + *have, length - *have);

  *have += MAX (n, 0);
  return *have >= length;
}

static void
read_exactly (int fd, const char *wanted)
{
  gsize have = 0;
  char buffer[64] = "";

  (void)xf_fd_set_nonblocking (fd, TRUE, NULL);
  run_until (read_up_to (fd, buffer, &have, strlen (wanted)));
  g_assert_cmpstr (buffer, ==, wanted);
}

static void
test_console (Fixture *fixture, gconstpointer data)
{
  g_auto (Reply) reply = { 0 };
  xf_dom_console_args args = { .dom = dom (0x11) };
  ClientStream client = { 0 };
  int fds[2], keys[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
  fixture->driver->console_fd = fds[0];
  CALL (fixture, &reply, DOMAIN_OPEN_CONSOLE, xf_dom_console_args, &args, xf_void);
  g_assert_cmpint (reply.error_code, ==, 0);
  open_stream (fixture, &reply, &client);
  g_assert_true (xf_pipe_new (keys, -1, NULL));
  xf_stream_send_from (client.stream, keys[0]);
  g_assert_cmpint (write (fds[1], "login: ", 7), ==, 7);
  read_exactly (client.out, "login: ");
  g_assert_cmpint (write (keys[1], "root\n", 5), ==, 5);
  read_exactly (fds[1], "root\n");
  xf_stream_finish (client.stream);
  run_until (client.ended >= 1);
  g_assert_cmpint (client.how, ==, XF_STREAM_FINISHED);
  run_ready ();
  /* The console is closed. */
  g_assert_cmpint (read (fds[1], keys, sizeof (keys)), ==, 0);
  close (fds[1]);
  close (keys[1]);
  close_stream (&client);
}

/* Waits for the end of the data at the driver's end of the pipe. */
static void
wait_for_end (int fd)
{
  struct pollfd end = { .fd = fd, .events = POLLIN };

  while (!(end.revents & POLLHUP)) {
    g_main_context_iteration (NULL, FALSE);
    g_assert_cmpint (poll (&end, 1, 1), >=, 0);
  }
}

static void
open_tunnel (Fixture *fixture, ClientStream *client)
{
  g_auto (Reply) reply = { 0 };
  xf_prepare_args args = { .flags = 7 };

  CALL (fixture, &reply, DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS, xf_prepare_args, &args, xf_cookie_ret);
  g_assert_cmpint (reply.error_code, ==, 0);
  open_stream (fixture, &reply, client);
}

static void
test_tunnel_finished (Fixture *fixture, gconstpointer data)
{
  ClientStream client = { 0 };
  int fds[2];
  char c;

  open_tunnel (fixture, &client);
  g_assert_true (xf_pipe_new (fds, -1, NULL));
  xf_stream_send_from (client.stream, fds[0]);
  g_assert_cmpint (write (fds[1], "memory", 6), ==, 6);
  close (fds[1]);
  read_exactly (fixture->driver->tunnel_fd, "memory");
  xf_stream_finish (client.stream);
  run_until (client.ended >= 1);
  wait_for_end (fixture->driver->tunnel_fd);
  g_assert_cmpint (read (fixture->driver->tunnel_fd, &c, 1), ==, 0); /* end of file */
  fixture->driver->tunnel_ops->discard (fixture->driver->tunnel);
  fixture->driver->tunnel_ops->release (fixture->driver->tunnel);
  close_stream (&client);
}

static void
test_tunnel_aborted (Fixture *fixture, gconstpointer data)
{
  ClientStream client = { 0 };

  open_tunnel (fixture, &client);
  xf_stream_abort (client.stream);
  wait_for_end (fixture->driver->tunnel_fd);
  fixture->driver->tunnel_ops->release (fixture->driver->tunnel);
  close_stream (&client);
}

static void
test_tunnel_lost (Fixture *fixture, gconstpointer data)
{
  ClientStream client = { 0 };

  open_tunnel (fixture, &client);
  close_stream (&client);
  g_clear_pointer (&fixture->client, xf_client_free);
  wait_for_end (fixture->driver->tunnel_fd);
  fixture->driver->tunnel_ops->release (fixture->driver->tunnel);
}

static void
test_tunnel_failed (Fixture *fixture, gconstpointer data)
{
  ClientStream client = { 0 };
  g_autoptr (GError) error = g_error_new_literal (XF_ERROR, XF_ERROR_OPERATION_FAILED, "no memory");

  open_tunnel (fixture, &client);
  fixture->driver->tunnel_ops->fail (fixture->driver->tunnel, error);
  run_until (client.ended >= 1);
  g_assert_cmpint (client.how, ==, XF_STREAM_FAILED);
  g_assert_nonnull (strstr (client.error, "operation failed: no memory"));
  fixture->driver->tunnel_ops->fail (fixture->driver->tunnel, error); /* no effect */
  fixture->driver->tunnel_ops->release (fixture->driver->tunnel);
  close_stream (&client);
}

/* A libvirtd keeps sending after the driver has released the tunnel, and then closes the stream. */
static void
test_tunnel_released_first (Fixture *fixture, gconstpointer data)
{
  ClientStream client = { 0 };
  g_auto (Reply) reply = { 0 };
  xf_void nothing = { 0 };
  int fds[2];

  open_tunnel (fixture, &client);
  g_assert_true (xf_pipe_new (fds, -1, NULL));
  xf_clear_fd (&fixture->driver->tunnel_fd);
  fixture->driver->tunnel_ops->release (fixture->driver->tunnel);
  xf_stream_send_from (client.stream, fds[0]);
  g_assert_cmpint (write (fds[1], "late", 4), ==, 4);
  CALL (fixture, &reply, CONNECT_GET_HOSTNAME, xf_void, &nothing, xf_string_ret);
  run_ready ();
  g_assert_cmpuint (client.ended, ==, 0);
  close (fds[1]);
  close_stream (&client);
}

static void
test_tunnel_refused (Fixture *fixture, gconstpointer data)
{
  g_auto (Reply) reply = { 0 };
  xf_prepare_args args = { .flags = 7 };

  fixture->driver->fail = g_error_new_literal (XF_ERROR, XF_ERROR_DOMAIN_EXISTS,
                                               "domain 'g1' already exists with uuid 1");
  CALL (fixture, &reply, DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS, xf_prepare_args, &args, xf_cookie_ret);
  g_assert_cmpint (reply.error_code, ==, VIR_ERR_OPERATION_FAILED);
  g_assert_cmpint (reply.error_domain, ==, VIR_FROM_DOMAIN);
}

/* ---- events ----------------------------------------------------------------------------------------------- */

/* Reads events from raw frames: our own client does not receive events. */
typedef struct {
  int fd;
  guint32 serial;
} Wire;

static void
wire_send (Wire *wire, gint32 procedure, xdrproc_t xdr, gconstpointer args)
{
  XfFrameHeader header = { 0, XF_REMOTE_PROGRAM, 1, procedure, XF_FRAME_CALL, wire->serial++, XF_FRAME_OK };
  g_autoptr (GBytes) frame = xf_frame_encode (&header, xdr, args);
  gsize size;
  gconstpointer bytes = g_bytes_get_data (frame, &size);

  g_assert_cmpint (write (wire->fd, bytes, size), ==, (gssize)size);
}

/* Reads the next frame; FALSE: there is none. */
static gboolean
wire_next (Wire *wire, XfFrameHeader *header_out, gpointer value, xdrproc_t xdr)
{
  guint8 bytes[4096];
  gssize n;

  run_ready ();
  n = recv (wire->fd, bytes, XF_FRAME_HEADER, MSG_DONTWAIT);
  if (n != XF_FRAME_HEADER || !xf_frame_get_header (bytes, header_out))
    return FALSE;
  n = header_out->length - XF_FRAME_HEADER;
  g_assert_cmpint (n, <, (gssize)sizeof (bytes));
  if (n > 0)
    g_assert_cmpint (recv (wire->fd, bytes, n, MSG_WAITALL), ==, n);
  if (value) {
    g_autoptr (GBytes) payload = g_bytes_new (bytes, n);

    g_assert_true (xf_frame_decode (payload, xdr, value));
  }
  return TRUE;
}

static Wire
wire_connect (Fixture *fixture)
{
  Wire wire = { 0 };
  xf_opt_string_flags_args args = { 0 };
  XfFrameHeader header;
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  xf_remote_accept (fixture->remote, fds[0], XF_DOOR_PRIVATE);
  wire.fd = fds[1];
  wire_send (&wire, XF_PROC_CONNECT_OPEN, (xdrproc_t)xdr_xf_opt_string_flags_args, &args);
  g_assert_true (wire_next (&wire, &header, NULL, NULL));
  g_assert_cmpuint (header.status, ==, XF_FRAME_OK);
  return wire;
}

static int
wire_register (Wire *wire, int event, xf_domain *one)
{
  xf_event_args args = { event, one };
  xf_int_ret ret = { -1 };
  XfFrameHeader header;

  wire_send (wire, XF_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, (xdrproc_t)xdr_xf_event_args, &args);
  g_assert_true (wire_next (wire, &header, &ret, (xdrproc_t)xdr_xf_int_ret));
  g_assert_cmpuint (header.status, ==, XF_FRAME_OK);
  return ret.value;
}

static void
test_events (Fixture *fixture, gconstpointer data)
{
  Wire wire = wire_connect (fixture);
  xf_domain g2 = dom (0x22);
  int all = wire_register (&wire, VIR_DOMAIN_EVENT_ID_LIFECYCLE, NULL);
  int only_g2 = wire_register (&wire, VIR_DOMAIN_EVENT_ID_LIFECYCLE, &g2);
  int iterations = wire_register (&wire, VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, NULL);
  int completed = wire_register (&wire, VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, NULL);
  xf_lifecycle_callback_event life = { 0 };
  xf_iteration_event iteration = { 0 };
  xf_job_completed_event job = { 0 };
  xf_int_args deregister = { all };
  XfFrameHeader header;

  g_assert_cmpint (all, !=, only_g2);
  fake_driver_emit (fixture->driver, 0, VIR_DOMAIN_EVENT_ID_LIFECYCLE, 2, 1);
  g_assert_true (wire_next (&wire, &header, &life, (xdrproc_t)xdr_xf_lifecycle_callback_event));
  g_assert_cmpint (header.procedure, ==, 318);
  g_assert_cmpuint (header.type, ==, XF_FRAME_MESSAGE);
  g_assert_cmpuint (header.serial, ==, 1);
  g_assert_cmpint (life.callback, ==, all);
  g_assert_cmpstr (life.body.dom.name, ==, "g1");
  g_assert_cmpint (life.body.event, ==, 2);
  g_assert_cmpint (life.body.detail, ==, 1);
  xdr_free ((xdrproc_t)xdr_xf_lifecycle_callback_event, (char *)&life);
  g_assert_false (wire_next (&wire, &header, NULL, NULL)); /* g2's listener gets no event */

  fake_driver_emit (fixture->driver, 0, VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, 4, 0);
  g_assert_true (wire_next (&wire, &header, &iteration, (xdrproc_t)xdr_xf_iteration_event));
  g_assert_cmpint (header.procedure, ==, 359);
  g_assert_cmpint (iteration.callback, ==, iterations);
  g_assert_cmpint (iteration.iteration, ==, 4);
  xdr_free ((xdrproc_t)xdr_xf_iteration_event, (char *)&iteration);

  fake_driver_emit (fixture->driver, 1, VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, 0, 0);
  g_assert_true (wire_next (&wire, &header, &job, (xdrproc_t)xdr_xf_job_completed_event));
  g_assert_cmpint (header.procedure, ==, 363);
  g_assert_cmpint (job.callback, ==, completed);
  g_assert_cmpstr (job.params.params_val[0].field, ==, "time_elapsed");
  xdr_free ((xdrproc_t)xdr_xf_job_completed_event, (char *)&job);

  wire_send (&wire, XF_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY, (xdrproc_t)xdr_xf_int_args, &deregister);
  g_assert_true (wire_next (&wire, &header, NULL, NULL));
  wire_send (&wire, XF_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY, (xdrproc_t)xdr_xf_int_args, &deregister);
  g_assert_true (wire_next (&wire, &header, NULL, NULL));
  g_assert_cmpuint (header.status, ==, XF_FRAME_ERROR);
  fake_driver_emit (fixture->driver, 0, VIR_DOMAIN_EVENT_ID_LIFECYCLE, 5, 1);
  g_assert_false (wire_next (&wire, &header, NULL, NULL));
  close (wire.fd);
}

static void
test_event_numbers (Fixture *fixture, gconstpointer data)
{
  Wire wire = wire_connect (fixture);
  XfFrameHeader header;

  for (int event = 0; event <= 26; event++)
    g_assert_cmpint (wire_register (&wire, event, NULL), >=, 0);
  for (int event = -1; event <= 27; event += 28) {
    xf_event_args args = { event, NULL };

    wire_send (&wire, XF_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, (xdrproc_t)xdr_xf_event_args, &args);
    g_assert_true (wire_next (&wire, &header, NULL, NULL));
    g_assert_cmpuint (header.status, ==, XF_FRAME_ERROR);
  }
  close (wire.fd);
  run_ready ();
  /* A registration ends with its connection. */
  fake_driver_emit (fixture->driver, 0, VIR_DOMAIN_EVENT_ID_LIFECYCLE, 5, 1);
}

static void
test_legacy_events (Fixture *fixture, gconstpointer data)
{
  Wire wire = wire_connect (fixture);
  xf_void nothing = { 0 };
  xf_lifecycle_event life = { 0 };
  xf_int_ret left = { -1 };
  XfFrameHeader header;

  wire_send (&wire, XF_PROC_CONNECT_DOMAIN_EVENT_REGISTER, (xdrproc_t)xdr_xf_void, &nothing);
  g_assert_true (wire_next (&wire, &header, &left, (xdrproc_t)xdr_xf_int_ret));
  g_assert_cmpint (left.value, ==, 1);
  fake_driver_emit (fixture->driver, 0, VIR_DOMAIN_EVENT_ID_LIFECYCLE, 4, 1);
  fake_driver_emit (fixture->driver, 0, VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, 0, 0);
  g_assert_true (wire_next (&wire, &header, &life, (xdrproc_t)xdr_xf_lifecycle_event));
  g_assert_cmpint (header.procedure, ==, 107);
  g_assert_cmpint (life.event, ==, 4);
  xdr_free ((xdrproc_t)xdr_xf_lifecycle_event, (char *)&life);
  g_assert_false (wire_next (&wire, &header, NULL, NULL));
  wire_send (&wire, XF_PROC_CONNECT_DOMAIN_EVENT_DEREGISTER, (xdrproc_t)xdr_xf_void, &nothing);
  g_assert_true (wire_next (&wire, &header, &left, (xdrproc_t)xdr_xf_int_ret));
  g_assert_cmpint (left.value, ==, 0);
  close (wire.fd);
}

/* ---- xenferry's own program ------------------------------------------------------------------------------- */

static void
look_at_migrations (gconstpointer ret, gpointer data)
{
  const xf_migrations_ret *list = ret;

  g_assert_cmpuint (list->migrations.migrations_len, ==, 2);
  g_assert_cmpstr (list->migrations.migrations_val[0].guest, ==, "g1");
  g_assert_cmpstr (list->migrations.migrations_val[0].state, ==, "settling");
  g_assert_cmpstr (*list->migrations.migrations_val[0].peer, ==, "b");
  g_assert_null (list->migrations.migrations_val[0].reason);
  g_assert_cmpint (list->migrations.migrations_val[0].changed, ==, 12);
  g_assert_cmpint (list->migrations.migrations_val[0].id[0], ==, 0x77);
  g_assert_cmpstr (list->migrations.migrations_val[1].guest, ==, "");
  g_assert_cmpstr (*list->migrations.migrations_val[1].reason, ==, "unreadable");
}

static void
test_own_program (Fixture *fixture, gconstpointer data)
{
  g_auto (Reply) settle_reply = { 0 }, wrong = { 0 }, senseless = { 0 }, resolve = { 0 };
  g_auto (Reply) list = { .look = look_at_migrations };
  char right_text[] = "s", wrong_text[] = "t";
  xf_settle_args args = { .id = { 0x42 }, .secret = right_text };
  xf_resolve_args decision = { .here = 1 };
  xf_void nothing = { 0 };

  CALL_OWN (fixture, &settle_reply, SETTLE, xf_settle_args, &args, xf_int_ret);
  g_assert_cmpint (((xf_int_ret *)settle_reply.copy)->value, ==, XF_VERDICT_WILL_NOT_RUN);
  args.secret = wrong_text;
  args.purpose = XF_PURPOSE_THERE;
  CALL_OWN (fixture, &wrong, SETTLE, xf_settle_args, &args, xf_int_ret);
  g_assert_cmpint (wrong.error_code, ==, VIR_ERR_NO_DOMAIN);
  args.purpose = XF_PURPOSE_THERE + 1;
  CALL_OWN (fixture, &senseless, SETTLE, xf_settle_args, &args, xf_int_ret);
  g_assert_cmpint (senseless.error_code, ==, VIR_ERR_INVALID_ARG);
  CALL_OWN (fixture, &list, LIST_MIGRATIONS, xf_void, &nothing, xf_migrations_ret);
  CALL_OWN (fixture, &resolve, RESOLVE_MIGRATION, xf_resolve_args, &decision, xf_void);
  g_assert_cmpint (resolve.error_code, ==, 0);
  g_assert_cmpstr (fixture->driver->log->str, ==, "settle-42-0 settle-42-3 resolve-here ");
}

static void
look_at_findings (gconstpointer ret, gpointer data)
{
  const xf_findings_ret *list = ret;

  g_assert_cmpuint (list->findings.findings_len, ==, 2);
  g_assert_cmpstr (list->findings.findings_val[0].host, ==, "fake.example");
  g_assert_cmpstr (list->findings.findings_val[0].resource, ==, "disk:0\\x0a");
  g_assert_cmpint (list->findings.findings_val[0].blocks, ==, 1);
  g_assert_cmpint (list->findings.findings_val[1].blocks, ==, 0);
  g_assert_cmpuint (strlen (list->findings.findings_val[1].text), ==, XF_FINDING_TEXT_MAX);
}

static void
look_at_many_findings (gconstpointer ret, gpointer data)
{
  const xf_findings_ret *list = ret;
  const xf_finding *last = &list->findings.findings_val[XF_FINDINGS_MAX - 1];

  g_assert_cmpuint (list->findings.findings_len, ==, XF_FINDINGS_MAX);
  g_assert_cmpint (last->blocks, ==, 1);
  g_assert_nonnull (strstr (last->text, "11 more findings are not listed, of which 5 block"));
}

/* Arguments and findings travel; a blocker that has no place in the answer is not lost. */
static void
test_check (Fixture *fixture, gconstpointer data)
{
  g_auto (Reply) check = { .look = look_at_findings }, incoming = { .look = look_at_many_findings }, fails = { 0 };
  char uri[] = "xen+tcp://b/system", field[] = "destination_name", name[] = "new", cookie[] = "c";
  xf_param param = { field, { XF_PARAM_STRING, { .s = name } } };
  xf_check_args args = { .dconnuri = uri, .params = { 1, &param }, .flags = 3 };
  xf_prepare_args arriving = { .params = { 1, &param }, .cookie = { sizeof (cookie), cookie }, .flags = 9 };

  memset (args.uuid, 0x11, sizeof (args.uuid));
  fixture->driver->findings = 2;
  CALL_OWN (fixture, &check, CHECK_MIGRATION, xf_check_args, &args, xf_findings_ret);
  g_assert_cmpint (check.error_code, ==, 0);
  g_assert_cmpuint (fixture->driver->flags, ==, 3);
  g_assert_cmpstr (xf_typed_params_find (fixture->driver->params, field)->s, ==, "new");
  fixture->driver->findings = XF_FINDINGS_MAX + 10;
  CALL_OWN (fixture, &incoming, CHECK_INCOMING, xf_prepare_args, &arriving, xf_findings_ret);
  g_assert_cmpint (incoming.error_code, ==, 0);
  g_assert_cmpuint (fixture->driver->flags, ==, 9);
  g_assert_cmpuint (g_bytes_get_size (fixture->driver->cookie), ==, sizeof (cookie));
  fixture->driver->fail = g_error_new_literal (XF_ERROR, XF_ERROR_NO_DOMAIN, "it has gone");
  CALL_OWN (fixture, &fails, CHECK_MIGRATION, xf_check_args, &args, xf_findings_ret);
  g_assert_cmpint (fails.error_code, ==, VIR_ERR_NO_DOMAIN);
  g_assert_cmpstr (fixture->driver->log->str, ==,
                   "check-11-xen+tcp://b/system check-incoming check-11-xen+tcp://b/system ");
}

static void
test_check_needs_rights (Fixture *fixture, gconstpointer data)
{
  g_auto (Reply) check = { 0 }, incoming = { 0 };
  char uri[] = "xen+tcp://b/system";
  xf_check_args args = { .dconnuri = uri };
  xf_prepare_args arriving = { 0 };

  CALL_OWN (fixture, &check, CHECK_MIGRATION, xf_check_args, &args, xf_findings_ret);
  CALL_OWN (fixture, &incoming, CHECK_INCOMING, xf_prepare_args, &arriving, xf_findings_ret);
  g_assert_cmpint (check.error_code, ==, data ? VIR_ERR_OPERATION_DENIED : VIR_ERR_INTERNAL_ERROR);
  g_assert_cmpint (incoming.error_code, ==, check.error_code);
  g_assert_cmpstr (fixture->driver->log->str, ==, "");
}

/* Bytes of a caller are repeated as printable text. */
static void
test_unprintable (Fixture *fixture, gconstpointer data)
{
  g_auto (Reply) auth = { 0 }, reply = { 0 };
  xf_void nothing = { 0 };
  char uri[] = "xen:///\xff\n\033";
  xf_string text = uri;
  xf_opt_string_flags_args args = { .value = &text };

  SEND (fixture, &auth, AUTH_LIST, xf_void, &nothing, xf_auth_ret);
  run_until (auth.done >= 1);
  CALL (fixture, &reply, CONNECT_OPEN, xf_opt_string_flags_args, &args, xf_void);
  g_assert_nonnull (reply.error_text);
  g_assert_true (g_utf8_validate (reply.error_text, -1, NULL));
  g_assert_nonnull (strstr (reply.error_text, "xen:///\\xff\\x0a\\x1b"));
}

/* On the peer port only the question about a migration is allowed. */
static void
test_peer_port (Fixture *fixture, gconstpointer data)
{
  g_auto (Reply) settle_reply = { 0 }, list = { 0 }, resolve = { 0 }, open = { 0 };
  char right_text[] = "s";
  xf_settle_args args = { .id = { 0x42 }, .secret = right_text };
  xf_resolve_args decision = { .here = 1 };
  xf_opt_string_flags_args open_args = { 0 };
  xf_void nothing = { 0 };

  CALL_OWN (fixture, &settle_reply, SETTLE, xf_settle_args, &args, xf_int_ret);
  g_assert_cmpint (((xf_int_ret *)settle_reply.copy)->value, ==, XF_VERDICT_WILL_NOT_RUN);
  CALL_OWN (fixture, &list, LIST_MIGRATIONS, xf_void, &nothing, xf_migrations_ret);
  g_assert_cmpstr (list.error_text, ==, "authentication required");
  CALL_OWN (fixture, &resolve, RESOLVE_MIGRATION, xf_resolve_args, &decision, xf_void);
  g_assert_cmpstr (resolve.error_text, ==, "authentication required");
  CALL (fixture, &open, CONNECT_OPEN, xf_opt_string_flags_args, &open_args, xf_void);
  g_assert_cmpstr (open.error_text, ==, "authentication required");
}

/* Sends a header that announces @length bytes; returns whether that ends the connection. */
static gboolean
ends_by_frame (Wire *wire, guint length)
{
  XfFrameHeader header = { length, XF_REMOTE_PROGRAM, XF_PROGRAM_VERSION, XF_PROC_AUTH_LIST, XF_FRAME_CALL, 1, 0 };
  guint8 bytes[XF_FRAME_HEADER], byte;

  xf_frame_put_header (&header, bytes);
  g_assert_cmpint (write (wire->fd, bytes, sizeof (bytes)), ==, sizeof (bytes));
  run_ready ();
  return recv (wire->fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void
test_large_frame_before_open (Fixture *fixture, gconstpointer data)
{
  Wire opened = wire_connect (fixture), closed = { 0 };
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  g_assert_false (ends_by_frame (&opened, XF_FRAME_SMALL + 1));
  close (opened.fd);
  run_ready ();
  xf_remote_accept (fixture->remote, fds[0], XF_DOOR_PRIVATE);
  closed.fd = fds[1];
  g_assert_true (ends_by_frame (&closed, XF_FRAME_SMALL + 1));
  close (closed.fd);
}

static void
look_for_one_record (gconstpointer ret, gpointer data)
{
  g_assert_cmpuint (((const xf_stats_ret *)ret)->records.records_len, ==, 1);
}

static void
test_stats_once_a_guest (Fixture *fixture, gconstpointer data)
{
  g_auto (Reply) stats = { .look = look_for_one_record };
  xf_domain names[100];
  xf_stats_args args = { .doms = { G_N_ELEMENTS (names), names } };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    names[i] = (xf_domain){ .name = (char *)"g2", .id = -1 };
    memset (names[i].uuid, 0x22, sizeof (names[i].uuid));
  }
  CALL (fixture, &stats, CONNECT_GET_ALL_DOMAIN_STATS, xf_stats_args, &args, xf_stats_ret);
  g_assert_cmpint (stats.error_code, ==, 0);
}

static void
test_too_many_clients (Fixture *fixture, gconstpointer data)
{
  Wire second = wire_connect (fixture);
  int fds[2];
  char c;

  g_test_expect_message ("xf-remote", G_LOG_LEVEL_WARNING, "*it has 2 clients*turned away*");
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  xf_remote_accept (fixture->remote, fds[0], XF_DOOR_PRIVATE);
  g_assert_cmpint (read (fds[1], &c, 1), ==, 0);
  close (fds[1]);
  close (second.fd);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  signal (SIGPIPE, SIG_IGN);
#define ADD(name, function) g_test_add ("/remote/" name, Fixture, NULL, setup, function, teardown)
  g_test_add ("/remote/before-open", Fixture, NULL, setup_closed, test_before_open, teardown);
  ADD ("close", test_close);
  ADD ("look", test_look);
  ADD ("bulk", test_bulk);
  ADD ("out-of-order", test_out_of_order);
  ADD ("client-gone", test_client_gone);
  g_test_add ("/remote/read-only", Fixture, "ro", setup, test_read_only, teardown);
  ADD ("migrate", test_migrate);
  ADD ("console", test_console);
  ADD ("tunnel/finished", test_tunnel_finished);
  ADD ("tunnel/aborted", test_tunnel_aborted);
  ADD ("tunnel/lost", test_tunnel_lost);
  ADD ("tunnel/failed", test_tunnel_failed);
  ADD ("tunnel/released-first", test_tunnel_released_first);
  ADD ("tunnel/refused", test_tunnel_refused);
  ADD ("events/callbacks", test_events);
  ADD ("events/numbers", test_event_numbers);
  ADD ("events/legacy", test_legacy_events);
  ADD ("own-program", test_own_program);
  ADD ("check", test_check);
  g_test_add ("/remote/check/read-only", Fixture, "ro", setup, test_check_needs_rights, teardown);
  g_test_add ("/remote/check/before-open", Fixture, NULL, setup_closed, test_check_needs_rights, teardown);
  g_test_add ("/remote/unprintable", Fixture, NULL, setup_closed, test_unprintable, teardown);
  g_test_add ("/remote/peer-port", Fixture, "peer", setup_closed, test_peer_port, teardown);
  ADD ("too-many-clients", test_too_many_clients);
  ADD ("large-frame-before-open", test_large_frame_before_open);
  ADD ("stats-once-a-guest", test_stats_once_a_guest);
  return g_test_run ();
}
