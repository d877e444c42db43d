/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Programs and files of the host with which the guest runs. A restored guest needs only its device model; kernel,
 * ramdisk, boot loader and firmware are in its memory or not needed, but without them it cannot be started again at the
 * destination, for example when it reboots: that is said, and is no reason to stay. Names without a directory are
 * libxl's own to find.
 */
#include "libxl/resource/kinds.h"
#include "libxl/resource/look.h"

typedef struct {
  const char *what;
  char *path;
  gboolean executable, needed;
} Program;

#define PROGRAMS_MAX 6

typedef struct {
  char *host;
  Program programs[PROGRAMS_MAX];
  guint n;
  GString *later; /* what is missing for a later start */
} Programs;

static void
programs_free (gpointer data)
{
  Programs *programs = data;

  for (guint i = 0; i < programs->n; i++)
    g_free (programs->programs[i].path);
  g_string_free (programs->later, TRUE);
  g_free (programs->host);
  g_free (programs);
}

static void
add (Programs *programs, const char *what, const char *path, gboolean executable, gboolean needed)
{
  if (path && g_path_is_absolute (path))
    programs->programs[programs->n++] = (Program){ what, g_strdup (path), executable, needed };
}

static Programs *
programs_of (const libxl_domain_config *config)
{
  const libxl_domain_build_info *info = &config->b_info;
  Programs *programs = g_new0 (Programs, 1);
  gboolean hvm = config->c_info.type == LIBXL_DOMAIN_TYPE_HVM;
  gboolean is_elsewhere = !libxl_defbool_is_default (info->device_model_stubdomain)
                          && libxl_defbool_val (info->device_model_stubdomain);

  programs->later = g_string_new (NULL);
  if (hvm) {
    if (!is_elsewhere)
      add (programs, "device model", info->device_model, TRUE, TRUE);
    add (programs, "firmware", info->u.hvm.firmware, FALSE, FALSE);
    add (programs, "firmware", info->u.hvm.system_firmware, FALSE, FALSE);
  }
  add (programs, "boot loader", info->bootloader, TRUE, FALSE);
  if (!info->bootloader) {
    add (programs, "kernel", info->kernel, FALSE, FALSE);
    add (programs, "ramdisk", info->ramdisk, FALSE, FALSE);
  }
  return programs;
}

static void
list (XfResources *set, const XfResourceKind *kind)
{
  const XfResourceGuest *guest = xf_resources_guest (set);
  Programs *programs;

  if (!guest->config || guest->side != XF_SIDE_DESTINATION)
    return;
  programs = programs_of (guest->config);
  if (programs->n)
    (void)xf_resource_add (set, kind, NULL, 0);
  programs_free (programs);
}

static GError *
look (gpointer input)
{
  Programs *programs = input;
  GError *error = NULL;

  for (guint i = 0; i < programs->n && !error; i++) {
    const Program *program = &programs->programs[i];
    g_autoptr (GError) missing = NULL;

    if (xf_look_file (program->what, program->path, program->executable, programs->host, &missing))
      continue;
    if (program->needed)
      error = g_steal_pointer (&missing);
    else
      g_string_append_printf (programs->later, "%s%s", programs->later->len ? "; " : "", missing->message);
  }
  return error;
}

static void
looked (XfResource *resource, gpointer input, const GError *error)
{
  const Programs *programs = input;

  if (!error && programs->later->len)
    xf_resource_warn (resource, "the guest moves, but cannot be started again there: %s", programs->later->str);
  xf_resource_done (resource, error);
}

static void
check (XfResource *resource)
{
  Programs *programs = programs_of (xf_resource_guest (resource)->config);

  programs->host = g_strdup (xf_resource_host (resource));
  xf_resource_in_thread (resource, look, looked, programs, programs_free);
}

const XfResourceKind xf_resource_firmware = {
  .name = "firmware",
  .want = XF_WANT_MANDATORY,
  .prudent = TRUE,
  .list = list,
  .verbs = { [XF_VERB_CHECK] = check },
  .stop = xf_resource_stop_thread,
};
