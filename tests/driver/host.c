/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host.h"

#include <glib/gstdio.h>
#include <libvirt/libvirt.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static void
on_event (const XfEvent *event, gpointer data)
{
  static const char *const words[] = { "defined", "undefined", "started",     "suspended", "resumed",
                                       "stopped", "shutdown",  "pmsuspended", "crashed" };
  Host *host = data;

  if (event->id == VIR_DOMAIN_EVENT_ID_LIFECYCLE)
    g_string_append_printf (host->events, "%s %s %d; ", event->ref->name, words[event->event], event->detail);
}

void
host_start_driver (Host *host)
{
  g_autoptr (GError) error = NULL;

  host->driver = xf_driver_new (&host->config, host->peers, host->peers_data, &error);
  g_assert_no_error (error);
  xf_driver_set_listener (host->driver, on_event, host);
}

void
host_write_file (Host *host, const char *path, const char *text)
{
  g_autofree char *file = g_build_filename (host->dir, path, NULL), *dir = g_path_get_dirname (file);

  g_assert_cmpint (g_mkdir_with_parents (dir, 0755), ==, 0);
  g_assert_true (g_file_set_contents_full (file, text, -1, G_FILE_SET_CONTENTS_NONE, 0755, NULL));
}

/* What the kernel and Xen's package provide on a host. */
static void
equip (Host *host)
{
  host_write_file (host, "sys/class/net/xenbr0/bridge/bridge_id", "8000.00163e000001\n");
  host_write_file (host, "scripts/vif-bridge", "");
  host->config.sys_dir = g_build_filename (host->dir, "sys", NULL);
  host->config.script_dir = g_build_filename (host->dir, "scripts", NULL);
}

Host *
host_new (void)
{
  Host *host = g_new0 (Host, 1);

  host->dir = g_dir_make_tmp ("xf-driver-XXXXXX", NULL);
  g_assert_nonnull (host->dir);
  g_setenv ("XF_SIM_HOST", host->dir, TRUE);
  host->config = (XfDriverConfig){
    .config_dir = g_build_filename (host->dir, "etc", NULL),
    .state_dir = g_build_filename (host->dir, "run", NULL),
    .lib_dir = g_build_filename (host->dir, "lib", NULL),
    .migration_port_min = 49152,
    .migration_port_max = 49183, /* tests run at the same time */
    .accept_timeout_s = 5,
    .connect_timeout_s = 5,
    .stall_timeout_s = 30,
    .finish_timeout_s = 30,
    .hook_dir = g_build_filename (host->dir, "hooks", NULL),
    .hook_timeout_s = 30,
  };
  equip (host);
  host->events = g_string_new (NULL);
  host_start_driver (host);
  return host;
}

static void
remove_tree (const char *path)
{
  g_autoptr (GDir) dir = g_file_test (path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open (path, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree char *child = g_build_filename (path, name, NULL);

    remove_tree (child);
  }
  g_remove (path);
}

/* Delivers pending callbacks before their driver is freed. */
static void
settle (void)
{
  host_idle (20);
}

void
host_free (Host *host)
{
  g_autoptr (GArray) ids = NULL;

  host_stop_driver (host);
  ids = host_domains (host->dir);
  for (guint i = 0; i < ids->len; i++)
    host_domain_destroy (host->dir, g_array_index (ids, guint32, i));
  remove_tree (host->dir);
  g_free (host->config.config_dir);
  g_free (host->config.state_dir);
  g_free (host->config.lib_dir);
  g_free (host->config.sys_dir);
  g_free (host->config.script_dir);
  g_free (host->config.migration_host);
  g_free (host->config.boot_id);
  g_free (host->config.hook_dir);
  g_free (host->config.resource_dir);
  g_free (host->config.resources);
  g_string_free (host->events, TRUE);
  g_free (host->dir);
  g_free (host);
}

void
host_stop_driver (Host *host)
{
  settle ();
  g_clear_pointer (&host->driver, xf_driver_free);
}

void
host_restart_driver (Host *host)
{
  host_stop_driver (host);
  host_start_driver (host);
}

void
host_set_control (Host *host, const char *text)
{
  g_autofree char *path = g_build_filename (host->dir, "control", NULL);

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

char *
host_xml (const char *name, const guint8 *uuid, const char *inside)
{
  g_autofree char *text = uuid ? xf_uuid_to_string (uuid) : g_uuid_string_random ();

  return g_strdup_printf ("<domain type='xen'><name>%s</name><uuid>%s</uuid><memory unit='MiB'>16</memory>"
                          "<vcpu>1</vcpu><os><type arch='x86_64' machine='xenpvh'>xenpvh</type>"
                          "<kernel>/bin/sh</kernel></os>%s"
                          "<devices><console type='pty'/></devices></domain>",
                          name, text, inside ? inside : "");
}

guint8 *
host_define (Host *host, const char *name, const char *inside)
{
  g_autofree char *xml = host_xml (name, NULL, inside);
  g_autoptr (GError) error = NULL;
  g_autoptr (XfDomainRef) ref = xf_driver_domain_define (host->driver, xml, 0, &error);

  g_assert_no_error (error);
  return g_memdup2 (ref->uuid, XF_UUID_LENGTH);
}

/* ---- calls ------------------------------------------------------------------------------------------------ */

typedef struct {
  gboolean done;
  GError *error;
} Answer;

static void
answered (const GError *error, gpointer data)
{
  Answer *answer = data;

  g_assert_false (answer->done);
  answer->done = TRUE;
  answer->error = error ? g_error_copy (error) : NULL;
}

static void
answered_ref (const XfDomainRef *ref, const GError *error, gpointer data)
{
  g_assert_true ((ref == NULL) == (error != NULL));
  answered (error, data);
}

static gboolean
await (Answer *answer, GError **error)
{
  g_assert_false (answer->done); /* not before the call has returned */
  host_wait (answer->done);
  if (!answer->error)
    return TRUE;
  g_propagate_error (error, answer->error);
  return FALSE;
}

gboolean
host_start (Host *host, const guint8 *uuid, guint flags, GError **error)
{
  Answer answer = { 0 };

  xf_driver_domain_start (host->driver, uuid, flags, answered_ref, &answer);
  return await (&answer, error);
}

gboolean
host_create (Host *host, const char *xml, guint flags, GError **error)
{
  Answer answer = { 0 };

  xf_driver_domain_create_xml (host->driver, xml, flags, answered_ref, &answer);
  return await (&answer, error);
}

gboolean
host_destroy (Host *host, const guint8 *uuid, GError **error)
{
  Answer answer = { 0 };

  xf_driver_domain_destroy (host->driver, uuid, 0, answered, &answer);
  return await (&answer, error);
}

gboolean
host_shutdown (Host *host, const guint8 *uuid, GError **error)
{
  Answer answer = { 0 };

  xf_driver_domain_shutdown (host->driver, uuid, 0, answered, &answer);
  return await (&answer, error);
}

gboolean
host_call (Host *host, HostCall call, const guint8 *uuid, GError **error)
{
  Answer answer = { 0 };

  call (host->driver, uuid, answered, &answer);
  return await (&answer, error);
}

/* ---- queries ---------------------------------------------------------------------------------------------- */

void
host_ask (Host *host, const char *name, SimAsk ask)
{
  g_autoptr (GArray) ids = host_domains (host->dir);
  gboolean found = FALSE;

  for (guint i = 0; i < ids->len; i++) {
    SimBlock *block = host_block_map (host->dir, g_array_index (ids, guint32, i));

    if (block && g_str_equal (block->name, name)) {
      block->ask = ask;
      host_kick (block);
      found = TRUE;
    }
    host_block_unmap (block);
  }
  g_assert_true (found);
}

static gboolean
is_in_state (Host *host, const char *name, SimState state)
{
  g_autoptr (GArray) ids = host_domains (host->dir);
  gboolean is = FALSE;

  for (guint i = 0; i < ids->len; i++) {
    SimBlock *block = host_block_map (host->dir, g_array_index (ids, guint32, i));

    is |= block && g_str_equal (block->name, name) && block->state == state;
    host_block_unmap (block);
  }
  return is;
}

void
host_ask_until (Host *host, const char *name, SimAsk ask, SimState state)
{
  gint64 end = host_wait_begin ();

  host_ask (host, name, ask);
  while (!is_in_state (host, name, state)) {
    g_assert_cmpint (g_get_monotonic_time (), <, end);
    g_usleep (1000);
  }
}

guint
host_count_domains (Host *host)
{
  g_autoptr (GArray) ids = host_domains (host->dir);

  return ids->len;
}

int
host_state (Host *host, const guint8 *uuid, int *reason_out)
{
  int state = -1, reason = -1;

  (void)xf_driver_domain_state (host->driver, uuid, &state, &reason, NULL);
  if (reason_out)
    *reason_out = reason;
  return state;
}

guint
host_count_listed (Host *host, guint flags)
{
  g_autoptr (GPtrArray) list = xf_driver_list (host->driver, flags, NULL);
  guint n = 0;

  for (guint i = 0; i < list->len; i++)
    n += ((XfDomainRef *)list->pdata[i])->id != 0;
  return n;
}

char *
host_take_events (Host *host)
{
  char *events = g_strdup (g_strchomp (host->events->str));

  g_string_truncate (host->events, 0);
  return events;
}

/* ---- the loop --------------------------------------------------------------------------------------------- */

static gboolean
wake (gpointer data)
{
  return G_SOURCE_REMOVE;
}

gint64
host_wait_begin (void)
{
  return g_get_monotonic_time () + 10 * G_USEC_PER_SEC;
}

void
host_wait_step (gint64 end, const char *what)
{
  guint id = g_timeout_add (10, wake, NULL);

  if (g_get_monotonic_time () > end)
    g_error ("not within ten seconds: %s", what);
  g_main_context_iteration (NULL, TRUE);
  if (g_main_context_find_source_by_id (NULL, id))
    g_source_remove (id);
}

void
host_idle (guint ms)
{
  gint64 end = g_get_monotonic_time () + ms * 1000;

  while (g_get_monotonic_time () < end)
    host_wait_step (end + G_USEC_PER_SEC, "idle");
}
