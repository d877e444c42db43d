/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/resource/resource.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "libxl/resource/kind.h"

/* Of each step of a resource, unless the guest's metadata say otherwise. The guest stands still during commit. */
static const guint deadlines_s[XF_N_VERBS] = {
  [XF_VERB_TELL] = 3, [XF_VERB_CHECK] = 5, [XF_VERB_PREPARE] = 30, [XF_VERB_COMMIT] = 2, [XF_VERB_ROLLBACK] = 30,
};

/* Of the commit of all resources. */
#define COMMIT_ALL_S 10

struct XfResources {
  XfDriver *driver;
  XfResourceGuest guest; /* its texts are owned */
  XfWants *wants;
  GPtrArray *items;         /* of XfResource, in the order of the table */
  GHashTable *told, *facts; /* "disk:xvda size" -> value: from the other side; gathered here */
  GPtrArray *findings;

  /* the step under way */
  gboolean running;
  XfVerb verb;
  guint next;      /* the next resource of a step that takes one after the other */
  guint first;     /* the findings of this step begin there */
  gint64 until_us; /* of all resources together; 0: none */
  guint idle_id;
  XfDone done;
  gpointer data;
};

const char *
xf_verb_name (XfVerb verb)
{
  static const char *const names[XF_N_VERBS] = { "tell", "check", "prepare", "commit", "rollback" };

  return names[verb];
}

/* ---- the set ---------------------------------------------------------------------------------------------- */

static void
finding_free (gpointer data)
{
  XfFinding *finding = data;

  g_free (finding->resource);
  g_free (finding->text);
  g_free (finding);
}

static void
resource_free (gpointer data)
{
  XfResource *resource = data;

  g_free (resource->name);
  g_free (resource->detail);
  g_free (resource);
}

static XfResources *
set_new (XfDriver *driver, const XfResourceGuest *guest)
{
  XfResources *set = g_new0 (XfResources, 1);

  set->driver = driver;
  set->guest = *guest;
  set->guest.id = g_strdup (guest->id);
  set->guest.peer = g_strdup (guest->peer);
  set->wants = xf_wants_new ();
  set->items = g_ptr_array_new_with_free_func (resource_free);
  set->findings = g_ptr_array_new_with_free_func (finding_free);
  set->facts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  set->told = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return set;
}

static void
list_all (XfResources *set)
{
  for (guint i = 0; i < xf_n_resource_kinds; i++)
    xf_resource_kinds[i]->list (set, xf_resource_kinds[i]);
}

XfResources *
xf_resources_new (XfDriver *driver, const XfResourceGuest *guest, GError **error)
{
  g_autoptr (XfResources) set = set_new (driver, guest);

  /* The host's text was checked when the configuration was read. */
  if (!xf_wants_add_text (set->wants, driver->config.resources, error)
      || !xf_wants_add_metadata (set->wants, guest->def, error))
    return NULL;
  list_all (set);
  return g_steal_pointer (&set);
}

XfResources *
xf_resources_new_held (XfDriver *driver, const XfResourceGuest *guest, const char *held)
{
  XfResources *set = set_new (driver, guest);
  g_auto (GStrv) names = g_strsplit (held ? held : "", "\n", -1);

  list_all (set);
  for (guint i = set->items->len; i > 0; i--) {
    XfResource *resource = set->items->pdata[i - 1];

    resource->held = g_strv_contains ((const char *const *)names, resource->name);
    resource->want = XF_WANT_BEST_EFFORT;
    if (!resource->held)
      g_ptr_array_remove_index (set->items, i - 1);
  }
  return set;
}

void
xf_resources_free (XfResources *set)
{
  if (!set)
    return;
  xf_resources_stop (set);
  xf_wants_free (set->wants);
  g_ptr_array_unref (set->items);
  g_ptr_array_unref (set->findings);
  g_hash_table_unref (set->facts);
  g_hash_table_unref (set->told);
  g_free ((char *)set->guest.id);
  g_free ((char *)set->guest.peer);
  g_free (set);
}

/* TRUE if a failure of @resource blocks. */
static gboolean
is_mandatory (const XfResource *resource)
{
  const XfResources *set = resource->set;

  if (resource->kind->vital)
    return TRUE;
  return resource->want == XF_WANT_MANDATORY && !(set->guest.flags & VIR_MIGRATE_UNSAFE)
         && !(set->wants->urgent && resource->kind->prudent);
}

static gboolean
is_skipped (const XfResource *resource)
{
  const XfResources *set = resource->set;

  return resource->want == XF_WANT_IGNORE
         || (resource->kind->prudent && set->wants->urgent && set->guest.flags & VIR_MIGRATE_UNSAFE);
}

XfResource *
xf_resource_add (XfResources *set, const XfResourceKind *kind, const char *what, guint index)
{
  XfResource *resource = g_new0 (XfResource, 1);
  XfWantEntry entry;

  resource->set = set;
  resource->kind = kind;
  resource->name = what ? g_strconcat (kind->name, ":", what, NULL) : g_strdup (kind->name);
  resource->index = index;
  entry = xf_wants_find (set->wants, kind->name, resource->name);
  resource->want = entry.want != XF_WANT_UNSAID ? entry.want : kind->want;
  if (kind->vital)
    resource->want = XF_WANT_MANDATORY;
  resource->deadline_s = entry.deadline_s;
  resource->held = kind->verbs[XF_VERB_ROLLBACK] && !is_skipped (resource);
  g_ptr_array_add (set->items, resource);
  return resource;
}

/* ---- what kinds say --------------------------------------------------------------------------------------- */

static void
add_finding (XfResource *resource, gboolean failed, gboolean blocks, int code, const char *text)
{
  XfResources *set = resource->set;
  XfFinding *finding = g_new0 (XfFinding, 1);

  *finding = (XfFinding){
    .resource = g_strdup (resource->name),
    .verb = set->verb,
    .failed = failed,
    .blocks = blocks,
    .avoidable = !resource->kind->vital,
    .code = code,
    .text = g_strdup (text),
  };
  g_ptr_array_add (set->findings, finding);
  if (!blocks)
    g_warning ("domain '%s', resource '%s', %s: %s", set->guest.def->name, resource->name, xf_verb_name (set->verb),
               text);
}

void
xf_resource_warn (XfResource *resource, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  add_finding (resource, FALSE, FALSE, XF_ERROR_OPERATION_FAILED, text);
}

void
xf_resource_fail (XfResource *resource, int code, const char *format, ...)
{
  g_autoptr (GError) error = NULL;
  va_list args;

  va_start (args, format);
  error = g_error_new_valist (XF_ERROR, code, format, args);
  va_end (args);
  xf_resource_done (resource, error);
}

void
xf_resource_tell (XfResource *resource, const char *key, const char *value)
{
  g_hash_table_replace (resource->set->facts, g_strconcat (resource->name, " ", key, NULL), g_strdup (value));
}

const char *
xf_resource_told (const XfResource *resource, const char *key)
{
  g_autofree char *name = g_strconcat (resource->name, " ", key, NULL);

  return g_hash_table_lookup (resource->set->told, name);
}

/* ---- a step ----------------------------------------------------------------------------------------------- */

static gboolean go_on (gpointer data);

static void
schedule (XfResources *set)
{
  if (!set->idle_id)
    set->idle_id = g_idle_add_full (G_PRIORITY_DEFAULT, go_on, set, NULL);
}

static gboolean
is_parallel (XfVerb verb)
{
  return verb == XF_VERB_TELL || verb == XF_VERB_CHECK;
}

void
xf_resource_done (XfResource *resource, const GError *error)
{
  XfResources *set = resource->set;

  g_assert (resource->busy);
  resource->busy = FALSE;
  resource->work = NULL;
  g_clear_handle_id (&resource->deadline_id, g_source_remove);
  if (error)
    add_finding (resource, TRUE, set->verb != XF_VERB_TELL && set->verb != XF_VERB_ROLLBACK && is_mandatory (resource),
                 error->code, error->message);
  else if (set->verb == XF_VERB_ROLLBACK)
    resource->held = FALSE;
  schedule (set);
}

static void
stop_one (XfResource *resource)
{
  if (!resource->busy)
    return;
  g_clear_handle_id (&resource->deadline_id, g_source_remove);
  if (resource->kind->stop)
    resource->kind->stop (resource);
  resource->work = NULL;
}

static gboolean
deadline_passed (gpointer data)
{
  XfResource *resource = data;

  resource->deadline_id = 0;
  stop_one (resource);
  xf_resource_fail (resource, XF_ERROR_TIMEOUT,
                    "%s on host '%s' has not ended within its time; look there for storage or a service that does not "
                    "answer",
                    xf_verb_name (resource->set->verb), resource->set->driver->hostname);
  return G_SOURCE_REMOVE;
}

static guint
time_ms (const XfResource *resource)
{
  const XfResources *set = resource->set;
  guint ms = (resource->deadline_s ? resource->deadline_s : deadlines_s[set->verb]) * 1000;
  gint64 left_ms = set->until_us ? (set->until_us - g_get_monotonic_time ()) / 1000 : ms;

  return (guint)CLAMP (left_ms, 0, (gint64)ms);
}

static void
start_one (XfResource *resource)
{
  XfVerb verb = resource->set->verb;

  if (!resource->kind->verbs[verb] || (verb == XF_VERB_ROLLBACK ? !resource->held : is_skipped (resource)))
    return;
  resource->busy = TRUE;
  resource->deadline_id = g_timeout_add (time_ms (resource), deadline_passed, resource);
  resource->kind->verbs[verb](resource);
}

static gboolean
is_busy (const XfResources *set)
{
  for (guint i = 0; i < set->items->len; i++) {
    if (((XfResource *)set->items->pdata[i])->busy)
      return TRUE;
  }
  return FALSE;
}

/* What blocks, as one error. */
static GError *
step_error (const XfResources *set)
{
  g_autoptr (GString) text = g_string_new (NULL);
  gboolean avoidable = TRUE;
  int code = -1;

  for (guint i = set->first; i < set->findings->len; i++) {
    const XfFinding *finding = set->findings->pdata[i];

    if (!finding->blocks)
      continue;
    g_string_append_printf (text, "%s%s: %s", text->len ? "; " : "", finding->resource, finding->text);
    code = code < 0 || code == finding->code ? finding->code : XF_ERROR_OPERATION_FAILED;
    avoidable &= finding->avoidable;
  }
  if (avoidable && text->len)
    g_string_append (text, " (as best effort in the guest's metadata, or with --unsafe, this is a warning)");
  return text->len ? g_error_new_literal (XF_ERROR, code, text->str) : NULL;
}

static gboolean
is_blocked (const XfResources *set)
{
  for (guint i = set->first; i < set->findings->len; i++) {
    if (((XfFinding *)set->findings->pdata[i])->blocks)
      return TRUE;
  }
  return FALSE;
}

static void
end_step (XfResources *set)
{
  g_autoptr (GError) error = step_error (set);

  set->running = FALSE;
  set->done (error, set->data);
}

static XfResource *
take_next (XfResources *set)
{
  guint n = set->items->len;

  if (set->next >= n || (set->verb != XF_VERB_ROLLBACK && is_blocked (set)))
    return NULL;
  set->next++;
  return set->items->pdata[set->verb == XF_VERB_ROLLBACK ? n - set->next : set->next - 1];
}

static gboolean
go_on (gpointer data)
{
  XfResources *set = data;
  XfResource *resource;

  set->idle_id = 0;
  if (is_parallel (set->verb)) {
    for (; set->next < set->items->len; set->next++)
      start_one (set->items->pdata[set->next]);
  } else {
    while (!is_busy (set) && (resource = take_next (set)))
      start_one (resource);
  }
  if (!is_busy (set)) {
    /* A resource that has answered at once has asked for another turn. */
    g_clear_handle_id (&set->idle_id, g_source_remove);
    end_step (set);
  }
  return G_SOURCE_REMOVE;
}

void
xf_resources_run (XfResources *set, XfVerb verb, XfDone done, gpointer data)
{
  g_assert (!set->running);
  set->running = TRUE;
  set->verb = verb;
  set->next = 0;
  set->first = set->findings->len;
  set->until_us = verb == XF_VERB_COMMIT ? g_get_monotonic_time () + COMMIT_ALL_S * G_USEC_PER_SEC : 0;
  set->done = done;
  set->data = data;
  schedule (set);
}

void
xf_resources_stop (XfResources *set)
{
  g_clear_handle_id (&set->idle_id, g_source_remove);
  set->running = FALSE;
  for (guint i = 0; i < set->items->len; i++) {
    XfResource *resource = set->items->pdata[i];

    stop_one (resource);
    resource->busy = FALSE;
  }
}

/* ---- queries ---------------------------------------------------------------------------------------------- */

gboolean
xf_resources_hold (const XfResources *set)
{
  for (guint i = 0; i < set->items->len; i++) {
    if (((XfResource *)set->items->pdata[i])->held)
      return TRUE;
  }
  return FALSE;
}

char *
xf_resources_held (const XfResources *set)
{
  g_autoptr (GString) names = g_string_new (NULL);

  for (guint i = 0; i < set->items->len; i++) {
    const XfResource *resource = set->items->pdata[i];

    if (resource->held)
      g_string_append_printf (names, "%s%s", names->len ? "\n" : "", resource->name);
  }
  return names->len ? g_string_free (g_steal_pointer (&names), FALSE) : NULL;
}

void
xf_resources_take_facts (XfResources *set, GHashTable *facts)
{
  GHashTableIter iter;
  gpointer name, value;

  if (!facts)
    return;
  g_hash_table_iter_init (&iter, facts);
  while (g_hash_table_iter_next (&iter, &name, &value))
    g_hash_table_replace (set->told, g_strdup (name), g_strdup (value));
}

char *
xf_resources_failed (const XfResources *set, XfVerb verb)
{
  g_autoptr (GString) names = g_string_new (NULL);

  for (guint i = 0; i < set->findings->len; i++) {
    const XfFinding *finding = set->findings->pdata[i];

    if (finding->verb == verb && finding->failed)
      g_string_append_printf (names, "%s%s", names->len ? "\n" : "", finding->resource);
  }
  return names->len ? g_string_free (g_steal_pointer (&names), FALSE) : NULL;
}

GHashTable *
xf_resources_facts (const XfResources *set)
{
  return set->facts;
}

const GPtrArray *
xf_resources_findings (const XfResources *set)
{
  return set->findings;
}

char *
xf_resources_warnings (const XfResources *set)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < set->findings->len; i++) {
    const XfFinding *finding = set->findings->pdata[i];

    if (!finding->blocks)
      g_string_append_printf (text, "%s%s: %s", text->len ? "; " : "", finding->resource, finding->text);
  }
  return text->len ? g_string_free (g_steal_pointer (&text), FALSE) : NULL;
}

const XfResourceGuest *
xf_resource_guest (const XfResource *resource)
{
  return &resource->set->guest;
}

const XfResourceGuest *
xf_resources_guest (const XfResources *set)
{
  return &set->guest;
}

const char *
xf_resource_host (const XfResource *resource)
{
  return resource->set->driver->hostname;
}

const char *
xf_resource_peer (const XfResource *resource)
{
  return resource->set->guest.peer ? resource->set->guest.peer : "the other host";
}

XfDriver *
xf_resources_driver (const XfResources *set)
{
  return set->driver;
}
