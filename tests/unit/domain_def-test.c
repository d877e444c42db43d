/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/domain_def.h"

#include <string.h>

#include "base/error.h"

#define UUID "c7a5fdb2-cdaf-9455-926a-d65c16db1809"

/* The XML of a running guest, as another host sends it in a migration. */
static const char running[] =
  "<domain type='xen' id='29'>\n"
  "  <name>g1</name><uuid>" UUID "</uuid><memory unit='MiB'>256</memory><vcpu current='1'>2</vcpu>\n"
  "  <os><type arch='x86_64' machine='xenpv'>linux</type><kernel>/k</kernel></os>\n"
  "  <devices>\n"
  "    <disk type='block' device='disk'><driver name='phy'/><source dev='/dev/a'/><target dev='xvda'/></disk>\n"
  "    <interface type='bridge'><mac address='00:16:3e:01:02:03'/><source bridge='br0'/><target dev='vif29.0'/>"
  "</interface>\n"
  "    <interface type='bridge'><mac address='00:16:3e:01:02:04'/><source bridge='br0'/><target dev='mine'/>"
  "</interface>\n"
  "    <console type='pty' tty='/dev/pts/7'><source path='/dev/pts/7'/><target type='xen' port='0'/></console>\n"
  "    <graphics type='vnc' port='5903' autoport='yes' listen='0.0.0.0' passwd='it&apos;s'/>\n"
  "  </devices>\n"
  "</domain>\n";

static XfDomainDef *
parse (const char *xml, XfDomainParseFlags flags)
{
  g_autoptr (GError) error = NULL;
  XfDomainDef *def = xf_domain_def_parse (xml, flags, &error);

  g_assert_no_error (error);
  return def;
}

static char *
replace (const char *text, const char *old, const char *new)
{
  GString *string = g_string_new (text);

  g_assert_cmpuint (g_string_replace (string, old, new, 0), >, 0);
  return g_string_free (string, FALSE);
}

static void
assert_has (const char *text, const char *part)
{
  if (!strstr (text, part))
    g_error ("'%s' is not in:\n%s", part, text);
}

static void
assert_has_not (const char *text, const char *part)
{
  if (strstr (text, part))
    g_error ("'%s' is in:\n%s", part, text);
}

static void
test_facts (void)
{
  g_autoptr (XfDomainDef) def = parse (running, XF_DOMAIN_PARSE_NONE);
  const XfNic *nics = (gpointer)def->nics->data;

  g_assert_cmpint (def->type, ==, XF_GUEST_PV);
  g_assert_cmpstr (def->name, ==, "g1");
  g_assert_cmpuint (def->memory_kib, ==, 256 * 1024);
  g_assert_cmpuint (def->current_kib, ==, 256 * 1024);
  g_assert_cmpuint (def->vcpus, ==, 2);
  g_assert_cmpuint (def->vcpus_current, ==, 1);
  g_assert_cmpint (def->on_poweroff, ==, XF_ACTION_DESTROY);
  g_assert_cmpint (def->on_reboot, ==, XF_ACTION_RESTART);
  g_assert_cmpint (def->on_crash, ==, XF_ACTION_DESTROY);
  g_assert_cmpuint (def->nics->len, ==, 2);
  g_assert_cmphex (nics[0].mac[5], ==, 3);
  g_assert_null (nics[0].ifname);
  g_assert_cmpstr (nics[1].ifname, ==, "mine");
  g_assert_cmpint (def->vnc.port, ==, 5903);
  g_assert_cmpstr (def->vnc.password, ==, "it's");
}

/* Values that the other host generated are dropped. */
static void
test_inactive (void)
{
  g_autoptr (XfDomainDef) def = parse (running, XF_DOMAIN_PARSE_INACTIVE);
  g_autofree char *xml = xf_domain_def_format (def, XF_DOMAIN_FORMAT_SECURE, NULL);

  g_assert_cmpint (def->vnc.port, ==, -1);
  assert_has_not (xml, "vif29.0");
  assert_has_not (xml, "pts/7");
  assert_has_not (xml, "5903");
  assert_has_not (xml, " id=");
  assert_has (xml, "<target dev='mine'/>");
  assert_has (xml, "port='-1' autoport='yes'");
}

/* The elements that clients read: virsh ttyconsole, vncdisplay, domiflist, domblklist. */
static void
test_live (void)
{
  const XfDomainLive live = { .id = 31, .console_tty = "/dev/pts/9", .vnc_port = 5911 };
  g_autoptr (XfDomainDef) def = parse (running, XF_DOMAIN_PARSE_INACTIVE);
  g_autofree char *xml = xf_domain_def_format (def, XF_DOMAIN_FORMAT_NONE, &live);
  g_autofree char *inactive = xf_domain_def_format (def, XF_DOMAIN_FORMAT_INACTIVE, &live);

  assert_has (xml, "<domain type='xen' id='31'>");
  assert_has (xml, "<console type='pty' tty='/dev/pts/9'>\n      <source path='/dev/pts/9'/>");
  assert_has (xml, "port='5911' autoport='yes'");
  assert_has (xml, "<target dev='vif31.0'/>");
  assert_has (xml, "<target dev='mine'/>");
  assert_has (xml, "<disk type='block' device='disk'>");
  assert_has_not (inactive, "31");
  assert_has_not (inactive, "pts/9");
  assert_has_not (inactive, "5911");
}

static void
test_secrets (void)
{
  g_autoptr (XfDomainDef) def = parse (running, XF_DOMAIN_PARSE_INACTIVE);
  g_autofree char *open = xf_domain_def_format (def, XF_DOMAIN_FORMAT_SECURE, NULL);
  g_autofree char *closed = xf_domain_def_format (def, XF_DOMAIN_FORMAT_NONE, NULL);

  assert_has (open, "passwd='it&apos;s'");
  assert_has_not (closed, "passwd");
}

/* A live document that is parsed and written again does not change. */
static void
test_idempotent (void)
{
  const XfDomainLive live = { .id = 31, .console_tty = "/dev/pts/9", .vnc_port = 5911 };
  g_autoptr (XfDomainDef) def = parse (running, XF_DOMAIN_PARSE_NONE), again = NULL;
  g_autofree char *xml = xf_domain_def_format (def, XF_DOMAIN_FORMAT_SECURE, &live), *xml_again = NULL;

  again = parse (xml, XF_DOMAIN_PARSE_NONE);
  xml_again = xf_domain_def_format (again, XF_DOMAIN_FORMAT_SECURE, &live);
  g_assert_cmpstr (xml_again, ==, xml);
}

static void
test_generated (void)
{
  static const char xml[] = "<domain type='xen'><name>g</name><memory>1</memory><os><type>linux</type></os><devices>"
                            "<interface type='ethernet'/></devices></domain>";
  g_autoptr (XfDomainDef) def = parse (xml, XF_DOMAIN_PARSE_INACTIVE), copy = xf_domain_def_copy (def);
  const XfNic *nic = (gpointer)def->nics->data, *copied = (gpointer)copy->nics->data;
  static const guint8 prefix[] = { 0x00, 0x16, 0x3e };

  g_assert_cmpmem (nic->mac, 3, prefix, 3);
  g_assert_cmpmem (nic->mac, 6, copied->mac, 6);
  g_assert_true (xf_uuid_equal (def->uuid, copy->uuid));
  g_assert_cmpuint (def->memory_kib, ==, 1024);
}

static void
test_renamed (void)
{
  g_autoptr (XfDomainDef) def = parse (running, XF_DOMAIN_PARSE_NONE);
  g_autofree char *xml = NULL;

  g_assert_true (xf_domain_def_set_name (def, "a<b&c", NULL));
  xml = xf_domain_def_format (def, XF_DOMAIN_FORMAT_NONE, NULL);
  g_assert_cmpstr (def->name, ==, "a<b&c");
  assert_has (xml, "<name>a&lt;b&amp;c</name>");
}

/* Text and white space in metadata are kept. */
static void
test_metadata (void)
{
  static const char notes[] = "<a:n xmlns:a='urn:a'>  two <a:b>x</a:b>\n &lt;y&gt; <a:c z='&#10;&quot;'/></a:n>";
  g_autofree char *metadata = g_strconcat ("</vcpu><metadata>", notes, "</metadata>", NULL);
  g_autofree char *xml = replace (running, "</vcpu>", metadata);
  g_autoptr (XfDomainDef) def = parse (xml, XF_DOMAIN_PARSE_NONE);
  g_autofree char *written = xf_domain_def_format (def, XF_DOMAIN_FORMAT_NONE, NULL);

  assert_has (written, notes);
}

/* ---- --xml ------------------------------------------------------------------------------------------------ */

static const struct {
  const char *old, *new, *message; /* NULL: accepted */
} changes[] = {
  { "/dev/a", "/dev/elsewhere", NULL },
  { "<driver name='phy'/>", "<driver name='qemu'/>", NULL },
  { "<source bridge='br0'/><target dev='vif29.0'/>", "<source bridge='br7'/>", NULL },
  { "listen='0.0.0.0'", "listen='::'", NULL },
  { "id='29'", "id='1'", NULL },
  { "current='1'", "current='2'", NULL },
  { "<name>g1", "<name>g2", NULL },
  { UUID, "c7a5fdb2-cdaf-9455-926a-d65c16db180a", "the uuid is '" UUID "'" },
  { ">256<", ">257<", "the memory in KiB is 262144, and 263168 in the XML" },
  { ">2<", ">3<", "the number of vCPUs is 2" },
  { ">linux<", ">xenpvh<", "the type is 'linux', and 'xenpvh' in the XML" },
  { "x86_64", "i686", "the architecture" },
  { "'xvda'", "'xvdb'", "the target of a disk is 'xvda'" },
  { "<target dev='xvda'/>", "<target dev='xvda'/><readonly/>", "disk 'xvda' differs" },
  { "<disk ", "<disk><source file='/x'/><target dev='xvdz'/></disk><disk ", "the number of disks is 1" },
  { "01:02:04", "01:02:05", "the MAC address of interface 1" },
  { "<target dev='mine'/>", "<model type='netfront'/>", "the model of an interface" },
  { "<interface type='bridge'><mac address='00:16:3e:01:02:04'/><source bridge='br0'/><target dev='mine'/></interface>",
    "", "the number of interfaces is 2" },
  { "<graphics type='vnc' port='5903' autoport='yes' listen='0.0.0.0' passwd='it&apos;s'/>", "",
    "the number of graphics" },
  { "</vcpu>", "</vcpu><cpu mode='host-passthrough'><feature policy='optional' name='avx'/></cpu>", NULL },
  { "</vcpu>", "</vcpu><cpu mode='host-passthrough'><feature policy='disable' name='avx'/></cpu>",
    "the number of CPU features is 0, and 1 in the XML" },
};

static void
test_abi (void)
{
  g_autoptr (XfDomainDef) def = parse (running, XF_DOMAIN_PARSE_NONE);

  for (gsize i = 0; i < G_N_ELEMENTS (changes); i++) {
    g_autofree char *xml = replace (running, changes[i].old, changes[i].new);
    g_autoptr (XfDomainDef) wanted = parse (xml, XF_DOMAIN_PARSE_INACTIVE);
    g_autoptr (GError) error = NULL;
    gboolean same = xf_domain_def_check_abi (def, wanted, &error);

    g_test_message ("%s -> %s", changes[i].old, changes[i].new);
    g_assert_true (same == (changes[i].message == NULL));
    if (same)
      continue;
    g_assert_error (error, XF_ERROR, XF_ERROR_CONFIG_UNSUPPORTED);
    assert_has (error->message, changes[i].message);
  }
}

/* The same features in another order and by another policy of the same effect; and others. */
static void
test_abi_features (void)
{
  static const struct {
    const char *features;
    const char *message;
  } wanted_features[] = {
    { "<feature policy='forbid' name='avx'/><feature policy='force' name='invtsc'/>", NULL },
    { "<feature name='invtsc'/><feature policy='disable' name='avx'/>", NULL },
    { "<feature policy='require' name='avx'/><feature name='invtsc'/>", "CPU feature 'avx' is disabled" },
    { "<feature policy='disable' name='avx'/><feature policy='disable' name='invtsc'/>",
      "CPU feature 'invtsc' is required" },
    { "<feature policy='disable' name='avx2'/><feature name='invtsc'/>", "CPU feature 'avx' is disabled" },
    { "<feature policy='disable' name='avx'/>", "the number of CPU features is 2, and 1" },
  };
  g_autoptr (XfDomainDef) def = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (wanted_features); i++) {
    g_autofree char *cpu = g_strdup_printf ("</vcpu><cpu mode='host-passthrough'>%s</cpu>",
                                            wanted_features[i].features);
    g_autofree char *xml = replace (running, "</vcpu>", cpu);
    g_autoptr (XfDomainDef) wanted = parse (xml, XF_DOMAIN_PARSE_INACTIVE);
    g_autoptr (GError) error = NULL;

    if (!def)
      def = xf_domain_def_copy (wanted);
    g_assert_true (xf_domain_def_check_abi (def, wanted, &error) == (wanted_features[i].message == NULL));
    if (error)
      assert_has (error->message, wanted_features[i].message);
  }
}

/* ---- hostile ---------------------------------------------------------------------------------------------- */

static void
assert_xml_error (const char *xml, const char *message)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (xf_domain_def_parse (xml, XF_DOMAIN_PARSE_INACTIVE, &error));
  g_assert_error (error, XF_ERROR, XF_ERROR_XML);
  assert_has (error->message, message);
}

static void
test_entity_bomb (void)
{
  GString *xml = g_string_new ("<!DOCTYPE domain [<!ENTITY a0 'aaaaaaaaaa'>");
  gint64 start = g_get_monotonic_time ();

  for (guint i = 1; i < 30; i++)
    g_string_append_printf (xml, "<!ENTITY a%u '&a%u;&a%u;&a%u;&a%u;'>", i, i - 1, i - 1, i - 1, i - 1);
  g_string_append (xml, "]><domain type='xen'><name a='&a29;'>&a29;</name></domain>");
  assert_xml_error (xml->str, "document type declaration");
  g_assert_cmpint (g_get_monotonic_time () - start, <, G_USEC_PER_SEC);
  g_string_free (xml, TRUE);
}

/* A definition that is stored must be within the bounds when it is read again, too. */
static void
test_growth (void)
{
  GString *xml = g_string_new ("<domain type='xen'><name>g</name><memory>1024</memory><os><type>linux</type></os>"
                               "<metadata><x:a xmlns:x='urn:x'>");

  /* Each element is written with the indentation of its level. */
  for (guint i = 0; i < 50; i++)
    g_string_append (xml, "<a>");
  for (guint i = 0; i < 49000; i++)
    g_string_append (xml, "<b/>");
  for (guint i = 0; i < 50; i++)
    g_string_append (xml, "</a>");
  g_string_append (xml, "</x:a></metadata></domain>");
  g_assert_cmpuint (xml->len, <, 4 * 1024 * 1024);
  assert_xml_error (xml->str, "larger than");
  g_string_free (xml, TRUE);
}

static char *
nested (guint depth)
{
  GString *xml = g_string_new ("<domain type='xen'><name>g</name><metadata>");

  for (guint i = 0; i < depth; i++)
    g_string_append (xml, "<a>");
  for (guint i = 0; i < depth; i++)
    g_string_append (xml, "</a>");
  g_string_append (xml, "</metadata></domain>");
  return g_string_free (xml, FALSE);
}

static void
test_depth (void)
{
  g_autofree char *deep = nested (100), *deeper = nested (20000), *deepest = nested (100000);

  assert_xml_error (deep, "nested deeper than 64");
  assert_xml_error (deeper, "malformed");
  assert_xml_error (deepest, "tags");
}

static void
test_size (void)
{
  g_autofree char *blanks = g_strnfill (5 * 1024 * 1024, ' ');
  g_autofree char *xml = g_strconcat ("<domain type='xen'>", blanks, "</domain>", NULL);

  assert_xml_error (xml, "larger than");
}

/* Whichever byte changes, the result is a definition or an error. */
static void
test_mutations (void)
{
  static const char values[] = { '<', '>', '&', '\'', '/', ' ', '9', '-', (char)0x80, (char)0xff };
  gsize length = strlen (running);

  for (gsize at = 0; at < length; at++) {
    for (gsize v = 0; v < G_N_ELEMENTS (values); v++) {
      g_autofree char *copy = g_strdup (running);
      g_autoptr (GError) error = NULL;
      g_autoptr (XfDomainDef) def = NULL;

      copy[at] = values[v];
      def = xf_domain_def_parse (copy, XF_DOMAIN_PARSE_NONE, &error);
      g_assert_true ((def == NULL) == (error != NULL));
    }
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/domain-def/facts", test_facts);
  g_test_add_func ("/domain-def/inactive", test_inactive);
  g_test_add_func ("/domain-def/live", test_live);
  g_test_add_func ("/domain-def/secrets", test_secrets);
  g_test_add_func ("/domain-def/idempotent", test_idempotent);
  g_test_add_func ("/domain-def/generated", test_generated);
  g_test_add_func ("/domain-def/renamed", test_renamed);
  g_test_add_func ("/domain-def/metadata", test_metadata);
  g_test_add_func ("/domain-def/abi", test_abi);
  g_test_add_func ("/domain-def/abi-features", test_abi_features);
  g_test_add_func ("/domain-def/entity-bomb", test_entity_bomb);
  g_test_add_func ("/domain-def/growth", test_growth);
  g_test_add_func ("/domain-def/depth", test_depth);
  g_test_add_func ("/domain-def/size", test_size);
  g_test_add_func ("/domain-def/mutations", test_mutations);
  return g_test_run ();
}
