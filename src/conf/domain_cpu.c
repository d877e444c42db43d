/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * vCPUs, where they may run and which features they show, the clock and its timers, and the limits of the Xen bus.
 */
#include "conf/domain_def.h"
#include "conf/xml.h"

#include <string.h>

#include "base/error.h"

#define VCPUS_MAX 4096

static gboolean
bad (const XfDomainDef *def, GError **error, const char *what)
{
  g_set_error (error, XF_ERROR, XF_ERROR_XML, "domain '%s': %s", def->name, what);
  return FALSE;
}

/* "0-3,^2,7": ranges; a caret removes CPUs. */
static gboolean
parse_cpuset (const char *text, guint8 *cpus)
{
  g_auto (GStrv) parts = g_strsplit (text, ",", -1);

  for (char **part = parts; *part; part++) {
    char *first = g_strstrip (*part);
    gboolean without = *first == '^';
    char *dash = strchr (first, '-');
    guint64 from, to;

    if (dash)
      *dash = '\0';
    if (!g_ascii_string_to_unsigned (first + without, 10, 0, XF_CPUS_MAX - 1, &from, NULL)
        || !g_ascii_string_to_unsigned (dash ? dash + 1 : first + without, 10, from, XF_CPUS_MAX - 1, &to, NULL))
      return FALSE;
    for (guint64 cpu = from; cpu <= to; cpu++) {
      if (without)
        cpus[cpu / 8] &= ~(1 << cpu % 8);
      else
        cpus[cpu / 8] |= 1 << cpu % 8;
    }
  }
  return TRUE;
}

static gboolean
is_pinned (const XfDomainDef *def, guint vcpu)
{
  for (guint i = 0; i < def->pins->len; i++) {
    if (g_array_index (def->pins, XfVcpuPin, i).vcpu == vcpu)
      return TRUE;
  }
  return FALSE;
}

static gboolean
add_pin (XfDomainDef *def, guint vcpu, const xmlNode *node, GError **error)
{
  static const guint8 none[XF_CPUS_MAX / 8];
  g_autofree char *cpuset = xf_xml_attr (node, "cpuset");
  XfVcpuPin pin = { .vcpu = vcpu };

  if (!cpuset || !parse_cpuset (cpuset, pin.cpus) || memcmp (pin.cpus, none, sizeof (none)) == 0)
    return bad (def, error, "a cpuset='…' is not a list of CPUs such as '0-3,^2'");
  g_array_append_val (def->pins, pin);
  return TRUE;
}

static gboolean
parse_pin (XfDomainDef *def, const xmlNode *node, GError **error)
{
  gint64 vcpu = -1;

  if (!xf_xml_attr_number (node, "vcpu", 0, def->vcpus - 1, &vcpu) || vcpu < 0)
    return bad (def, error, "<vcpupin vcpu='…'> is not the number of one of its vCPUs");
  if (is_pinned (def, vcpu))
    return bad (def, error, "a vCPU has two <vcpupin>");
  return add_pin (def, vcpu, node, error);
}

static gboolean
parse_cputune (XfDomainDef *def, const xmlNode *tune, GError **error)
{
  g_autofree char *shares = xf_xml_text (xf_xml_child (tune, "shares"));
  guint64 weight = 0;

  if (shares && !g_ascii_string_to_unsigned (shares, 10, 1, 65535, &weight, NULL))
    return bad (def, error, "<cputune><shares> is not a number between 1 and 65535");
  def->cpu_weight = weight;
  for (const xmlNode *node = tune ? tune->children : NULL; node; node = node->next) {
    if (xf_xml_is (node, "vcpupin") && !parse_pin (def, node, error))
      return FALSE;
  }
  return TRUE;
}

static void
clear_feature (gpointer data)
{
  g_free (((XfCpuFeature *)data)->name);
}

GArray *
xf_domain_new_features (void)
{
  GArray *features = g_array_new (FALSE, TRUE, sizeof (XfCpuFeature));

  g_array_set_clear_func (features, clear_feature);
  return features;
}

static gboolean
add_feature (XfDomainDef *def, const xmlNode *node, GError **error)
{
  g_autofree char *policy = xf_xml_attr (node, "policy"), *name = xf_xml_attr (node, "name");
  XfCpuFeature feature;

  if (!name || !*name)
    return bad (def, error, "a CPU <feature> has no name");
  for (guint i = 0; i < def->cpu_features->len; i++) {
    if (g_str_equal (g_array_index (def->cpu_features, XfCpuFeature, i).name, name))
      return bad (def, error, "a CPU feature is named by two <feature>");
  }
  /* What is optional changes nothing; libvirt's default is require. */
  if (g_strcmp0 (policy, "optional") == 0)
    return TRUE;
  feature.on = g_strcmp0 (policy, "disable") != 0 && g_strcmp0 (policy, "forbid") != 0;
  feature.name = g_steal_pointer (&name);
  g_array_append_val (def->cpu_features, feature);
  return TRUE;
}

static gboolean
parse_features (XfDomainDef *def, const xmlNode *cpu, GError **error)
{
  def->cpu_features = xf_domain_new_features ();
  for (const xmlNode *node = cpu ? cpu->children : NULL; node; node = node->next) {
    if (!xf_xml_is (node, "feature"))
      continue;
    if (!xf_xml_attr_is (cpu, "mode", "host-passthrough")) {
      g_set_error (error, XF_ERROR, XF_ERROR_CONFIG_UNSUPPORTED,
                   "domain '%s': element <cpu/feature> is only supported with mode='host-passthrough' of element <cpu>",
                   def->name);
      return FALSE;
    }
    if (!add_feature (def, node, error))
      return FALSE;
  }
  return TRUE;
}

gboolean
xf_domain_parse_cpus (XfDomainDef *def, gpointer root, GError **error)
{
  const xmlNode *vcpu = xf_xml_child (root, "vcpu");
  g_autofree char *text = xf_xml_text (vcpu), *cpuset = xf_xml_attr (vcpu, "cpuset");
  guint64 number = 1;
  gint64 current;

  def->pins = g_array_new (FALSE, TRUE, sizeof (XfVcpuPin));
  if (text && !g_ascii_string_to_unsigned (text, 10, 1, VCPUS_MAX, &number, NULL))
    return bad (def, error, "<vcpu> is not a number between 1 and 4096");
  def->vcpus = number;
  current = number;
  if (!xf_xml_attr_number (vcpu, "current", 1, def->vcpus, &current))
    return bad (def, error, "<vcpu current='…'> is not a number between 1 and the maximum");
  def->vcpus_current = current;
  if (!parse_cputune (def, xf_xml_child (root, "cputune"), error)
      || !parse_features (def, xf_xml_child (root, "cpu"), error))
    return FALSE;
  /* <vcpu cpuset> pins every vCPU that has no pin of its own. */
  for (guint i = 0; cpuset && i < def->vcpus; i++) {
    if (!is_pinned (def, i) && !add_pin (def, i, vcpu, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
parse_timer (XfDomainDef *def, const xmlNode *timer, GError **error)
{
  static const struct {
    const char *xml;
    XfTscMode mode;
  } modes[] = { { "native", XF_TSC_NATIVE }, { "paravirt", XF_TSC_PARAVIRT }, { "emulate", XF_TSC_EMULATE } };

  if (xf_xml_attr_is (timer, "name", "hpet"))
    def->hpet = !xf_xml_attr_is (timer, "present", "no");
  else if (!xf_xml_attr_is (timer, "name", "tsc"))
    return bad (def, error, "a <timer> has no name");
  for (gsize i = 0; i < G_N_ELEMENTS (modes); i++) {
    if (xf_xml_attr_is (timer, "name", "tsc") && xf_xml_attr_is (timer, "mode", modes[i].xml))
      def->tsc = modes[i].mode;
  }
  return TRUE;
}

gboolean
xf_domain_parse_clock (XfDomainDef *def, gpointer clock, GError **error)
{
  g_autofree char *adjustment = xf_xml_attr (clock, "adjustment");
  gint64 offset = 0;

  def->hpet = -1;
  def->localtime = xf_xml_attr_is (clock, "offset", "localtime") || xf_xml_attr_is (clock, "basis", "localtime");
  /* "reset" belongs to utc and localtime, and means no offset. */
  if (adjustment && !g_str_equal (adjustment, "reset")
      && !g_ascii_string_to_signed (adjustment, 10, G_MININT32, G_MAXINT32, &offset, NULL))
    return bad (def, error, "<clock adjustment='…'> is not a number of seconds");
  def->rtc_offset_s = offset;
  for (const xmlNode *node = clock ? ((xmlNode *)clock)->children : NULL; node; node = node->next) {
    if (xf_xml_is (node, "timer") && !parse_timer (def, node, error))
      return FALSE;
  }
  return TRUE;
}

gboolean
xf_domain_parse_xenbus (XfDomainDef *def, gpointer controller, GError **error)
{
  gint64 frames = 0, channels = 0;

  if (!xf_xml_attr_number (controller, "maxGrantFrames", 1, G_MAXINT32, &frames)
      || !xf_xml_attr_number (controller, "maxEventChannels", 1, G_MAXINT32, &channels))
    return bad (def, error, "maxGrantFrames or maxEventChannels of the xenbus controller is not a number");
  def->max_grant_frames = frames;
  def->event_channels = channels;
  return TRUE;
}
