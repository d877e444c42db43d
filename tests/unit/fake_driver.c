/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake_driver.h"

#include <libvirt/libvirt.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

XfDriver *
fake_driver_new (void)
{
  XfDriver *driver = g_new0 (XfDriver, 1);

  driver->guests[0] = (XfDomainRef){ .name = g_strdup ("g1"), .id = 1 };
  driver->guests[1] = (XfDomainRef){ .name = g_strdup ("g2"), .id = -1 };
  memset (driver->guests[0].uuid, 0x11, XF_UUID_LENGTH);
  memset (driver->guests[1].uuid, 0x22, XF_UUID_LENGTH);
  driver->log = g_string_new (NULL);
  driver->console_fd = driver->tunnel_fd = -1;
  g_queue_init (&driver->held);
  return driver;
}

void
fake_driver_free (XfDriver *driver)
{
  g_assert_true (g_queue_is_empty (&driver->held));
  for (guint i = 0; i < G_N_ELEMENTS (driver->guests); i++)
    g_free (driver->guests[i].name);
  g_string_free (driver->log, TRUE);
  g_clear_error (&driver->fail);
  xf_clear_fd (&driver->tunnel_fd);
  g_clear_pointer (&driver->params, g_array_unref);
  g_clear_pointer (&driver->cookie, g_bytes_unref);
  g_free (driver);
}

void
fake_driver_emit (XfDriver *driver, guint guest, int id, int event, int detail)
{
  g_autoptr (GArray) params = xf_typed_params_new ();
  XfEvent told = { .id = id, .ref = &driver->guests[guest], .event = event, .detail = detail, .iteration = event };

  xf_typed_params_add_ullong (params, "time_elapsed", 12);
  told.params = params;
  if (driver->listener)
    driver->listener (&told, driver->listener_data);
}

static const XfDomainRef *
find (XfDriver *driver, const char *what, const guint8 *uuid, GError **error)
{
  g_string_append_printf (driver->log, "%s ", what);
  if (driver->fail) {
    g_propagate_error (error, g_error_copy (driver->fail));
    return NULL;
  }
  for (guint i = 0; i < G_N_ELEMENTS (driver->guests); i++) {
    if (memcmp (driver->guests[i].uuid, uuid, XF_UUID_LENGTH) == 0)
      return &driver->guests[i];
  }
  g_set_error (error, XF_ERROR, XF_ERROR_NO_DOMAIN, "no domain with that uuid");
  return NULL;
}

/* ---- asynchronous answers --------------------------------------------------------------------------------- */

typedef struct {
  XfDriver *driver;
  XfDone done;
  XfRefDone ref_done;
  XfMigrateDone migrate_done;
  gpointer data;
  const XfDomainRef *ref;
  GError *error;
} Answer;

static gboolean
give (gpointer data)
{
  Answer *answer = data;

  if (answer->done) {
    answer->done (answer->error, answer->data);
  } else if (answer->ref_done) {
    answer->ref_done (answer->error ? NULL : answer->ref, answer->error, answer->data);
  } else {
    const char *xml = "<domain/>", *uri = "tcp://h:1";
    XfMigrateResult result = { answer->driver->cookie, xml, uri, &answer->driver->guests[0] };

    answer->migrate_done (answer->error ? NULL : &result, answer->error, answer->data);
  }
  g_clear_error (&answer->error);
  g_free (answer);
  return G_SOURCE_REMOVE;
}

static void
later (XfDriver *driver, Answer answer)
{
  Answer *copy = g_memdup2 (&answer, sizeof (answer));

  copy->driver = driver;
  if (driver->hold)
    g_queue_push_tail (&driver->held, copy);
  else
    g_idle_add (give, copy);
}

void
fake_driver_release (XfDriver *driver)
{
  while (!g_queue_is_empty (&driver->held))
    give (g_queue_pop_tail (&driver->held));
}

/* ---- driver.h --------------------------------------------------------------------------------------------- */

void
xf_driver_client_gone (XfDriver *driver, gconstpointer client)
{
  driver->gone = client;
}

void
xf_driver_set_client_probe (XfDriver *driver, gboolean (*is_there) (gconstpointer client))
{
}

void
xf_driver_set_listener (XfDriver *driver, XfEventFunc func, gpointer data)
{
  driver->listener = func;
  driver->listener_data = data;
}

gboolean
xf_driver_supports_feature (XfDriver *driver, int feature)
{
  return feature == 13;
}

const char *
xf_driver_hostname (XfDriver *driver)
{
  return "fake.example";
}

guint64
xf_driver_xen_version (XfDriver *driver)
{
  return 4017000;
}

char *
xf_driver_capabilities (XfDriver *driver, GError **error)
{
  return g_strdup ("<capabilities/>");
}

char *
xf_driver_domain_capabilities (XfDriver *driver, const char *emulator, const char *arch, const char *machine,
                               const char *virt_type, guint flags, GError **error)
{
  return g_strdup_printf ("<domainCapabilities machine='%s'/>", machine ? machine : "none");
}

int
xf_driver_max_vcpus (XfDriver *driver, const char *type)
{
  return 512;
}

gboolean
xf_driver_node_info (XfDriver *driver, XfNodeInfo *info_out, GError **error)
{
  *info_out = (XfNodeInfo){ "x86_64", 1048576, 4, 2400, 1, 1, 4, 1 };
  return TRUE;
}

gboolean
xf_driver_free_memory (XfDriver *driver, guint64 *bytes_out, GError **error)
{
  *bytes_out = 5ull << 32;
  return TRUE;
}

char *
xf_driver_cpu_features (XfDriver *driver, GError **error)
{
  return g_strdup ("00000001");
}

GArray *
xf_driver_cells_free_memory (XfDriver *driver, int start, int max, GError **error)
{
  GArray *cells = g_array_new (FALSE, FALSE, sizeof (guint64));
  guint64 bytes = 5ull << 32;

  g_array_append_val (cells, bytes);
  return cells;
}

GPtrArray *
xf_driver_list (XfDriver *driver, guint flags, GError **error)
{
  GPtrArray *refs = g_ptr_array_new_with_free_func ((GDestroyNotify)xf_domain_ref_free);

  for (guint i = 0; i < G_N_ELEMENTS (driver->guests); i++) {
    guint kind = driver->guests[i].id >= 0 ? VIR_CONNECT_LIST_DOMAINS_ACTIVE : VIR_CONNECT_LIST_DOMAINS_INACTIVE;

    if (!flags || (flags & kind))
      g_ptr_array_add (refs, xf_domain_ref_copy (&driver->guests[i]));
  }
  return refs;
}

XfDomainRef *
xf_driver_lookup_uuid (XfDriver *driver, const guint8 *uuid, GError **error)
{
  const XfDomainRef *ref = find (driver, "lookup", uuid, error);

  return ref ? xf_domain_ref_copy (ref) : NULL;
}

XfDomainRef *
xf_driver_lookup_id (XfDriver *driver, int id, GError **error)
{
  if (id == 1)
    return xf_domain_ref_copy (&driver->guests[0]);
  g_set_error (error, XF_ERROR, XF_ERROR_NO_DOMAIN, "no domain with id %d", id);
  return NULL;
}

XfDomainRef *
xf_driver_lookup_name (XfDriver *driver, const char *name, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (driver->guests); i++) {
    if (g_str_equal (driver->guests[i].name, name))
      return xf_domain_ref_copy (&driver->guests[i]);
  }
  g_set_error (error, XF_ERROR, XF_ERROR_NO_DOMAIN, "no domain with name '%s'", name);
  return NULL;
}

gboolean
xf_driver_domain_info (XfDriver *driver, const guint8 *uuid, XfDomainInfo *info_out, GError **error)
{
  *info_out = (XfDomainInfo){ VIR_DOMAIN_RUNNING, 2048, 1024, 2, 3000000000ull };
  return find (driver, "info", uuid, error) != NULL;
}

gboolean
xf_driver_domain_state (XfDriver *driver, const guint8 *uuid, int *state_out, int *reason_out, GError **error)
{
  *state_out = VIR_DOMAIN_PAUSED;
  *reason_out = VIR_DOMAIN_PAUSED_USER;
  return find (driver, "state", uuid, error) != NULL;
}

const char *
xf_driver_domain_os_type (XfDriver *driver, const guint8 *uuid, GError **error)
{
  return find (driver, "os-type", uuid, error) ? "xenpvh" : NULL;
}

char *
xf_driver_domain_xml (XfDriver *driver, const guint8 *uuid, guint flags, GError **error)
{
  return find (driver, "xml", uuid, error) ? g_strdup_printf ("<domain flags='%u'/>", flags) : NULL;
}

#define DEFINE_QUESTION(name)                                                                                          \
  gboolean xf_driver_domain_##name (XfDriver *driver, const guint8 *uuid, gboolean *yes_out, GError **error)           \
  {                                                                                                                    \
    *yes_out = TRUE;                                                                                                   \
    return find (driver, #name, uuid, error) != NULL;                                                                  \
  }

DEFINE_QUESTION (is_active)
DEFINE_QUESTION (is_persistent)
DEFINE_QUESTION (is_updated)
DEFINE_QUESTION (get_autostart)

gboolean
xf_driver_domain_set_autostart (XfDriver *driver, const guint8 *uuid, gboolean yes, GError **error)
{
  return find (driver, yes ? "autostart" : "no-autostart", uuid, error) != NULL;
}

static void
clear_vcpu (gpointer data)
{
  g_bytes_unref (((XfVcpuInfo *)data)->cpumap);
}

GArray *
xf_driver_domain_vcpus (XfDriver *driver, const guint8 *uuid, GError **error)
{
  GArray *vcpus = g_array_new (FALSE, TRUE, sizeof (XfVcpuInfo));

  g_array_set_clear_func (vcpus, clear_vcpu);
  for (guint i = 0; i < 2; i++) {
    XfVcpuInfo info = { i, VIR_VCPU_RUNNING, 1000, (int)i, g_bytes_new ("\x0f", 1) };

    g_array_append_val (vcpus, info);
  }
  return vcpus;
}

int
xf_driver_domain_vcpu_count (XfDriver *driver, const guint8 *uuid, guint flags, GError **error)
{
  return find (driver, "vcpu-count", uuid, error) ? (int)flags : -1;
}

GPtrArray *
xf_driver_domain_stats (XfDriver *driver, const guint8 *uuids, guint n, guint stats, guint flags, GError **error)
{
  GPtrArray *all = g_ptr_array_new_with_free_func ((GDestroyNotify)xf_domain_stats_free);

  for (guint i = 0; i < (n ? n : G_N_ELEMENTS (driver->guests)); i++) {
    XfDomainStats *one = g_new0 (XfDomainStats, 1);

    one->ref = xf_domain_ref_copy (&driver->guests[n ? (uuids[i * XF_UUID_LENGTH] == 0x11 ? 0 : 1) : i]);
    one->params = xf_typed_params_new ();
    xf_typed_params_add_int (one->params, "state.state", (int)i);
    xf_typed_params_add_string (one->params, "net.0.name", "vif1.0");
    g_ptr_array_add (all, one);
  }
  return all;
}

char **
xf_driver_domain_messages (XfDriver *driver, const guint8 *uuid, GError **error)
{
  return find (driver, "messages", uuid, error) ? g_strsplit ("one;two", ";", -1) : NULL;
}

char *
xf_driver_domain_get_metadata (XfDriver *driver, const guint8 *uuid, int type, const char *uri, guint flags,
                               GError **error)
{
  g_set_error (error, XF_ERROR, XF_ERROR_NO_METADATA, "it has no such metadata");
  return NULL;
}

int
xf_driver_domain_open_console (XfDriver *driver, const guint8 *uuid, const char *device, guint flags, GError **error)
{
  return find (driver, "console", uuid, error) ? xf_steal_fd (&driver->console_fd) : -1;
}

XfDomainRef *
xf_driver_domain_define (XfDriver *driver, const char *xml, guint flags, GError **error)
{
  g_string_append_printf (driver->log, "define:%s ", xml);
  return xf_domain_ref_copy (&driver->guests[1]);
}

gboolean
xf_driver_domain_undefine (XfDriver *driver, const guint8 *uuid, guint flags, GError **error)
{
  return find (driver, "undefine", uuid, error) != NULL;
}

void
xf_driver_domain_create_xml (XfDriver *driver, const char *xml, guint flags, XfRefDone done, gpointer data)
{
  later (driver, (Answer){ .ref_done = done, .data = data, .ref = &driver->guests[0] });
}

void
xf_driver_domain_start (XfDriver *driver, const guint8 *uuid, guint flags, XfRefDone done, gpointer data)
{
  GError *error = NULL;
  const XfDomainRef *ref = find (driver, "start", uuid, &error);

  later (driver, (Answer){ .ref_done = done, .data = data, .ref = ref, .error = error });
}

#define DEFINE_CHANGE(name)                                                                                            \
  void xf_driver_domain_##name (XfDriver *driver, const guint8 *uuid, guint flags, XfDone done, gpointer data)         \
  {                                                                                                                    \
    GError *error = NULL;                                                                                              \
                                                                                                                       \
    find (driver, #name, uuid, &error);                                                                                \
    later (driver, (Answer){ .done = done, .data = data, .error = error });                                            \
  }

DEFINE_CHANGE (shutdown)
DEFINE_CHANGE (reboot)
DEFINE_CHANGE (destroy)

#define DEFINE_PAUSE(name)                                                                                             \
  void xf_driver_domain_##name (XfDriver *driver, const guint8 *uuid, XfDone done, gpointer data)                      \
  {                                                                                                                    \
    GError *error = NULL;                                                                                              \
                                                                                                                       \
    find (driver, #name, uuid, &error);                                                                                \
    later (driver, (Answer){ .done = done, .data = data, .error = error });                                            \
  }

DEFINE_PAUSE (suspend)
DEFINE_PAUSE (resume)

gboolean
xf_driver_job_info (XfDriver *driver, const guint8 *uuid, XfJobInfo *info_out, GError **error)
{
  *info_out = (XfJobInfo){ VIR_DOMAIN_JOB_BOUNDED, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
  return find (driver, "job-info", uuid, error) != NULL;
}

XfTypedParams *
xf_driver_job_stats (XfDriver *driver, const guint8 *uuid, guint flags, int *type_out, GError **error)
{
  XfTypedParams *params = xf_typed_params_new ();

  *type_out = VIR_DOMAIN_JOB_COMPLETED;
  xf_typed_params_add_int (params, "operation", 5);
  xf_typed_params_add_uint (params, "a", 6);
  xf_typed_params_add_llong (params, "b", -7);
  xf_typed_params_add_ullong (params, "downtime", G_MAXUINT64);
  xf_typed_params_add_double (params, "c", 0.5);
  xf_typed_params_add_boolean (params, "success", TRUE);
  xf_typed_params_add_string (params, "errmsg", "none");
  return params;
}

gboolean
xf_driver_job_abort (XfDriver *driver, const guint8 *uuid, guint flags, GError **error)
{
  return find (driver, "abort", uuid, error) != NULL;
}

gboolean
xf_driver_set_max_speed (XfDriver *driver, const guint8 *uuid, guint64 mib, guint flags, GError **error)
{
  return find (driver, "set-speed", uuid, error) != NULL;
}

gboolean
xf_driver_set_max_downtime (XfDriver *driver, const guint8 *uuid, guint64 ms, guint flags, GError **error)
{
  return find (driver, "set-downtime", uuid, error) != NULL;
}

gboolean
xf_driver_get_max_downtime (XfDriver *driver, const guint8 *uuid, guint64 *ms_out, guint flags, GError **error)
{
  *ms_out = 300;
  return find (driver, "get-downtime", uuid, error) != NULL;
}

gboolean
xf_driver_get_max_speed (XfDriver *driver, const guint8 *uuid, guint64 *mib_out, guint flags, GError **error)
{
  *mib_out = 32;
  return find (driver, "get-speed", uuid, error) != NULL;
}

/* ---- migration -------------------------------------------------------------------------------------------- */

static void
keep (XfDriver *driver, const char *what, const XfTypedParams *params, GBytes *cookie, guint flags)
{
  g_string_append_printf (driver->log, "%s ", what);
  g_clear_pointer (&driver->params, g_array_unref);
  g_clear_pointer (&driver->cookie, g_bytes_unref);
  driver->params = xf_typed_params_copy (params);
  driver->cookie = cookie ? g_bytes_ref (cookie) : NULL;
  driver->flags = flags;
}

static void
answer_migrate (XfDriver *driver, XfMigrateDone done, gpointer data)
{
  later (driver,
         (Answer){ .migrate_done = done, .data = data, .error = driver->fail ? g_error_copy (driver->fail) : NULL });
}

void
xf_driver_migrate_begin (XfDriver *driver, const guint8 *uuid, gconstpointer client, const XfTypedParams *params,
                         guint flags, XfMigrateDone done, gpointer data)
{
  keep (driver, "begin", params, NULL, flags);
  answer_migrate (driver, done, data);
}

void
xf_driver_migrate_prepare (XfDriver *driver, gconstpointer client, const XfTypedParams *params, GBytes *cookie,
                           guint flags, XfMigrateDone done, gpointer data)
{
  keep (driver, "prepare", params, cookie, flags);
  answer_migrate (driver, done, data);
}

void
xf_driver_migrate_prepare_tunnel (XfDriver *driver, gconstpointer client, const XfTypedParams *params, GBytes *cookie,
                                  guint flags, const XfTunnelOps *ops, gpointer tunnel, XfTunnelDone done,
                                  gpointer data)
{
  XfMigrateResult result = { 0 };
  int fds[2];

  keep (driver, "prepare-tunnel", params, cookie, flags);
  if (driver->fail) {
    done (-1, NULL, driver->fail, data);
    return;
  }
  g_assert_true (xf_pipe_new (fds, -1, NULL));
  driver->tunnel_fd = fds[0];
  driver->tunnel_ops = ops;
  driver->tunnel = tunnel;
  done (fds[1], &result, NULL, data);
}

void
xf_driver_migrate_perform (XfDriver *driver, const guint8 *uuid, gconstpointer client, const char *dconnuri,
                           const XfTypedParams *params, GBytes *cookie, guint flags, XfMigrateDone done, gpointer data)
{
  keep (driver, dconnuri ? dconnuri : "perform", params, cookie, flags);
  answer_migrate (driver, done, data);
}

void
xf_driver_migrate_finish (XfDriver *driver, gconstpointer client, const XfTypedParams *params, GBytes *cookie,
                          guint flags, gboolean cancelled, XfMigrateDone done, gpointer data)
{
  keep (driver, cancelled ? "finish-cancelled" : "finish", params, cookie, flags);
  answer_migrate (driver, done, data);
}

void
xf_driver_migrate_confirm (XfDriver *driver, const guint8 *uuid, gconstpointer client, const XfTypedParams *params,
                           GBytes *cookie, guint flags, gboolean cancelled, XfMigrateDone done, gpointer data)
{
  keep (driver, cancelled ? "confirm-cancelled" : "confirm", params, cookie, flags);
  answer_migrate (driver, done, data);
}

/* ---- checks ----------------------------------------------------------------------------------------------- */

typedef struct {
  XfDriver *driver;
  XfCheckDone done;
  gpointer data;
} Check;

static gboolean
give_findings (gpointer data)
{
  g_autofree Check *check = data;
  g_autoptr (GPtrArray) findings = g_ptr_array_new_with_free_func (xf_check_finding_free);
  g_autofree char *text = g_strnfill (20000, 'x');

  for (guint i = 0; i < check->driver->findings; i++) {
    g_autofree char *resource = g_strdup_printf ("disk:%u\n", i);

    g_ptr_array_add (findings, xf_check_finding_new ("fake.example", resource, i % 2 == 0, text));
  }
  check->done (check->driver->fail ? NULL : findings, check->driver->fail, check->data);
  return G_SOURCE_REMOVE;
}

static void
answer_check (XfDriver *driver, XfCheckDone done, gpointer data)
{
  Check check = { driver, done, data };

  g_idle_add (give_findings, g_memdup2 (&check, sizeof (check)));
}

void
xf_driver_migrate_check (XfDriver *driver, const guint8 *uuid, const char *dconnuri, const XfTypedParams *params,
                         guint flags, XfCheckDone done, gpointer data)
{
  g_autofree char *what = g_strdup_printf ("check-%02x-%s", uuid[0], dconnuri);

  keep (driver, what, params, NULL, flags);
  answer_check (driver, done, data);
}

void
xf_driver_migrate_check_incoming (XfDriver *driver, const XfTypedParams *params, GBytes *cookie, guint flags,
                                  XfCheckDone done, gpointer data)
{
  keep (driver, "check-incoming", params, cookie, flags);
  answer_check (driver, done, data);
}

/* ---- settling --------------------------------------------------------------------------------------------- */

typedef struct {
  XfVerdictDone done;
  gpointer data;
  GError *error;
} Verdict;

static gboolean
give_verdict (gpointer data)
{
  Verdict *verdict = data;

  verdict->done (XF_VERDICT_WILL_NOT_RUN, verdict->error, verdict->data);
  g_clear_error (&verdict->error);
  g_free (verdict);
  return G_SOURCE_REMOVE;
}

/* The secret of every migration is "s". */
void
xf_driver_settle (XfDriver *driver, const guint8 *id, const char *secret, XfPurpose purpose, XfVerdictDone done,
                  gpointer data)
{
  Verdict *verdict = g_new0 (Verdict, 1);

  g_string_append_printf (driver->log, "settle-%02x-%d ", id[0], (int)purpose);
  verdict->done = done;
  verdict->data = data;
  if (!g_str_equal (secret, "s"))
    verdict->error = g_error_new_literal (XF_ERROR, XF_ERROR_NO_DOMAIN, "unknown");
  g_idle_add (give_verdict, verdict);
}

GPtrArray *
xf_driver_migrations (XfDriver *driver)
{
  GPtrArray *list = g_ptr_array_new_with_free_func ((GDestroyNotify)xf_migration_info_free);
  XfMigrationInfo *info = g_new0 (XfMigrationInfo, 1);

  memset (info->id, 0x77, XF_UUID_LENGTH);
  info->is_source = TRUE;
  info->guest = g_strdup ("g1");
  info->state = g_strdup ("settling");
  info->peer = g_strdup ("b");
  info->changed_s = 12;
  g_ptr_array_add (list, info);
  info = g_new0 (XfMigrationInfo, 1);
  info->reason = g_strdup ("unreadable");
  g_ptr_array_add (list, info);
  return list;
}

void
xf_driver_migration_resolve (XfDriver *driver, const guint8 *id, gboolean here, XfDone done, gpointer data)
{
  g_string_append_printf (driver->log, "resolve-%s ", here ? "here" : "there");
  later (driver, (Answer){ .done = done, .data = data });
}
