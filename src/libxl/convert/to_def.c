/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Domain XML from libxl's configuration, for guests that xl or another toolstack started. Each property that this
 * driver's XML cannot express is noted, never dropped silently. The devices are in convert/to_def_devices.c.
 */
#include "base/error.h"
#include "conf/domain_name.h"
#include "libxl/convert/features.h"
#include "libxl/convert/private.h"

void
xf_config_append (GString *xml, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_markup_vprintf_escaped (format, args);
  va_end (args);
  g_string_append (xml, text);
}

void
xf_config_note (GPtrArray *notes, const char *format, ...)
{
  va_list args;

  if (!notes)
    return;
  va_start (args, format);
  g_ptr_array_add (notes, g_strdup_vprintf (format, args));
  va_end (args);
}

static XfGuestType
type_of (const libxl_domain_config *config)
{
  switch (config->c_info.type) {
  case LIBXL_DOMAIN_TYPE_HVM:
    return XF_GUEST_HVM;
  case LIBXL_DOMAIN_TYPE_PVH:
    return XF_GUEST_PVH;
  case LIBXL_DOMAIN_TYPE_PV:
  case LIBXL_DOMAIN_TYPE_INVALID:
    break;
  }
  return XF_GUEST_PV;
}

/* libxl does not write its defaults into the configuration it keeps, so @unset replaces an unset value. */
static gboolean
is_on (libxl_defbool value, gboolean unset)
{
  return libxl_defbool_is_default (value) ? unset : libxl_defbool_val (value);
}

static void
append_identity (const libxl_domain_config *config, GString *xml)
{
  g_autofree char *uuid = xf_uuid_to_string (config->c_info.uuid.uuid);
  g_autofree char *name = xf_domain_name_shown (config->c_info.name, config->c_info.uuid.uuid);
  const libxl_domain_build_info *info = &config->b_info;
  guint64 target = info->target_memkb == LIBXL_MEMKB_DEFAULT ? info->max_memkb : info->target_memkb;
  guint available = info->avail_vcpus.size ? (guint)libxl_bitmap_count_set (&info->avail_vcpus) : 1;
  guint most = MAX (info->max_vcpus, 1);

  xf_config_append (xml, "  <name>%s</name>\n  <uuid>%s</uuid>\n", name, uuid);
  xf_config_append (xml, "  <memory unit='KiB'>%" G_GUINT64_FORMAT "</memory>\n", (guint64)info->max_memkb);
  xf_config_append (xml, "  <currentMemory unit='KiB'>%" G_GUINT64_FORMAT "</currentMemory>\n", target);
  xf_config_append (xml, "  <vcpu placement='static'");
  if (available > 0 && available < most)
    xf_config_append (xml, " current='%u'", available);
  xf_config_append (xml, ">%u</vcpu>\n", most);
}

static void
append_cpus (GString *xml, const libxl_bitmap *map)
{
  const char *separator = "";

  for (guint cpu = 0; cpu < MIN (map->size * 8, XF_CPUS_MAX); cpu++) {
    if (!libxl_bitmap_test (map, cpu))
      continue;
    xf_config_append (xml, "%s%u", separator, cpu);
    separator = ",";
  }
}

static gboolean
is_any_cpu (const libxl_bitmap *map)
{
  return map->size == 0 || libxl_bitmap_is_empty (map) || libxl_bitmap_is_full (map);
}

static void
append_tuning (const libxl_domain_build_info *info, GString *xml)
{
  GString *inner = g_string_new (NULL);
  int weight = info->sched_params.weight;

  /* 256 is every Xen scheduler's default. */
  if (weight > 0 && weight != 256)
    xf_config_append (inner, "    <shares>%d</shares>\n", weight);
  for (int i = 0; i < info->num_vcpu_hard_affinity; i++) {
    if (is_any_cpu (&info->vcpu_hard_affinity[i]))
      continue;
    xf_config_append (inner, "    <vcpupin vcpu='%d' cpuset='", i);
    append_cpus (inner, &info->vcpu_hard_affinity[i]);
    xf_config_append (inner, "'/>\n");
  }
  if (inner->len)
    g_string_append_printf (xml, "  <cputune>\n%s  </cputune>\n", inner->str);
  g_string_free (inner, TRUE);
}

static void
append_text (GString *xml, const char *indent, const char *element, const char *text)
{
  if (text)
    xf_config_append (xml, "%s<%s>%s</%s>\n", indent, element, text, element);
}

static void
append_boot_order (const char *letters, GString *xml)
{
  for (; letters && *letters; letters++) {
    const char *device = *letters == 'a'   ? "fd"
                         : *letters == 'c' ? "hd"
                         : *letters == 'd' ? "cdrom"
                         : *letters == 'n' ? "network"
                                           : NULL;

    if (device)
      xf_config_append (xml, "    <boot dev='%s'/>\n", device);
  }
}

/* libxl's deprecated field counts if the present field is empty. */
static const char *
either (const char *present, const char *old)
{
  return present ? present : old;
}

static void
append_os (const libxl_domain_config *config, GString *xml)
{
  const libxl_domain_build_info *info = &config->b_info;
  XfGuestType type = type_of (config);
  /* XML cannot express a 64-bit HVM guest without PAE. Such a guest cannot exist: without PAE it is a 32-bit guest. */
  gboolean narrow = type == XF_GUEST_HVM && !is_on (info->u.hvm.pae, TRUE);
  gboolean pv = type == XF_GUEST_PV, efi = type == XF_GUEST_HVM && info->u.hvm.bios == LIBXL_BIOS_TYPE_OVMF;
  static const char *const machines[] = {
    [XF_GUEST_PV] = "xenpv", [XF_GUEST_PVH] = "xenpvh", [XF_GUEST_HVM] = "xenfv"
  };
  const char *bootloader = either (info->bootloader, pv ? info->u.pv.bootloader : NULL);
  char **args = info->bootloader_args ? info->bootloader_args : pv ? info->u.pv.bootloader_args : NULL;
  g_autofree char *joined = args && *args ? g_strjoinv (" ", args) : NULL;

  append_text (xml, "  ", "bootloader", bootloader);
  append_text (xml, "  ", "bootloader_args", joined);
  g_string_append (xml, efi ? "  <os firmware='efi'>\n" : "  <os>\n");
  xf_config_append (xml, "    <type arch='%s' machine='%s'>%s</type>\n", narrow ? "i686" : "x86_64", machines[type],
                    xf_guest_type_xml (type));
  append_text (xml, "    ", "kernel", either (info->kernel, pv ? info->u.pv.kernel : NULL));
  append_text (xml, "    ", "initrd", either (info->ramdisk, pv ? info->u.pv.ramdisk : NULL));
  append_text (xml, "    ", "cmdline", either (info->cmdline, pv ? info->u.pv.cmdline : NULL));
  if (type == XF_GUEST_HVM)
    append_boot_order (info->u.hvm.boot, xml);
  xf_config_append (xml, "  </os>\n");
}

static void
append_features (const libxl_domain_config *config, GString *xml)
{
  const libxl_domain_build_info *info = &config->b_info;
  XfGuestType type = type_of (config);
  GString *inner = g_string_new (NULL);

  if (type == XF_GUEST_HVM && is_on (info->u.hvm.pae, TRUE))
    xf_config_append (inner, "    <pae/>\n");
  if (type == XF_GUEST_HVM && is_on (info->apic, is_on (info->u.hvm.apic, TRUE)))
    xf_config_append (inner, "    <apic/>\n");
  if (type == XF_GUEST_HVM && is_on (info->acpi, is_on (info->u.hvm.acpi, TRUE)))
    xf_config_append (inner, "    <acpi/>\n");
  if (type != XF_GUEST_PV && !libxl_defbool_is_default (config->c_info.hap))
    xf_config_append (inner, "    <hap state='%s'/>\n", libxl_defbool_val (config->c_info.hap) ? "on" : "off");
  if (inner->len)
    g_string_append_printf (xml, "  <features>\n%s  </features>\n", inner->str);
  g_string_free (inner, TRUE);
}

static void
append_feature (const char *name, gboolean on, gpointer xml)
{
  xf_config_append (xml, "    <feature policy='%s' name='%s'/>\n", on ? "require" : "disable", name);
}

static void
append_cpu (const libxl_domain_config *config, GString *xml, GPtrArray *notes)
{
  g_autoptr (GString) inner = g_string_new (NULL);

  if (!xf_features_each (&config->b_info.cpuid, append_feature, inner))
    xf_config_note (notes, "this driver's domain XML cannot express all of its CPUID policy");
  if (inner->len)
    g_string_append_printf (xml, "  <cpu mode='host-passthrough'>\n%s  </cpu>\n", inner->str);
}

static void
append_clock (const libxl_domain_config *config, GString *xml)
{
  static const char *const modes[] = {
    [LIBXL_TSC_MODE_ALWAYS_EMULATE] = "emulate",
    [LIBXL_TSC_MODE_NATIVE] = "native",
    [LIBXL_TSC_MODE_NATIVE_PARAVIRT] = "paravirt",
  };
  const libxl_domain_build_info *info = &config->b_info;
  gboolean localtime = is_on (info->localtime, FALSE);
  gboolean hpet = type_of (config) == XF_GUEST_HVM && !libxl_defbool_is_default (info->u.hvm.hpet);
  gint32 offset = info->rtc_timeoffset;

  if (offset)
    xf_config_append (xml, "  <clock offset='variable' adjustment='%d' basis='%s'>\n", offset,
                      localtime ? "localtime" : "utc");
  else
    xf_config_append (xml, "  <clock offset='%s'>\n", localtime ? "localtime" : "utc");
  if (info->tsc_mode > 0 && info->tsc_mode < G_N_ELEMENTS (modes))
    xf_config_append (xml, "    <timer name='tsc' mode='%s'/>\n", modes[info->tsc_mode]);
  if (hpet)
    xf_config_append (xml, "    <timer name='hpet' present='%s'/>\n",
                      libxl_defbool_val (info->u.hvm.hpet) ? "yes" : "no");
  xf_config_append (xml, "  </clock>\n");
}

static void
append_action (GString *xml, GPtrArray *notes, const char *element, libxl_action_on_shutdown action, const char *unset)
{
  static const char *const names[] = {
    [LIBXL_ACTION_ON_SHUTDOWN_DESTROY] = "destroy",
    [LIBXL_ACTION_ON_SHUTDOWN_RESTART] = "restart",
    [LIBXL_ACTION_ON_SHUTDOWN_RESTART_RENAME] = "rename-restart",
    [LIBXL_ACTION_ON_SHUTDOWN_PRESERVE] = "preserve",
    [LIBXL_ACTION_ON_SHUTDOWN_COREDUMP_DESTROY] = "coredump-destroy",
    [LIBXL_ACTION_ON_SHUTDOWN_COREDUMP_RESTART] = "coredump-restart",
  };
  const char *name = (guint)action < G_N_ELEMENTS (names) ? names[action] : NULL;

  if (!name && action)
    xf_config_note (notes, "%s is '%s', which domain XML cannot express; '%s' is used instead", element,
                    libxl_action_on_shutdown_to_string (action), unset);
  append_text (xml, "  ", element, name ? name : unset);
}

static void
note_build (const libxl_domain_config *config, GPtrArray *notes)
{
  const libxl_domain_build_info *info = &config->b_info;
  XfGuestType type = type_of (config);
  const struct {
    gboolean is_set;
    const char *what;
  } unsaid[] = {
    { config->c_info.pool_name && !g_str_equal (config->c_info.pool_name, "Pool-0"), "its CPU pool" },
    { config->c_info.ssid_label != NULL, "its security label" },
    { is_on (config->c_info.driver_domain, FALSE), "that it is a driver domain" },
    { info->num_vnuma_nodes > 0, "its virtual NUMA nodes" },
    { info->num_vcpu_soft_affinity > 0, "the soft affinity of its vCPUs" },
    { info->num_ioports + info->num_irqs + info->num_iomem > 0, "I/O ports, interrupts or memory of the host" },
    { info->extra || info->extra_pv || info->extra_hvm, "arguments for its device model" },
    { is_on (info->nested_hvm, FALSE), "nested virtualisation" },
    { is_on (info->device_model_stubdomain, FALSE), "its stub domain" },
    { info->sched_params.cap > 0, "its scheduler's cap" },
    { is_on (info->disable_migrate, FALSE), "that it must not be migrated" },
    { type == XF_GUEST_PV && is_on (info->u.pv.e820_host, FALSE), "the host's memory map (e820_host)" },
    { type == XF_GUEST_HVM && is_on (info->u.hvm.viridian, FALSE), "Viridian extensions" },
    { type == XF_GUEST_HVM && is_on (info->u.hvm.spice.enable, FALSE), "SPICE graphics" },
    { type == XF_GUEST_HVM && is_on (info->u.hvm.sdl.enable, FALSE), "SDL graphics" },
    { type == XF_GUEST_HVM && info->u.hvm.soundhw, "its sound card" },
    { type == XF_GUEST_HVM && is_on (info->u.hvm.gfx_passthru, FALSE), "graphics passthrough" },
    { type == XF_GUEST_PVH && is_on (info->u.pvh.pvshim, FALSE), "its PV shim" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (unsaid); i++) {
    if (unsaid[i].is_set)
      xf_config_note (notes, "this driver's domain XML cannot express %s", unsaid[i].what);
  }
}

char *
xf_config_to_xml (const libxl_domain_config *config, GPtrArray *notes)
{
  GString *xml = g_string_new ("<domain type='xen'>\n");

  append_identity (config, xml);
  append_tuning (&config->b_info, xml);
  append_os (config, xml);
  append_features (config, xml);
  append_cpu (config, xml, notes);
  append_clock (config, xml);
  append_action (xml, notes, "on_poweroff", config->on_poweroff, "destroy");
  append_action (xml, notes, "on_reboot", config->on_reboot, "restart");
  append_action (xml, notes, "on_crash", config->on_crash, "destroy");
  note_build (config, notes);
  g_string_append (xml, "  <devices>\n");
  xf_config_reverse_devices (config, xml, notes);
  g_string_append (xml, "  </devices>\n</domain>\n");
  return g_string_free (xml, FALSE);
}

XfDomainDef *
xf_config_to_def (const libxl_domain_config *config, GPtrArray *notes, GError **error)
{
  g_autofree char *xml = xf_config_to_xml (config, notes);
  XfDomainDef *def = xf_domain_def_parse (xml, XF_DOMAIN_PARSE_NONE, error);

  if (!def)
    g_prefix_error (error, "cannot describe the guest in domain XML: ");
  return def;
}
