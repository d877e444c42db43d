/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The steps of a guest's resources, with kinds of this test's own: it defines the table of kinds in the place of
 * libxl/resource/kinds.c.
 */
#include <libvirt/libvirt.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "libxl/guest/driver_private.h"
#include "libxl/resource/kinds.h"

static const guint8 uuid[XF_UUID_LENGTH] = "0123456789abcdef";

/* How an error ends that does not have to block. */
#define AVOIDABLE " (as best effort in the guest's metadata, or with --unsafe, this is a warning)"

/* ---- two kinds -------------------------------------------------------------------------------------------- */

/* How each resource of each kind behaves; the steps that were called. */
typedef enum { GOOD, BAD, WARNS, LATER, NEVER, BLOCKS } Behaviour;

static struct {
  Behaviour a, b;
  const char *told; /* the last resource's fact `size` of the other side */
  GString *calls;   /* "a:check b:check" */
  gint leave;       /* a blocking call may end */
  gint left;        /* calls that have ended */
} kinds;

static gboolean
later (gpointer data)
{
  XfResource *resource = data;

  resource->work = NULL;
  xf_resource_fail (resource, XF_ERROR_OPERATION_FAILED, "%s fails later", resource->name);
  return G_SOURCE_REMOVE;
}

static GError *
block (gpointer input)
{
  while (!g_atomic_int_get (&kinds.leave))
    g_usleep (1000);
  g_atomic_int_inc (&kinds.left);
  return g_error_new (XF_ERROR, XF_ERROR_OPERATION_FAILED, "%s has blocked", (char *)input);
}

static void
step (XfResource *resource, const char *verb)
{
  Behaviour behaviour = resource->kind->name[0] == 'a' ? kinds.a : kinds.b;

  g_string_append_printf (kinds.calls, "%s%s:%s", kinds.calls->len ? " " : "", resource->name, verb);
  switch (behaviour) {
  case GOOD:
    kinds.told = xf_resource_told (resource, "size");
    xf_resource_done (resource, NULL);
    return;
  case BAD:
    xf_resource_fail (resource, XF_ERROR_RESOURCE_BUSY, "%s is taken", resource->name);
    return;
  case WARNS:
    xf_resource_warn (resource, "%s is old", resource->name);
    xf_resource_done (resource, NULL);
    return;
  case LATER:
    (void)g_timeout_add (20, later, resource);
    return;
  case NEVER:
    return;
  case BLOCKS:
    xf_resource_in_thread (resource, block, NULL, g_strdup (resource->name), g_free);
    return;
  }
}

static void
check (XfResource *resource)
{
  step (resource, "check");
}

static void
prepare (XfResource *resource)
{
  step (resource, "prepare");
}

static void
rollback (XfResource *resource)
{
  step (resource, "rollback");
}

static void
tell (XfResource *resource)
{
  xf_resource_tell (resource, "size", "12");
  xf_resource_done (resource, NULL);
}

static void
list (XfResources *set, const XfResourceKind *kind)
{
  (void)xf_resource_add (set, kind, NULL, 0);
}

#define VERBS                                                                                                          \
  {                                                                                                                    \
    [XF_VERB_TELL] = tell, [XF_VERB_CHECK] = check, [XF_VERB_PREPARE] = prepare, [XF_VERB_ROLLBACK] = rollback,        \
  }

static const XfResourceKind kind_a = {
  .name = "a",
  .want = XF_WANT_MANDATORY,
  .list = list,
  .verbs = VERBS,
  .stop = xf_resource_stop_thread,
};
static const XfResourceKind kind_b = {
  .name = "b",
  .want = XF_WANT_BEST_EFFORT,
  .prudent = TRUE,
  .list = list,
  .verbs = VERBS,
  .stop = xf_resource_stop_thread,
};

const XfResourceKind *const xf_resource_kinds[] = { &kind_a, &kind_b };
const guint xf_n_resource_kinds = G_N_ELEMENTS (xf_resource_kinds);

/* ---- one guest -------------------------------------------------------------------------------------------- */

typedef struct {
  Host *host;
  XfDomainDef *def;
  libxl_domain_config config;
  XfResources *set;
  gboolean done;
  GError *error;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  memset (&kinds, 0, sizeof (kinds));
  kinds.calls = g_string_new (NULL);
  fixture->host = host_new ();
  libxl_domain_config_init (&fixture->config);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_atomic_int_set (&kinds.leave, 1);
  xf_resources_free (fixture->set);
  xf_domain_def_free (fixture->def);
  libxl_domain_config_dispose (&fixture->config);
  host_free (fixture->host);
  g_clear_error (&fixture->error);
  g_string_free (kinds.calls, TRUE);
}

/* @wishes: the inside of the metadata's element. */
static void
make (Fixture *fixture, const char *wishes, guint flags)
{
  g_autofree char *inside = g_strdup_printf (
    "<metadata><x:resources xmlns:x='https://xenferry.org/schema/resources/1.0' "
    "%s</x:resources></metadata>",
    wishes);
  g_autofree char *xml = host_xml ("g", uuid, inside);
  g_autoptr (GError) error = NULL;
  XfResourceGuest guest = { .side = XF_SIDE_DESTINATION, .config = &fixture->config, .flags = flags };

  guest.def = fixture->def = xf_domain_def_parse (xml, XF_DOMAIN_PARSE_INACTIVE, &error);
  g_assert_no_error (error);
  fixture->set = xf_resources_new (fixture->host->driver, &guest, &error);
  g_assert_no_error (error);
}

static void
done (const GError *error, gpointer data)
{
  Fixture *fixture = data;

  g_assert_false (fixture->done);
  fixture->done = TRUE;
  g_clear_error (&fixture->error);
  fixture->error = error ? g_error_copy (error) : NULL;
}

static void
run (Fixture *fixture, XfVerb verb)
{
  fixture->done = FALSE;
  xf_resources_run (fixture->set, verb, done, fixture);
  g_assert_false (fixture->done);
  host_wait (fixture->done);
}

/* ---- tests ------------------------------------------------------------------------------------------------ */

static void
test_mandatory (Fixture *fixture, gconstpointer data)
{
  g_autofree char *warnings = NULL;

  make (fixture, ">", 0);
  kinds.a = BAD;
  kinds.b = BAD;
  run (fixture, XF_VERB_CHECK);
  g_assert_error (fixture->error, XF_ERROR, XF_ERROR_RESOURCE_BUSY);
  g_assert_cmpstr (fixture->error->message, ==, "a: a is taken" AVOIDABLE);
  g_assert_cmpstr (kinds.calls->str, ==, "a:check b:check");
  warnings = xf_resources_warnings (fixture->set);
  g_assert_cmpstr (warnings, ==, "b: b is taken");
  g_assert_cmpuint (xf_resources_findings (fixture->set)->len, ==, 2);
}

static void
test_warning (Fixture *fixture, gconstpointer data)
{
  g_autofree char *warnings = NULL;

  make (fixture, ">", 0);
  kinds.a = WARNS;
  run (fixture, XF_VERB_CHECK);
  g_assert_no_error (fixture->error);
  warnings = xf_resources_warnings (fixture->set);
  g_assert_cmpstr (warnings, ==, "a: a is old");
}

/* One after the other, up to the first that fails; back in reverse order. */
static void
test_order (Fixture *fixture, gconstpointer data)
{
  g_autofree char *held = NULL, *left = NULL;

  make (fixture, ">", 0);
  held = xf_resources_held (fixture->set);
  g_assert_cmpstr (held, ==, "a\nb");
  kinds.a = LATER;
  run (fixture, XF_VERB_PREPARE);
  g_assert_cmpstr (kinds.calls->str, ==, "a:prepare");
  g_assert_cmpstr (fixture->error->message, ==, "a: a fails later" AVOIDABLE);
  g_string_truncate (kinds.calls, 0);
  kinds.b = BAD;
  kinds.a = GOOD;
  run (fixture, XF_VERB_ROLLBACK);
  g_assert_no_error (fixture->error);
  g_assert_cmpstr (kinds.calls->str, ==, "b:rollback a:rollback");
  left = xf_resources_held (fixture->set);
  g_assert_cmpstr (left, ==, "b"); /* it could not be given back */
}

static void
test_deadline (Fixture *fixture, gconstpointer data)
{
  make (fixture, "><x:resource name='a' deadline='1'/>", 0);
  kinds.a = GPOINTER_TO_UINT (data);
  run (fixture, XF_VERB_CHECK);
  g_assert_error (fixture->error, XF_ERROR, XF_ERROR_TIMEOUT);
  /* Its late answer reaches nothing. */
  g_atomic_int_set (&kinds.leave, 1);
  if (kinds.a == BLOCKS)
    host_wait (g_atomic_int_get (&kinds.left) == 1);
  host_idle (50);
  g_assert_cmpuint (xf_resources_findings (fixture->set)->len, ==, 1);
}

static void
test_in_thread (Fixture *fixture, gconstpointer data)
{
  make (fixture, ">", 0);
  kinds.a = BLOCKS;
  g_atomic_int_set (&kinds.leave, 1);
  run (fixture, XF_VERB_CHECK);
  g_assert_cmpstr (fixture->error->message, ==, "a: a has blocked" AVOIDABLE);
}

/* Freed while a call blocks. */
static void
test_stopped (Fixture *fixture, gconstpointer data)
{
  make (fixture, ">", 0);
  kinds.a = kinds.b = BLOCKS;
  xf_resources_run (fixture->set, XF_VERB_CHECK, done, fixture);
  host_wait (g_str_equal (kinds.calls->str, "a:check b:check"));
  g_clear_pointer (&fixture->set, xf_resources_free);
  g_atomic_int_set (&kinds.leave, 1);
  host_wait (g_atomic_int_get (&kinds.left) == 2);
  host_idle (50);
  g_assert_false (fixture->done);
}

static void
test_facts (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GHashTable) facts = g_hash_table_new (g_str_hash, g_str_equal);

  g_hash_table_insert (facts, (char *)"b size", (char *)"17");
  make (fixture, ">", 0);
  run (fixture, XF_VERB_TELL);
  g_assert_cmpstr (g_hash_table_lookup (xf_resources_facts (fixture->set), "a size"), ==, "12");
  g_assert_cmpuint (g_hash_table_size (xf_resources_facts (fixture->set)), ==, 2);
  /* Those of the other side are read. */
  xf_resources_take_facts (fixture->set, facts);
  run (fixture, XF_VERB_CHECK);
  g_assert_cmpstr (kinds.told, ==, "17");
}

typedef struct {
  const char *wishes, *host;
  guint flags;
  const char *calls;
  gboolean blocks; /* a blocks; else it is a warning, or is not called */
} Policy;

static const Policy policies[] = {
  { ">", NULL, 0, "a:check b:check", TRUE },
  { ">", "a=best-effort", 0, "a:check b:check", FALSE },
  { "><x:resource name='a' want='mandatory'/>", "a=best-effort", 0, "a:check b:check", TRUE },
  { "><x:resource name='a' want='ignore'/>", NULL, 0, "b:check", FALSE },
  { ">", "a=ignore", 0, "b:check", FALSE },
  { ">", NULL, VIR_MIGRATE_UNSAFE, "a:check b:check", FALSE },
  { "policy='urgent'>", NULL, 0, "a:check b:check", TRUE },
  { "policy='urgent'>", NULL, VIR_MIGRATE_UNSAFE, "a:check", FALSE }, /* b is only a precaution */
  { ">", "urgent", VIR_MIGRATE_UNSAFE, "a:check", FALSE },
  { "policy='careful'>", "urgent", VIR_MIGRATE_UNSAFE, "a:check b:check", FALSE },
};

static void
test_policy (Fixture *fixture, gconstpointer data)
{
  const Policy *policy = data;

  fixture->host->config.resources = g_strdup (policy->host);
  host_restart_driver (fixture->host);
  make (fixture, policy->wishes, policy->flags);
  kinds.a = BAD;
  run (fixture, XF_VERB_CHECK);
  g_assert_cmpstr (kinds.calls->str, ==, policy->calls);
  g_assert_true (policy->blocks == (fixture->error != NULL));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_always_fatal (G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK);
  g_test_add ("/resource/mandatory", Fixture, NULL, set_up, test_mandatory, tear_down);
  g_test_add ("/resource/warning", Fixture, NULL, set_up, test_warning, tear_down);
  g_test_add ("/resource/order", Fixture, NULL, set_up, test_order, tear_down);
  g_test_add ("/resource/deadline/never", Fixture, GUINT_TO_POINTER (NEVER), set_up, test_deadline, tear_down);
  g_test_add ("/resource/deadline/blocks", Fixture, GUINT_TO_POINTER (BLOCKS), set_up, test_deadline, tear_down);
  g_test_add ("/resource/in-thread", Fixture, NULL, set_up, test_in_thread, tear_down);
  g_test_add ("/resource/stopped", Fixture, NULL, set_up, test_stopped, tear_down);
  g_test_add ("/resource/facts", Fixture, NULL, set_up, test_facts, tear_down);
  for (gsize i = 0; i < G_N_ELEMENTS (policies); i++) {
    g_autofree char *path = g_strdup_printf ("/resource/policy/%zu", i);

    g_test_add (path, Fixture, &policies[i], set_up, test_policy, tear_down);
  }
  return g_test_run ();
}
