/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * vCPUs: their affinity, their features, and the time they see.
 */
#include <string.h>

#include "libxl/convert/features.h"
#include "libxl/convert/private.h"

/* libxl frees the bitmap; libxl_bitmap_alloc() needs a context. */
static void
alloc_bitmap (libxl_bitmap *bitmap, guint bits)
{
  bitmap->size = (bits + 7) / 8;
  bitmap->map = g_malloc0 (bitmap->size);
}

static const XfVcpuPin *
find_pin (const XfDomainDef *def, guint vcpu)
{
  for (guint i = 0; i < def->pins->len; i++) {
    const XfVcpuPin *pin = &g_array_index (def->pins, XfVcpuPin, i);

    if (pin->vcpu == vcpu)
      return pin;
  }
  return NULL;
}

/* vCPUs without a pin may run anywhere: they get a full map, which libxl reads as "any". */
static void
fill_affinity (const XfDomainDef *def, libxl_domain_build_info *info)
{
  libxl_defbool_set (&info->numa_placement, FALSE);
  info->num_vcpu_hard_affinity = def->vcpus;
  info->vcpu_hard_affinity = g_new0 (libxl_bitmap, def->vcpus);
  for (guint i = 0; i < def->vcpus; i++) {
    const XfVcpuPin *pin = find_pin (def, i);

    alloc_bitmap (&info->vcpu_hard_affinity[i], XF_CPUS_MAX);
    for (guint cpu = 0; cpu < XF_CPUS_MAX; cpu++) {
      if (!pin || pin->cpus[cpu / 8] & 1 << cpu % 8)
        libxl_bitmap_set (&info->vcpu_hard_affinity[i], cpu);
    }
  }
}

void
xf_config_cpus (const XfDomainDef *def, libxl_domain_build_info *info)
{
  info->max_vcpus = def->vcpus;
  alloc_bitmap (&info->avail_vcpus, def->vcpus);
  for (guint i = 0; i < def->vcpus_current; i++)
    libxl_bitmap_set (&info->avail_vcpus, i);
  if (def->cpu_weight)
    info->sched_params.weight = def->cpu_weight;
  if (def->pins->len)
    fill_affinity (def, info);
}

/* In the order of the names, so that two definitions that differ only in the order of their elements are the same
 * guest. */
static int
by_name (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(const XfCpuFeature **)a)->name, (*(const XfCpuFeature **)b)->name);
}

gboolean
xf_config_cpu_features (const XfDomainDef *def, libxl_domain_build_info *info, GError **error)
{
  g_autoptr (GPtrArray) sorted = g_ptr_array_new ();

  for (guint i = 0; i < def->cpu_features->len; i++)
    g_ptr_array_add (sorted, &g_array_index (def->cpu_features, XfCpuFeature, i));
  g_ptr_array_sort (sorted, by_name);
  for (guint i = 0; i < sorted->len; i++) {
    const XfCpuFeature *feature = sorted->pdata[i];

    if (feature->on && (g_str_equal (feature->name, "vmx") || g_str_equal (feature->name, "svm")))
      return xf_config_refuse (def, error, "CPU feature '%s': nested virtualisation is not supported", feature->name);
    if (!xf_features_set (&info->cpuid, feature->name, feature->on))
      return xf_config_refuse (def, error, "element <cpu/feature>: libxl has no CPU feature '%s'", feature->name);
  }
  return TRUE;
}

void
xf_config_clock (const XfDomainDef *def, libxl_domain_build_info *info)
{
  static const libxl_tsc_mode modes[] = {
    [XF_TSC_DEFAULT] = LIBXL_TSC_MODE_DEFAULT,
    [XF_TSC_EMULATE] = LIBXL_TSC_MODE_ALWAYS_EMULATE,
    [XF_TSC_NATIVE] = LIBXL_TSC_MODE_NATIVE,
    [XF_TSC_PARAVIRT] = LIBXL_TSC_MODE_NATIVE_PARAVIRT,
  };

  info->tsc_mode = modes[def->tsc];
  info->rtc_timeoffset = def->rtc_offset_s;
  libxl_defbool_set (&info->localtime, def->localtime);
}
