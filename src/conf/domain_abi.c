/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whether a guest that runs as one definition can continue as another. Everything that the guest sees must be the same;
 * the host's side of it may differ.
 */
#include "conf/domain_def.h"

#include <string.h>

#include "base/error.h"

static gboolean differs (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

static gboolean
differs (GError **error, const char *format, ...)
{
  g_autofree char *what = NULL;
  va_list args;

  va_start (args, format);
  what = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, XF_ERROR, XF_ERROR_CONFIG_UNSUPPORTED, "the given XML does not describe the running guest: %s",
               what);
  return FALSE;
}

static gboolean
same_text (const char *running, const char *wanted, const char *what, GError **error)
{
  if (g_strcmp0 (running, wanted) == 0)
    return TRUE;
  return differs (error, "%s is '%s', and '%s' in the XML", what, running ? running : "(none)",
                  wanted ? wanted : "(none)");
}

static gboolean
same_number (guint64 running, guint64 wanted, const char *what, GError **error)
{
  if (running == wanted)
    return TRUE;
  return differs (error, "%s is %" G_GUINT64_FORMAT ", and %" G_GUINT64_FORMAT " in the XML", what, running, wanted);
}

static gboolean
same_identity (const XfDomainDef *running, const XfDomainDef *wanted, GError **error)
{
  g_autofree char *uuid = xf_uuid_to_string (running->uuid), *wanted_uuid = xf_uuid_to_string (wanted->uuid);

  return same_text (uuid, wanted_uuid, "the uuid", error)
         && same_text (xf_guest_type_xml (running->type), xf_guest_type_xml (wanted->type), "the type", error)
         && same_text (running->arch, wanted->arch, "the architecture", error)
         && same_number (running->memory_kib, wanted->memory_kib, "the memory in KiB", error)
         && same_number (running->vcpus, wanted->vcpus, "the number of vCPUs", error);
}

static gboolean
same_disks (const XfDomainDef *running, const XfDomainDef *wanted, GError **error)
{
  if (!same_number (running->disks->len, wanted->disks->len, "the number of disks", error))
    return FALSE;
  for (guint i = 0; i < running->disks->len; i++) {
    const XfDisk *a = &g_array_index (running->disks, XfDisk, i), *b = &g_array_index (wanted->disks, XfDisk, i);

    if (!same_text (a->target, b->target, "the target of a disk", error))
      return FALSE;
    if (a->device != b->device || a->readonly != b->readonly)
      return differs (error, "disk '%s' differs in device or readonly", a->target);
  }
  return TRUE;
}

static gboolean
same_nics (const XfDomainDef *running, const XfDomainDef *wanted, GError **error)
{
  if (!same_number (running->nics->len, wanted->nics->len, "the number of interfaces", error))
    return FALSE;
  for (guint i = 0; i < running->nics->len; i++) {
    const XfNic *a = &g_array_index (running->nics, XfNic, i), *b = &g_array_index (wanted->nics, XfNic, i);

    if (memcmp (a->mac, b->mac, sizeof (a->mac)) != 0)
      return differs (error, "the MAC address of interface %u differs", i);
    if (!same_text (a->model, b->model, "the model of an interface", error))
      return FALSE;
  }
  return TRUE;
}

static const XfCpuFeature *
find_feature (const GArray *features, const char *name)
{
  for (guint i = 0; i < features->len; i++) {
    if (g_str_equal (g_array_index (features, XfCpuFeature, i).name, name))
      return &g_array_index (features, XfCpuFeature, i);
  }
  return NULL;
}

static gboolean
same_features (const XfDomainDef *running, const XfDomainDef *wanted, GError **error)
{
  if (!same_number (running->cpu_features->len, wanted->cpu_features->len, "the number of CPU features", error))
    return FALSE;
  for (guint i = 0; i < running->cpu_features->len; i++) {
    const XfCpuFeature *a = &g_array_index (running->cpu_features, XfCpuFeature, i);
    const XfCpuFeature *b = find_feature (wanted->cpu_features, a->name);

    if (!b || a->on != b->on)
      return differs (error, "CPU feature '%s' is %s, and is not in the XML", a->name, a->on ? "required" : "disabled");
  }
  return TRUE;
}

gboolean
xf_domain_def_check_abi (const XfDomainDef *running, const XfDomainDef *wanted, GError **error)
{
  return same_identity (running, wanted, error) && same_features (running, wanted, error)
         && same_number (running->vnc.present, wanted->vnc.present, "the number of graphics", error)
         && same_text (running->video, wanted->video, "the video model", error)
         && same_number (running->serials->len, wanted->serials->len, "the number of serial ports", error)
         && same_disks (running, wanted, error) && same_nics (running, wanted, error);
}
