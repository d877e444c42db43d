/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The host's own resources: each executable in the directory that the setting `resource_dir` names is one. It is called
 *
 *   EXECUTABLE check|prepare|commit|rollback SIDE GUEST MIGRATION-ID
 *
 * with the guest's XML on its standard input; SIDE is source or destination, and MIGRATION-ID is "-" for a mere check.
 * The source calls check alone. Exit status 0 is success; any other is a failure, whose reason is the first line of its
 * standard error. docs/hooks.md explains how to write one.
 */
#include "libxl/resource/kinds.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/dir.h"

#define EXECUTABLES_MAX 64

/* The runner's deadline is the one that counts. */
#define DEADLINE_MS (700 * 1000)

#define NAME_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

static gboolean
is_name (const char *name)
{
  return name[0] != '.' && name[strspn (name, NAME_LETTERS)] == '\0' && !g_str_has_suffix (name, "~");
}

/* The daemon runs it as root: another user must not be able to write it. */
static gboolean
is_safe (const char *path)
{
  struct stat info;

  if (stat (path, &info) < 0 || !S_ISREG (info.st_mode) || !(info.st_mode & S_IXUSR))
    return FALSE;
  if ((info.st_uid == 0 || info.st_uid == geteuid ()) && !(info.st_mode & (S_IWGRP | S_IWOTH)))
    return TRUE;
  g_warning ("'%s' is not run: it must belong to root, and no other user may be able to write it", path);
  return FALSE;
}

static void
list (XfResources *set, const XfResourceKind *kind)
{
  const char *dir = xf_resources_driver (set)->config.resource_dir;
  g_autoptr (GPtrArray) names = NULL;
  guint n = 0;

  if (!xf_resources_guest (set)->config)
    return;
  names = xf_dir_names (dir);
  for (guint i = 0; i < names->len && n < EXECUTABLES_MAX; i++) {
    g_autofree char *path = g_build_filename (dir, names->pdata[i], NULL);

    if (is_name (names->pdata[i]) && is_safe (path))
      xf_resource_add (set, kind, names->pdata[i], n++)->detail = g_steal_pointer (&path);
  }
}

static void
stop (XfResource *resource)
{
  xf_child_free (resource->work);
}

static void
ended (GBytes *output, const GError *error, gpointer data)
{
  XfResource *resource = data;
  XfChild *child = g_steal_pointer (&resource->work);

  xf_resource_done (resource, error);
  xf_child_free (child);
}

static void
run (XfResource *resource, XfVerb verb)
{
  const XfResourceGuest *guest = xf_resource_guest (resource);
  g_autofree char *xml = xf_domain_def_format (guest->def, XF_DOMAIN_FORMAT_NONE, NULL);
  g_autofree char *peer = g_strdup_printf ("XENFERRY_PEER=%s", guest->peer ? guest->peer : "");
  g_autoptr (GBytes) input = g_bytes_new (xml, strlen (xml));
  const char *argv[] = {
    resource->detail, xf_verb_name (verb),         guest->side == XF_SIDE_SOURCE ? "source" : "destination",
    guest->def->name, guest->id ? guest->id : "-", NULL,
  };
  const char *env[] = { peer, NULL };
  const XfChildJob job = { .argv = argv, .env = env, .input = input, .deadline_ms = DEADLINE_MS };

  resource->work = xf_child_new (&job, ended, resource);
}

static void
check (XfResource *resource)
{
  run (resource, XF_VERB_CHECK);
}

static void
prepare (XfResource *resource)
{
  run (resource, XF_VERB_PREPARE);
}

static void
commit (XfResource *resource)
{
  run (resource, XF_VERB_COMMIT);
}

static void
rollback (XfResource *resource)
{
  run (resource, XF_VERB_ROLLBACK);
}

const XfResourceKind xf_resource_executable = {
  .name = "executable",
  .want = XF_WANT_MANDATORY,
  .list = list,
  .verbs = {
    [XF_VERB_CHECK] = check,
    [XF_VERB_PREPARE] = prepare,
    [XF_VERB_COMMIT] = commit,
    [XF_VERB_ROLLBACK] = rollback,
  },
  .stop = stop,
};
