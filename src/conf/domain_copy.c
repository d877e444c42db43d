/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Copies a definition, field by field. It is not formatted and parsed again, because a copy is made where a guest
 * already runs or is about to run, and must not fail there.
 *
 * Every pointer in the structs of domain_def.h has its line here.
 */
#include "conf/domain_def.h"
#include "conf/xml.h"

static void
copy_disks (GArray *to, const GArray *from)
{
  for (guint i = 0; i < from->len; i++) {
    XfDisk disk = g_array_index (from, XfDisk, i);

    disk.source = g_strdup (disk.source);
    disk.target = g_strdup (disk.target);
    disk.driver = g_strdup (disk.driver);
    disk.format = g_strdup (disk.format);
    disk.backend_domain = g_strdup (disk.backend_domain);
    g_array_append_val (to, disk);
  }
}

static void
copy_nics (GArray *to, const GArray *from)
{
  for (guint i = 0; i < from->len; i++) {
    XfNic nic = g_array_index (from, XfNic, i);

    nic.type = g_strdup (nic.type);
    nic.bridge = g_strdup (nic.bridge);
    nic.model = g_strdup (nic.model);
    nic.script = g_strdup (nic.script);
    nic.ip = g_strdup (nic.ip);
    nic.ifname = g_strdup (nic.ifname);
    nic.backend_domain = g_strdup (nic.backend_domain);
    g_array_append_val (to, nic);
  }
}

static void
copy_serials (GArray *to, const GArray *from)
{
  for (guint i = 0; i < from->len; i++) {
    XfSerial serial = { .libxl = g_strdup (g_array_index (from, XfSerial, i).libxl) };

    g_array_append_val (to, serial);
  }
}

static GArray *
copy_features (const GArray *from)
{
  GArray *to = xf_domain_new_features ();

  for (guint i = 0; from && i < from->len; i++) {
    XfCpuFeature feature = g_array_index (from, XfCpuFeature, i);

    feature.name = g_strdup (feature.name);
    g_array_append_val (to, feature);
  }
  return to;
}

static void
copy_devices (XfDomainDef *copy, const XfDomainDef *def)
{
  xf_domain_init_devices (copy);
  copy_disks (copy->disks, def->disks);
  copy_nics (copy->nics, def->nics);
  copy_serials (copy->serials, def->serials);
  copy->vnc.listen = g_strdup (def->vnc.listen);
  copy->vnc.password = g_strdup (def->vnc.password);
  copy->vnc.keymap = g_strdup (def->vnc.keymap);
  copy->video = g_strdup (def->video);
  copy->usb_inputs = g_strdupv (def->usb_inputs);
  copy->emulator = g_strdup (def->emulator);
}

XfDomainDef *
xf_domain_def_copy (const XfDomainDef *def)
{
  XfDomainDef *copy = g_memdup2 (def, sizeof (*def));

  copy->doc = xmlCopyDoc (def->doc, 1);
  if (!copy->doc)
    g_error ("out of memory"); /* like a failed allocation in GLib */
  copy->arch = g_strdup (def->arch);
  copy->name = g_strdup (def->name);
  copy->pins = def->pins ? g_array_copy (def->pins) : NULL;
  copy->cpu_features = copy_features (def->cpu_features);
  copy->kernel = g_strdup (def->kernel);
  copy->initrd = g_strdup (def->initrd);
  copy->cmdline = g_strdup (def->cmdline);
  copy->bootloader = g_strdup (def->bootloader);
  copy->bootloader_args = g_strdup (def->bootloader_args);
  copy->boot = g_strdup (def->boot);
  copy_devices (copy, def);
  return copy;
}
