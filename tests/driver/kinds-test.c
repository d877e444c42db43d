/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The kinds of resources on a simulated host, each as it is, wanted as best effort, and missing; deadlines, policies.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <libvirt/libvirt.h>
#include <libxl_utils.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "conf/cookie.h"
#include "conf/wants.h"
#include "host.h"
#include "libxl/convert/config.h"
#include "libxl/convert/features.h"
#include "libxl/guest/driver_private.h"
#include "libxl/resource/resource.h"

#define MAC "00:16:3e:00:00:01"

typedef struct {
  Host *host;
  XfDriver *driver;
  char *image; /* of a disk, on a file system that no other host can have */

  XfDomainDef *def;
  libxl_domain_config config;
  GHashTable *facts;
  uint32_t domid;
  guint flags;
  XfResources *set;

  gboolean done;
  GError *error;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  int fd;

  fixture->host = host_new ();
  fixture->driver = fixture->host->driver;
  fixture->image = g_strdup ("/dev/shm/xf-kinds-XXXXXX");
  fd = g_mkstemp (fixture->image);
  g_assert_cmpint (ftruncate (fd, 1 << 20), ==, 0);
  close (fd);
  fixture->facts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  libxl_domain_config_init (&fixture->config);
}

static void
drop_guest (Fixture *fixture)
{
  g_clear_pointer (&fixture->set, xf_resources_free);
  g_clear_pointer (&fixture->def, xf_domain_def_free);
  g_clear_error (&fixture->error);
  libxl_domain_config_dispose (&fixture->config);
  libxl_domain_config_init (&fixture->config);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  drop_guest (fixture);
  libxl_domain_config_dispose (&fixture->config);
  g_hash_table_unref (fixture->facts);
  g_unlink (fixture->image);
  g_free (fixture->image);
  host_free (fixture->host);
}

/* ---- a guest and its resources ---------------------------------------------------------------------------- */

/* @wants: resource elements of its metadata, or NULL. */
static void
guest (Fixture *fixture, const char *type, const char *wants, const char *devices)
{
  g_autofree char *xml = g_strdup_printf (
    "<domain type='xen'><name>g</name><uuid>c7a5fdb2-cdaf-9455-926a-d65c16db1809</uuid>"
    "<metadata><xf:resources xmlns:xf='" XF_WANTS_NAMESPACE "'%s</xf:resources></metadata>"
    "<memory unit='MiB'>16</memory><vcpu>1</vcpu><os><type "
    "arch='x86_64'>%s</type><kernel>/bin/sh</kernel></os><devices>%s</devices></domain>",
    wants ? wants : ">", type, devices ? devices : "");
  g_autoptr (GError) error = NULL;

  drop_guest (fixture);
  fixture->def = xf_domain_def_parse (xml, XF_DOMAIN_PARSE_INACTIVE, &error);
  g_assert_no_error (error);
  g_assert_true (xf_config_from_def (fixture->def, &fixture->config, &error));
  g_assert_no_error (error);
}

static void
done (const GError *error, gpointer data)
{
  Fixture *fixture = data;

  g_assert_false (fixture->done);
  fixture->done = TRUE;
  fixture->error = error ? g_error_copy (error) : NULL;
}

static void
make_set (Fixture *fixture, XfSide side)
{
  const XfResourceGuest about = {
    side, NULL, "there", fixture->def, &fixture->config, fixture->flags, &fixture->domid
  };
  g_autoptr (GError) error = NULL;

  g_clear_pointer (&fixture->set, xf_resources_free);
  fixture->set = xf_resources_new (fixture->driver, &about, &error);
  g_assert_no_error (error);
  xf_resources_take_facts (fixture->set, fixture->facts);
}

static void
run_on (Fixture *fixture, XfVerb verb)
{
  g_clear_error (&fixture->error);
  fixture->done = FALSE;
  xf_resources_run (fixture->set, verb, done, fixture);
  host_wait (fixture->done);
  if (fixture->error)
    g_test_message ("%s", fixture->error->message);
}

static void
run (Fixture *fixture, XfSide side, XfVerb verb)
{
  make_set (fixture, side);
  run_on (fixture, verb);
}

static void
check (Fixture *fixture)
{
  run (fixture, XF_SIDE_DESTINATION, XF_VERB_CHECK);
}

/* Nothing is wrong with @resource, not even in a warning. */
static void
assert_fine (Fixture *fixture, const char *resource)
{
  const GPtrArray *findings = xf_resources_findings (fixture->set);

  g_assert_no_error (fixture->error);
  for (guint i = 0; i < findings->len; i++) {
    const XfFinding *finding = findings->pdata[i];

    if (g_str_equal (finding->resource, resource))
      g_error ("%s: %s", finding->resource, finding->text);
  }
}

/* The last step is blocked by @resource, and the error has @text, the name of the host, and what to do. */
static void
assert_blocks (Fixture *fixture, const char *resource, const char *text)
{
  g_autofree char *start = g_strconcat (resource, ": ", NULL);

  g_assert_nonnull (fixture->error);
  g_assert_nonnull (strstr (fixture->error->message, start));
  g_assert_nonnull (strstr (fixture->error->message, text));
  g_assert_nonnull (strstr (fixture->error->message, fixture->driver->hostname));
}

/* The same as a warning alone. */
static void
assert_warns (Fixture *fixture, const char *resource, const char *text)
{
  g_autofree char *warnings = xf_resources_warnings (fixture->set), *start = g_strconcat (resource, ": ", NULL);

  g_assert_no_error (fixture->error);
  g_assert_nonnull (warnings);
  g_test_message ("%s", warnings);
  g_assert_nonnull (strstr (warnings, start));
  g_assert_nonnull (strstr (warnings, text));
}

static void
tell_fact (Fixture *fixture, const char *name, const char *value)
{
  g_hash_table_replace (fixture->facts, g_strdup (name), g_strdup (value));
}

/* Checks a guest that lacks something: as it is, as best effort, and ignored. */
static void
check_missing (Fixture *fixture, const char *type, const char *devices, const char *resource, const char *text)
{
  static const char *const wants[] = { "mandatory", "best-effort", "ignore" };

  for (guint i = 0; i < G_N_ELEMENTS (wants); i++) {
    g_autofree char *said = g_strdup_printf ("><xf:resource name='%s' want='%s'/>", resource, wants[i]);

    guest (fixture, type, said, devices);
    check (fixture);
    if (i == 0)
      assert_blocks (fixture, resource, text);
    else if (i == 1)
      assert_warns (fixture, resource, text);
    else
      assert_fine (fixture, resource);
  }
}

/* ---- disks ------------------------------------------------------------------------------------------------ */

static char *
disk_xml (const char *path, const char *more)
{
  return g_strdup_printf ("<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='%s'/>"
                          "<target dev='xvda'/>%s</disk>",
                          path, more);
}

static void
check_disk (Fixture *fixture, const char *path, const char *more)
{
  g_autofree char *xml = disk_xml (path, more);

  guest (fixture, "xenpvh", NULL, xml);
  check (fixture);
}

static void
test_disk (Fixture *fixture, gconstpointer data)
{
  g_autofree char *none = g_build_filename (fixture->host->dir, "none", NULL), *xml = disk_xml (none, "");
  g_autofree char *pipe = g_build_filename (fixture->host->dir, "pipe", NULL);
  g_autofree char *phy = g_strdup_printf ("<disk type='block'><driver name='phy'/><source dev='%s'/>"
                                          "<target dev='xvda'/></disk>",
                                          fixture->image);

  check_disk (fixture, fixture->image, "");
  assert_fine (fixture, "disk:xvda");
  check_missing (fixture, "xenpvh", xml, "disk:xvda", "make it available there");
  check_disk (fixture, fixture->host->dir, "");
  assert_blocks (fixture, "disk:xvda", "a directory");
  g_assert_cmpint (mkfifo (pipe, 0600), ==, 0);
  check_disk (fixture, pipe, "");
  assert_blocks (fixture, "disk:xvda", "neither a file nor a block device");
  guest (fixture, "xenpvh", NULL, phy);
  check (fixture);
  assert_blocks (fixture, "disk:xvda", "block device, which driver 'phy' needs");
}

static void
test_disk_size (Fixture *fixture, gconstpointer data)
{
  g_autofree char *xml = disk_xml (fixture->image, "");

  guest (fixture, "xenpvh", NULL, xml);
  run (fixture, XF_SIDE_SOURCE, XF_VERB_TELL);
  g_assert_cmpstr (g_hash_table_lookup (xf_resources_facts (fixture->set), "disk:xvda size"), ==, "1048576");
  tell_fact (fixture, "disk:xvda size", "1048576");
  check (fixture);
  assert_fine (fixture, "disk:xvda");
  tell_fact (fixture, "disk:xvda size", "1048577");
  check_missing (fixture, "xenpvh", xml, "disk:xvda", "1048577 on host 'there'");
  g_assert_nonnull (strstr (xml, fixture->image));
  /* A peer's nonsense says nothing. */
  tell_fact (fixture, "disk:xvda size", "much");
  check_disk (fixture, fixture->image, "");
  assert_fine (fixture, "disk:xvda");
}

/* A file of this host alone cannot be the source's; one that several hosts share has the same number. */
static void
test_disk_file (Fixture *fixture, gconstpointer data)
{
  static const struct {
    const char *told;
    gboolean fine;
  } cases[] = {
    { "ef53 0123456789abcdef 5", FALSE }, /* ext4 there, tmpfs here */
    { "1021994 0000000000000000 1", FALSE },
    { "6969 0000000000000000 1", TRUE }, /* it may be this one, exported */
    { "ef53", TRUE },
    { "", TRUE },
  };
  g_autofree char *xml = disk_xml (fixture->image, ""), *own = NULL;

  guest (fixture, "xenpvh", NULL, xml);
  run (fixture, XF_SIDE_SOURCE, XF_VERB_TELL);
  own = g_strdup (g_hash_table_lookup (xf_resources_facts (fixture->set), "disk:xvda file"));
  g_assert_true (g_str_has_prefix (own, "1021994 "));
  tell_fact (fixture, "disk:xvda file", own);
  check (fixture);
  assert_fine (fixture, "disk:xvda");
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    tell_fact (fixture, "disk:xvda file", cases[i].told);
    check_disk (fixture, fixture->image, "");
    if (cases[i].fine)
      assert_fine (fixture, "disk:xvda");
    else
      assert_blocks (fixture, "disk:xvda", "is not the file that the guest has on host 'there'");
    check_disk (fixture, fixture->image, "<readonly/>"); /* a copy does */
    assert_fine (fixture, "disk:xvda");
  }
}

static void
write_image (Fixture *fixture, const void *bytes, gsize length, off_t offset)
{
  xf_autofd fd = open (fixture->image, O_WRONLY);

  g_assert_cmpint (pwrite (fd, bytes, length, offset), ==, (gssize)length);
}

static void
test_disk_format (Fixture *fixture, gconstpointer data)
{
  static const char qcow2[32] = "QFI\xfb\0\0\0\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\20\0\0\0\0\0\x40\0\0";
  g_autofree char *xml = g_strdup_printf ("<disk type='file'><driver name='qemu' type='qcow2'/><source file='%s'/>"
                                          "<target dev='xvda'/></disk>",
                                          fixture->image);

  check_missing (fixture, "xenpvh", xml, "disk:xvda", "has no header of a qcow2 image");
  write_image (fixture, qcow2, sizeof (qcow2), 0);
  guest (fixture, "xenpvh", NULL, xml);
  check (fixture);
  assert_fine (fixture, "disk:xvda");
  /* The size is the guest's: the file grows while the guest runs. */
  run (fixture, XF_SIDE_SOURCE, XF_VERB_TELL);
  g_assert_cmpstr (g_hash_table_lookup (xf_resources_facts (fixture->set), "disk:xvda size"), ==, "4194304");
  write_image (fixture, "\1", 1, 7); /* the version of the older format */
  guest (fixture, "xenpvh", NULL, xml);
  check (fixture);
  assert_blocks (fixture, "disk:xvda", "has no header of a qcow2 image");
}

/* Needs a block device that this user can read. */
static void
test_disk_device (Fixture *fixture, gconstpointer data)
{
  static const char *const told[] = { "wwid=naa.2", "dm=LVM-abc" };
  xf_autofd fd = open ("/dev/loop0", O_RDONLY | O_NONBLOCK);
  g_autofree char *xml = NULL;

  if (fd < 0 || access ("/dev/loop0", W_OK) < 0) {
    g_test_skip ("/dev/loop0 cannot be opened");
    return;
  }
  xml = g_strdup ("<disk type='block'><driver name='phy'/><source dev='/dev/loop0'/><target dev='xvda'/></disk>");
  host_write_file (fixture->host, "sys/dev/block/7:0/wwid", "naa.1\n");
  for (guint i = 0; i < G_N_ELEMENTS (told); i++) {
    tell_fact (fixture, "disk:xvda id", told[i]);
    guest (fixture, "xenpvh", NULL, xml);
    check (fixture);
    if (i == 0)
      assert_blocks (fixture, "disk:xvda", "wwid=naa.2 on host 'there'");
    else
      assert_fine (fixture, "disk:xvda"); /* of another sort: it cannot be compared */
  }
  tell_fact (fixture, "disk:xvda id", "wwid=naa.1");
  check (fixture);
  assert_fine (fixture, "disk:xvda");
}

static void
start_other (Fixture *fixture, const char *more)
{
  g_autofree char *disk = disk_xml (fixture->image, more);
  g_autofree char *xml = g_strdup_printf ("<domain type='xen'><name>other</name><memory unit='MiB'>16</memory>"
                                          "<vcpu>1</vcpu><os><type>xenpvh</type><kernel>/k</kernel></os>"
                                          "<devices>%s</devices></domain>",
                                          disk);
  g_autoptr (GError) error = NULL;

  g_assert_true (host_create (fixture->host, xml, 0, &error));
  g_assert_no_error (error);
}

static void
test_disk_in_use (Fixture *fixture, gconstpointer data)
{
  g_autofree char *link = g_build_filename (fixture->host->dir, "link", NULL), *xml = disk_xml (fixture->image, "");
  g_autofree char *by_link = disk_xml (link, "");

  g_assert_cmpint (symlink (fixture->image, link), ==, 0);
  start_other (fixture, "");
  check_missing (fixture, "xenpvh", xml, "disk:xvda", "in use by domain 'other'");
  check_missing (fixture, "xenpvh", by_link, "disk:xvda", "in use by domain 'other'");
  check_disk (fixture, fixture->image, "<shareable/>"); /* the other one does not share it */
  assert_blocks (fixture, "disk:xvda", "in use by domain 'other'");
  check_disk (fixture, fixture->image, "<readonly/>");
  assert_fine (fixture, "disk:xvda");
}

static void
test_disk_shared (Fixture *fixture, gconstpointer data)
{
  start_other (fixture, "<shareable/>");
  check_disk (fixture, fixture->image, "<shareable/>");
  assert_fine (fixture, "disk:xvda");
  check_disk (fixture, fixture->image, "");
  assert_blocks (fixture, "disk:xvda", "in use by domain 'other'");
}

static void
test_disk_elsewhere (Fixture *fixture, gconstpointer data)
{
  check_disk (fixture, "/nonexistent", "<backenddomain name='storage'/>");
  assert_warns (fixture, "disk:xvda", "domain 'storage' serves it");
  guest (fixture, "hvm", NULL, "<disk type='file' device='cdrom'><target dev='hdc'/></disk>");
  check (fixture);
  assert_fine (fixture, "disk:hdc");
}

/* Storage that does not answer costs a step its time, and what it answers later changes nothing. */
static void
test_disk_hangs (Fixture *fixture, gconstpointer data)
{
  g_autofree char *xml = disk_xml (fixture->image, "");
  gint64 start = g_get_monotonic_time ();

  guest (fixture, "xenpvh", "><xf:resource name='disk' deadline='1'/>", xml);
  host_set_control (fixture->host, "pause=resource:disk\n");
  check (fixture);
  assert_blocks (fixture, "disk:xvda", "has not ended within its time");
  g_assert_error (fixture->error, XF_ERROR, XF_ERROR_TIMEOUT);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, G_USEC_PER_SEC);
  guest (fixture, "xenpvh", "><xf:resource name='disk' deadline='1' want='best-effort'/>", xml);
  check (fixture);
  assert_warns (fixture, "disk:xvda", "has not ended within its time");
  /* A set that ends meanwhile is not called back, either. */
  make_set (fixture, XF_SIDE_DESTINATION);
  fixture->done = FALSE;
  xf_resources_run (fixture->set, XF_VERB_CHECK, done, fixture);
  host_idle (50);
  g_clear_pointer (&fixture->set, xf_resources_free);
  host_set_control (fixture->host, "");
  host_idle (100);
  g_assert_false (fixture->done);
  check (fixture);
  assert_fine (fixture, "disk:xvda");
}

/* The storage of another guest is no reason to stay. */
static void
test_disk_of_other_hangs (Fixture *fixture, gconstpointer data)
{
  g_autofree char *xml = disk_xml (fixture->image, "");

  start_other (fixture, "");
  guest (fixture, "xenpvh", "><xf:resource name='disk' deadline='1'/>", xml);
  host_set_control (fixture->host, "pause=resource:disk-use\n");
  check (fixture);
  assert_warns (fixture, "disk:xvda", "of domain 'other' does not answer");
  host_set_control (fixture->host, "");
  host_idle (50);
}

/* More disks than there are threads. */
static void
test_disk_many (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GString) xml = g_string_new (NULL);

  for (guint i = 0; i < 150; i++)
    g_string_append_printf (xml,
                            "<disk type='file'><driver name='qemu' type='raw'/><source file='%s'/><target dev='d%u'/>"
                            "<readonly/></disk>",
                            fixture->image, i);
  guest (fixture, "xenpvh", NULL, xml->str);
  check (fixture);
  assert_fine (fixture, "disk:d149");
  host_set_control (fixture->host, "pause=resource:disk\n");
  guest (fixture, "xenpvh", "><xf:resource name='disk' deadline='1'/>", xml->str);
  check (fixture);
  assert_blocks (fixture, "disk:d0", "has not ended within its time");
  assert_blocks (fixture, "disk:d149", "has not ended within its time");
  host_set_control (fixture->host, "");
  host_idle (100);
  check (fixture);
  assert_fine (fixture, "disk:d149");
}

/* ---- interfaces ------------------------------------------------------------------------------------------- */

static char *
nic_xml (const char *inside)
{
  return g_strdup_printf ("<interface type='bridge'><mac address='" MAC "'/>%s</interface>", inside);
}

static void
check_nic (Fixture *fixture, const char *inside)
{
  g_autofree char *xml = nic_xml (inside);

  guest (fixture, "xenpvh", NULL, xml);
  check (fixture);
}

static void
test_interface (Fixture *fixture, gconstpointer data)
{
  g_autofree char *none = nic_xml ("<source bridge='br7'/>");

  check_nic (fixture, "<source bridge='xenbr0'/>");
  assert_fine (fixture, "interface:" MAC);
  check_missing (fixture, "xenpvh", none, "interface:" MAC, "bridge 'br7' does not exist");
  host_write_file (fixture->host, "sys/class/net/br7/address", "");
  check_nic (fixture, "<source bridge='br7'/>");
  assert_blocks (fixture, "interface:" MAC, "is a device of another kind");
  host_write_file (fixture->host, "sys/class/net/eth3/bridge/bridge_id", "");
  check_nic (fixture, "<source bridge='xenbr3'/>");
  assert_fine (fixture, "interface:" MAC);
  host_write_file (fixture->host, "sys/class/net/web/address", "");
  check_nic (fixture, "<source bridge='xenbr0'/><target dev='web'/>");
  assert_blocks (fixture, "interface:" MAC, "already has a network device 'web'");
  check_nic (fixture, "<source bridge='br9'/><backenddomain name='net'/>");
  assert_warns (fixture, "interface:" MAC, "domain 'net' serves it");
}

static void
test_interface_script (Fixture *fixture, gconstpointer data)
{
  g_autofree char *own = g_build_filename (fixture->host->dir, "own", NULL);
  g_autofree char *with_own = g_strdup_printf ("<source bridge='none'/><script path='%s'/>", own);

  check_nic (fixture, with_own);
  assert_blocks (fixture, "interface:" MAC, "install it there");
  host_write_file (fixture->host, "own", "");
  check_nic (fixture, with_own); /* what it needs is known to it alone */
  assert_fine (fixture, "interface:" MAC);
  g_assert_cmpint (chmod (own, 0644), ==, 0);
  check_nic (fixture, with_own);
  assert_blocks (fixture, "interface:" MAC, "is not executable");
  check_nic (fixture, "<source bridge='ovs0'/><script path='vif-openvswitch'/>");
  assert_blocks (fixture, "interface:" MAC, "scripts/vif-openvswitch' cannot be used");
}

static void
test_interface_ovs (Fixture *fixture, gconstpointer data)
{
  host_write_file (fixture->host, "scripts/vif-openvswitch", "");
  host_write_file (fixture->host, "sys/class/net/ovs0/address", "");
  check_nic (fixture, "<source bridge='ovs0.12:3:4'/><script path='vif-openvswitch'/>");
  assert_fine (fixture, "interface:" MAC);
  check_nic (fixture, "<source bridge='ovs1'/><script path='vif-openvswitch'/>");
  assert_blocks (fixture, "interface:" MAC, "Open vSwitch bridge 'ovs1' does not exist");
  check_nic (fixture, "<source bridge='xenbr0'/><script path='vif-openvswitch'/>");
  assert_blocks (fixture, "interface:" MAC, "is a device of another kind");
}

/* ---- CPUs ------------------------------------------------------------------------------------------------- */

#define FEW "hw-cap=bfebfbff-77fef3ff-2c100800-00000121-0000000f-f1bf0788-00405f4e-00000100\n"

static uint32_t
start_guest (Fixture *fixture, const char *name)
{
  g_autofree char *xml = host_xml (name, NULL, NULL);
  g_autoptr (XfDomainRef) ref = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (host_create (fixture->host, xml, 0, &error));
  g_assert_no_error (error);
  ref = xf_driver_lookup_name (fixture->driver, name, NULL);
  return (uint32_t)ref->id;
}

static const char *
told_features (Fixture *fixture)
{
  run (fixture, XF_SIDE_SOURCE, XF_VERB_TELL);
  return g_hash_table_lookup (xf_resources_facts (fixture->set), "cpu features");
}

static void
test_cpu_features (Fixture *fixture, gconstpointer data)
{
  g_autofree char *own = xf_features_of_host (xf_ctx_libxl (fixture->driver->ctx)), *few = NULL;

  fixture->domid = start_guest (fixture, "runs");
  guest (fixture, "hvm", NULL, NULL);
  g_assert_cmpstr (told_features (fixture), ==, own);
  tell_fact (fixture, "cpu features", own);
  check (fixture);
  assert_fine (fixture, "cpu");
  host_set_control (fixture->host, FEW);
  few = xf_features_of_host (xf_ctx_libxl (fixture->driver->ctx));
  check_missing (fixture, "hvm", NULL, "cpu", "fsgsbase");
  tell_fact (fixture, "cpu features", "no features");
  guest (fixture, "hvm", NULL, NULL);
  check (fixture);
  g_assert_nonnull (fixture->error);

  /* A guest from a host with less, here on one with more, can go back. */
  host_set_control (fixture->host, "");
  tell_fact (fixture, "cpu features", few);
  check (fixture);
  assert_fine (fixture, "cpu");
  run_on (fixture, XF_VERB_COMMIT);
  assert_fine (fixture, "cpu");
  g_assert_cmpstr (told_features (fixture), ==, few);
}

static void
test_cpu_number (Fixture *fixture, gconstpointer data)
{
  guest (fixture, "hvm", NULL, NULL);
  fixture->config.b_info.max_vcpus = 129;
  check (fixture);
  assert_blocks (fixture, "cpu", "at most 128");
  fixture->config.b_info.max_vcpus = 128;
  if (sysconf (_SC_NPROCESSORS_ONLN) >= 128)
    return;
  check (fixture);
  assert_warns (fixture, "cpu", "the guest has 128 vCPUs");
}

static void
test_type (Fixture *fixture, gconstpointer data)
{
  guest (fixture, "xenpvh", NULL, NULL);
  check (fixture);
  assert_fine (fixture, "type");
  host_set_control (fixture->host, "hap=0\nshadow=0\n");
  guest (fixture, "xenpvh", "><xf:resource name='type' want='ignore'/>", NULL);
  fixture->flags = VIR_MIGRATE_UNSAFE; /* nothing changes that */
  check (fixture);
  assert_blocks (fixture, "type", "does not run PVH or HVM guests");
  g_assert_null (strstr (fixture->error->message, "--unsafe"));
  guest (fixture, "linux", NULL, NULL);
  check (fixture);
  assert_fine (fixture, "type");
}

static void
test_pool (Fixture *fixture, gconstpointer data)
{
  static const struct {
    const char *pools, *wrong;
  } cases[] = {
    { "", "does not exist" },
    { "cpu-pools=Pool-0 fast:\n", "has no CPUs" },
    { "cpu-pools=Pool-0 fast:1\n", NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    host_set_control (fixture->host, cases[i].pools);
    for (guint lax = 0; lax < 2; lax++) {
      guest (fixture, "xenpvh", lax ? "><xf:resource name='pool' want='best-effort'/>" : NULL, NULL);
      fixture->config.c_info.pool_name = strdup ("fast");
      check (fixture);
      if (!cases[i].wrong)
        assert_fine (fixture, "pool");
      else if (!lax)
        assert_blocks (fixture, "pool", cases[i].wrong);
      else
        assert_warns (fixture, "pool", cases[i].wrong);
      if (fixture->error)
        continue;
      run_on (fixture, XF_VERB_PREPARE); /* libxl would fail */
      g_assert_no_error (fixture->error);
      g_assert_cmpstr (fixture->config.c_info.pool_name, ==, cases[i].wrong ? NULL : "fast");
    }
  }
}

static void
pin (Fixture *fixture, int cpu)
{
  libxl_domain_build_info *info = &fixture->config.b_info;

  info->num_vcpu_hard_affinity = 1;
  info->vcpu_hard_affinity = calloc (1, sizeof (libxl_bitmap));
  libxl_bitmap_init (info->vcpu_hard_affinity);
  libxl_bitmap_alloc (xf_ctx_libxl (fixture->driver->ctx), info->vcpu_hard_affinity, 1024);
  libxl_bitmap_set (info->vcpu_hard_affinity, cpu);
}

static void
test_numa (Fixture *fixture, gconstpointer data)
{
  guest (fixture, "xenpvh", NULL, NULL);
  pin (fixture, 0);
  check (fixture);
  assert_fine (fixture, "numa");
  for (guint strict = 0; strict < 2; strict++) {
    guest (fixture, "xenpvh", strict ? "><xf:resource name='numa' want='mandatory'/>" : NULL, NULL);
    pin (fixture, 1000);
    fixture->config.b_info.vcpu_soft_affinity = fixture->config.b_info.vcpu_hard_affinity;
    fixture->config.b_info.num_vcpu_soft_affinity = 1;
    fixture->config.b_info.vcpu_hard_affinity = NULL;
    fixture->config.b_info.num_vcpu_hard_affinity = 0;
    pin (fixture, 1000);
    fixture->config.b_info.num_vnuma_nodes = 1;
    fixture->config.b_info.vnuma_nodes = calloc (1, sizeof (libxl_vnode_info));
    libxl_vnode_info_init (fixture->config.b_info.vnuma_nodes);
    fixture->config.b_info.vnuma_nodes[0].pnode = 7;
    check (fixture);
    if (strict) {
      assert_blocks (fixture, "numa", "vCPU 0 is pinned to CPUs that its pool does not have");
      continue;
    }
    assert_warns (fixture, "numa", "vCPU 0 is pinned");
    assert_warns (fixture, "numa", "vCPU 0 prefers CPUs that its pool does not have");
    assert_warns (fixture, "numa", "virtual node 0 is on node 7");
    run_on (fixture, XF_VERB_PREPARE);
    g_assert_true (libxl_bitmap_test (fixture->config.b_info.vcpu_hard_affinity, 0));
    g_assert_false (libxl_bitmap_test (fixture->config.b_info.vcpu_hard_affinity, 1000));
    g_assert_true (libxl_bitmap_test (fixture->config.b_info.vcpu_soft_affinity, 0));
    g_assert_cmpuint (fixture->config.b_info.vnuma_nodes[0].pnode, ==, 0);
  }
}

/* ---- devices of the host ---------------------------------------------------------------------------------- */

static void
give_pci (Fixture *fixture)
{
  fixture->config.num_pcidevs = 1;
  fixture->config.pcidevs = calloc (1, sizeof (libxl_device_pci));
  libxl_device_pci_init (fixture->config.pcidevs);
  fixture->config.pcidevs[0].bus = 3;
}

static int
count_pci (Fixture *fixture)
{
  libxl_domain_config config;
  int n;

  libxl_domain_config_init (&config);
  g_assert_cmpint (
    libxl_retrieve_domain_configuration (xf_ctx_libxl (fixture->driver->ctx), fixture->domid, &config, NULL), ==, 0);
  n = config.num_pcidevs;
  libxl_domain_config_dispose (&config);
  return n;
}

#define PCI "pci:0000:03:00.0"

static void
test_pci_source (Fixture *fixture, gconstpointer data)
{
  static const char *const wants[] = { NULL, "><xf:resource name='" PCI "' want='best-effort'/>",
                                       "><xf:resource name='pci' want='ignore'/>" };

  for (guint i = 0; i < G_N_ELEMENTS (wants); i++) {
    guest (fixture, "hvm", wants[i], NULL);
    give_pci (fixture);
    run (fixture, XF_SIDE_SOURCE, XF_VERB_CHECK);
    if (i == 0)
      assert_blocks (fixture, PCI, "xl pci-detach");
    else if (i == 1)
      assert_warns (fixture, PCI, "xl pci-detach");
    else
      assert_fine (fixture, PCI);
  }
}

static void
test_pci_destination (Fixture *fixture, gconstpointer data)
{
  fixture->domid = start_guest (fixture, "runs");
  guest (fixture, "hvm", NULL, NULL);
  give_pci (fixture);
  check (fixture);
  assert_blocks (fixture, PCI, "xl pci-assignable-add");
  for (guint there = 0; there < 2; there++) {
    host_set_control (fixture->host, there ? "pci-assignable=0000:03:00.0\n" : "");
    guest (fixture, "hvm", "><xf:resource name='pci' want='best-effort'/>", NULL);
    give_pci (fixture);
    check (fixture);
    if (there)
      assert_fine (fixture, PCI);
    else
      assert_warns (fixture, PCI, "xl pci-assignable-add");
    run_on (fixture, XF_VERB_PREPARE); /* libxl's restore would fail on it */
    g_assert_cmpint (fixture->config.num_pcidevs, ==, 0);
    run_on (fixture, XF_VERB_COMMIT);
    g_assert_no_error (fixture->error);
    g_assert_cmpint (count_pci (fixture), ==, (int)there);
  }
  /* It cannot be attached. */
  fixture->domid = 4711;
  make_set (fixture, XF_SIDE_DESTINATION);
  run_on (fixture, XF_VERB_COMMIT);
  g_assert_no_error (fixture->error);
  guest (fixture, "hvm", NULL, NULL);
  give_pci (fixture);
  run (fixture, XF_SIDE_DESTINATION, XF_VERB_COMMIT);
  assert_blocks (fixture, PCI, "could not be attached");
}

/* A paused PV guest cannot answer: its restore attaches the device, if there is one. */
static void
test_pci_pv (Fixture *fixture, gconstpointer data)
{
  for (guint there = 0; there < 2; there++) {
    host_set_control (fixture->host, there ? "pci-assignable=0000:03:00.0\n" : "");
    guest (fixture, "linux", "><xf:resource name='pci' want='best-effort'/>", NULL);
    give_pci (fixture);
    run (fixture, XF_SIDE_DESTINATION, XF_VERB_PREPARE);
    g_assert_cmpint (fixture->config.num_pcidevs, ==, (int)there);
    run_on (fixture, XF_VERB_COMMIT);
    assert_fine (fixture, PCI);
  }
}

static void
plug (Fixture *fixture, const char *address)
{
  host_write_file (fixture->host, "sys/bus/usb/devices/1-1/busnum", "1\n");
  host_write_file (fixture->host, "sys/bus/usb/devices/1-1/devnum", address);
  host_write_file (fixture->host, "sys/bus/usb/devices/1-1/idVendor", "046d\n");
  host_write_file (fixture->host, "sys/bus/usb/devices/1-1/idProduct", "c52b\n");
}

static void
give_usb (Fixture *fixture)
{
  fixture->config.num_usbdevs = 1;
  fixture->config.usbdevs = calloc (1, sizeof (libxl_device_usbdev));
  libxl_device_usbdev_init (fixture->config.usbdevs);
  libxl_device_usbdev_init_type (fixture->config.usbdevs, LIBXL_USBDEV_TYPE_HOSTDEV);
  fixture->config.usbdevs[0].u.hostdev.hostbus = 1;
  fixture->config.usbdevs[0].u.hostdev.hostaddr = 4;
}

static void
test_usb (Fixture *fixture, gconstpointer data)
{
  libxl_domain_config config;

  fixture->domid = start_guest (fixture, "runs");
  plug (fixture, "4\n");
  guest (fixture, "hvm", NULL, NULL);
  give_usb (fixture);
  run (fixture, XF_SIDE_SOURCE, XF_VERB_TELL);
  g_assert_cmpstr (g_hash_table_lookup (xf_resources_facts (fixture->set), "usb:1.4 id"), ==, "046d:c52b");
  tell_fact (fixture, "usb:1.4 id", "dead:beef");
  check (fixture);
  assert_warns (fixture, "usb:1.4", "USB device dead:beef is not plugged into host");
  run_on (fixture, XF_VERB_PREPARE);
  g_assert_cmpint (fixture->config.num_usbdevs, ==, 0);
  run_on (fixture, XF_VERB_COMMIT);
  g_assert_no_error (fixture->error);
  guest (fixture, "hvm", "><xf:resource name='usb' want='mandatory'/>", NULL);
  give_usb (fixture);
  check (fixture);
  assert_blocks (fixture, "usb:1.4", "USB device dead:beef is not plugged into host");

  /* The same device has another address here. */
  plug (fixture, "9\n");
  tell_fact (fixture, "usb:1.4 id", "046d:c52b");
  check (fixture);
  assert_fine (fixture, "usb:1.4");
  run_on (fixture, XF_VERB_PREPARE);
  run_on (fixture, XF_VERB_COMMIT);
  assert_fine (fixture, "usb:1.4");
  libxl_domain_config_init (&config);
  g_assert_cmpint (
    libxl_retrieve_domain_configuration (xf_ctx_libxl (fixture->driver->ctx), fixture->domid, &config, NULL), ==, 0);
  g_assert_cmpint (config.num_usbdevs, ==, 1);
  g_assert_cmpuint (config.usbdevs[0].u.hostdev.hostaddr, ==, 9);
  libxl_domain_config_dispose (&config);
}

static void
test_vtpm (Fixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < 4; i++) {
    XfSide side = i & 1 ? XF_SIDE_SOURCE : XF_SIDE_DESTINATION;

    guest (fixture, "hvm", i & 2 ? "><xf:resource name='vtpm' want='best-effort'/>" : NULL, NULL);
    fixture->config.num_vtpms = 1;
    fixture->config.vtpms = calloc (1, sizeof (libxl_device_vtpm));
    libxl_device_vtpm_init (fixture->config.vtpms);
    run (fixture, side, XF_VERB_CHECK);
    if (i & 2)
      assert_warns (fixture, "vtpm", "virtual TPM");
    else
      g_assert_error (fixture->error, XF_ERROR, XF_ERROR_OPERATION_UNSUPPORTED);
    if (i != 2)
      continue;
    run_on (fixture, XF_VERB_PREPARE);
    g_assert_cmpint (fixture->config.num_vtpms, ==, 0);
  }
}

/* ---- programs and ports ----------------------------------------------------------------------------------- */

static void
test_firmware (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->host->dir, "qemu", NULL);
  g_autofree char *xml = g_strdup_printf ("<emulator>%s</emulator>", path);

  check_missing (fixture, "hvm", xml, "firmware", "device model");
  host_write_file (fixture->host, "qemu", "");
  guest (fixture, "hvm", NULL, xml);
  check (fixture);
  assert_fine (fixture, "firmware");
  guest (fixture, "xenpvh", NULL, NULL);
  free (fixture->config.b_info.kernel);
  fixture->config.b_info.kernel = strdup ("/nonexistent/vmlinuz");
  check (fixture);
  assert_warns (fixture, "firmware", "cannot be started again there: kernel '/nonexistent/vmlinuz'");
}

/* A listening socket on a port that VNC can have. */
static int
listen_somewhere (int *port_out)
{
  for (int port = 5900 + 100; port < 7000; port++) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons ((uint16_t)port) };
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    if (bind (fd, (struct sockaddr *)&address, sizeof (address)) == 0 && listen (fd, 1) == 0) {
      *port_out = port;
      return fd;
    }
    close (fd);
  }
  g_error ("no free port");
}

static void
test_graphics (Fixture *fixture, gconstpointer data)
{
  static const char *const types[] = { "hvm", "linux" };
  int port = 0, fd = listen_somewhere (&port);
  g_autofree char *xml = g_strdup_printf ("<graphics type='vnc' port='%d' listen='127.0.0.1'/>", port);
  g_autofree char *elsewhere = g_strdup_printf ("<graphics type='vnc' port='%d' listen='192.0.2.1'/>", port);

  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    check_missing (fixture, types[i], xml, "graphics", "is in use on host");
  close (fd);
  guest (fixture, "hvm", NULL, xml);
  check (fixture);
  assert_fine (fixture, "graphics");
  check_missing (fixture, "hvm", elsewhere, "graphics", "192.0.2.1, which is no address of host");
  guest (fixture, "hvm", NULL, "<graphics type='vnc' autoport='yes' listen='192.0.2.1'/>");
  check (fixture);
  assert_fine (fixture, "graphics");
}

/* ---- policies --------------------------------------------------------------------------------------------- */

static void
test_policies (Fixture *fixture, gconstpointer data)
{
  g_autofree char *xml = disk_xml ("/nonexistent", "");

  /* --unsafe turns every refusal into a warning. */
  guest (fixture, "xenpvh", NULL, xml);
  check (fixture);
  assert_blocks (fixture, "disk:xvda", "with --unsafe");
  fixture->flags = VIR_MIGRATE_UNSAFE;
  check (fixture);
  assert_warns (fixture, "disk:xvda", "make it available there");
  fixture->flags = 0;

  /* The host's setting, then the guest's metadata. */
  fixture->driver->config.resources = g_strdup ("disk=ignore");
  check (fixture);
  assert_fine (fixture, "disk:xvda");
  guest (fixture, "xenpvh", "><xf:resource name='disk' want='mandatory'/>", xml);
  check (fixture);
  assert_blocks (fixture, "disk:xvda", "make it available there");
}

/* All that is wrong is said at once. */
static void
test_all_at_once (Fixture *fixture, gconstpointer data)
{
  g_autofree char *disk = disk_xml ("/nonexistent", ""), *nic = nic_xml ("<source bridge='br7'/>");
  g_autofree char *xml = g_strconcat (disk, nic, NULL);

  guest (fixture, "xenpvh", NULL, xml);
  check (fixture);
  assert_blocks (fixture, "disk:xvda", "make it available there");
  assert_blocks (fixture, "interface:" MAC, "bridge 'br7' does not exist");
}

/* What the checks add to a migration; printed, and not judged. */
static void
test_time (Fixture *fixture, gconstpointer data)
{
  g_autofree char *disk = disk_xml (fixture->image, ""), *nic = nic_xml ("<source bridge='xenbr0'/>");
  g_autofree char *both = g_strconcat (disk, nic, NULL);
  const char *devices[] = { NULL, both };

  for (guint i = 0; i < G_N_ELEMENTS (devices); i++) {
    gint64 start, told, checked;

    guest (fixture, "xenpvh", NULL, devices[i]);
    start = g_get_monotonic_time ();
    run (fixture, XF_SIDE_SOURCE, XF_VERB_TELL);
    told = g_get_monotonic_time ();
    check (fixture);
    checked = g_get_monotonic_time ();
    g_assert_no_error (fixture->error);
    g_test_message ("%s: tell %d us, check %d us", i ? "a disk and an interface" : "no devices", (int)(told - start),
                    (int)(checked - told));
  }
}

/* ---- within a migration ----------------------------------------------------------------------------------- */

typedef struct {
  gboolean done;
  GError *error;
  GBytes *cookie;
  char *xml;
} Answer;

static void
answered (const XfMigrateResult *result, const GError *error, gpointer data)
{
  Answer *answer = data;

  answer->done = TRUE;
  answer->error = error ? g_error_copy (error) : NULL;
  answer->cookie = result && result->cookie ? g_bytes_ref (result->cookie) : NULL;
  answer->xml = result ? g_strdup (result->xml) : NULL;
}

static void
clear_answer (Answer *answer)
{
  g_clear_error (&answer->error);
  g_clear_pointer (&answer->cookie, g_bytes_unref);
  g_clear_pointer (&answer->xml, g_free);
  answer->done = FALSE;
}

static void
begin (Fixture *fixture, const guint8 *uuid, Answer *answer)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();

  clear_answer (answer);
  xf_driver_migrate_begin (fixture->driver, uuid, fixture, params, VIR_MIGRATE_LIVE, answered, answer);
  host_wait (answer->done);
}

static void
confirm_cancelled (Fixture *fixture, const guint8 *uuid, Answer *answer)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();

  clear_answer (answer);
  xf_driver_migrate_confirm (fixture->driver, uuid, fixture, params, NULL, 0, TRUE, answered, answer);
  host_wait (answer->done);
  g_assert_no_error (answer->error);
}

static void
prepare (Fixture *fixture, const Answer *begun, Answer *answer)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();

  xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_DEST_XML, begun->xml);
  clear_answer (answer);
  xf_driver_migrate_prepare (fixture->driver, fixture, params, begun->cookie, VIR_MIGRATE_LIVE, answered, answer);
  host_wait (answer->done);
}

/* Begin puts the facts into the cookie; prepare on another host compares them with what it finds. */
static void
test_facts_travel (Fixture *fixture, gconstpointer data)
{
  g_autofree char *xml = disk_xml (fixture->image, ""), *named = NULL;
  g_autoptr (XfCookie) cookie = NULL;
  g_autoptr (GError) error = NULL;
  Answer begun = { 0 }, answer = { 0 };

  named = g_strconcat ("<devices>", xml, "</devices>", NULL);
  guest (fixture, "xenpvh", NULL, xml);
  g_free (named);
  named = xf_domain_def_format (fixture->def, XF_DOMAIN_FORMAT_INACTIVE, NULL);
  g_assert_true (host_create (fixture->host, named, 0, &error));
  g_assert_no_error (error);
  begin (fixture, fixture->def->uuid, &begun);
  g_assert_no_error (begun.error);
  cookie = xf_cookie_parse (begun.cookie, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (g_hash_table_lookup (cookie->facts, "disk:xvda size"), ==, "1048576");
  g_assert_nonnull (g_hash_table_lookup (cookie->facts, "cpu features"));
  confirm_cancelled (fixture, fixture->def->uuid, &answer);
  g_assert_true (host_destroy (fixture->host, fixture->def->uuid, &error));

  /* The same directory is another host now, whose disk is larger. */
  g_assert_cmpint (truncate (fixture->image, 2 << 20), ==, 0);
  prepare (fixture, &begun, &answer);
  g_assert_error (answer.error, XF_ERROR, XF_ERROR_MIGRATE_UNSAFE);
  g_test_message ("%s", answer.error->message);
  g_assert_nonnull (strstr (answer.error->message, "'g'"));
  g_assert_nonnull (strstr (answer.error->message, "disk:xvda: "));
  g_assert_null (xf_driver_lookup_name (fixture->driver, "g", NULL));
  clear_answer (&begun);
  clear_answer (&answer);
}

/* A guest that cannot move is refused before anything is asked of the other host, and keeps running. */
static void
test_begin_refuses (Fixture *fixture, gconstpointer data)
{
  g_autoptr (XfDomainRef) ref = NULL;
  libxl_device_pci pci;
  Answer answer = { 0 };

  host_set_control (fixture->host, "pci-assignable=0000:03:00.0\n");
  fixture->domid = start_guest (fixture, "g");
  ref = xf_driver_lookup_name (fixture->driver, "g", NULL);
  libxl_device_pci_init (&pci);
  pci.bus = 3;
  g_assert_cmpint (libxl_device_pci_add (xf_ctx_libxl (fixture->driver->ctx), fixture->domid, &pci, NULL), ==, 0);
  begin (fixture, ref->uuid, &answer);
  g_assert_error (answer.error, XF_ERROR, XF_ERROR_OPERATION_UNSUPPORTED);
  g_test_message ("%s", answer.error->message);
  g_assert_nonnull (strstr (answer.error->message, PCI ": "));
  g_assert_cmpint (host_state (fixture->host, ref->uuid, NULL), ==, VIR_DOMAIN_RUNNING);
  clear_answer (&answer);
}

/* The client of a begin whose storage does not answer goes away. */
static void
test_begin_hangs (Fixture *fixture, gconstpointer data)
{
  g_autofree char *xml = disk_xml (fixture->image, ""), *named = NULL;
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();
  g_autoptr (GError) error = NULL;
  Answer answer = { 0 };

  guest (fixture, "xenpvh", NULL, xml);
  named = xf_domain_def_format (fixture->def, XF_DOMAIN_FORMAT_INACTIVE, NULL);
  g_assert_true (host_create (fixture->host, named, 0, &error));
  g_assert_no_error (error);
  host_set_control (fixture->host, "pause=resource:disk\n");
  xf_driver_migrate_begin (fixture->driver, fixture->def->uuid, fixture, params, VIR_MIGRATE_LIVE, answered, &answer);
  host_idle (50);
  g_assert_false (answer.done);
  xf_driver_client_gone (fixture->driver, fixture);
  host_wait (answer.done);
  g_assert_nonnull (answer.error);
  host_set_control (fixture->host, "");
  host_idle (50);
  begin (fixture, fixture->def->uuid, &answer);
  g_assert_no_error (answer.error);
  confirm_cancelled (fixture, fixture->def->uuid, &answer);
  clear_answer (&answer);
}

int
main (int argc, char **argv)
{
  static const struct {
    const char *path;
    void (*test) (Fixture *fixture, gconstpointer data);
  } tests[] = {
    { "disk", test_disk },
    { "disk-size", test_disk_size },
    { "disk-file", test_disk_file },
    { "disk-format", test_disk_format },
    { "disk-device", test_disk_device },
    { "disk-in-use", test_disk_in_use },
    { "disk-shared", test_disk_shared },
    { "disk-elsewhere", test_disk_elsewhere },
    { "disk-hangs", test_disk_hangs },
    { "disk-of-other-hangs", test_disk_of_other_hangs },
    { "disk-many", test_disk_many },
    { "interface", test_interface },
    { "interface-script", test_interface_script },
    { "interface-ovs", test_interface_ovs },
    { "cpu-features", test_cpu_features },
    { "cpu-number", test_cpu_number },
    { "type", test_type },
    { "pool", test_pool },
    { "numa", test_numa },
    { "pci-source", test_pci_source },
    { "pci-destination", test_pci_destination },
    { "pci-pv", test_pci_pv },
    { "usb", test_usb },
    { "vtpm", test_vtpm },
    { "firmware", test_firmware },
    { "graphics", test_graphics },
    { "policies", test_policies },
    { "all-at-once", test_all_at_once },
    { "time", test_time },
    { "facts-travel", test_facts_travel },
    { "begin-refuses", test_begin_refuses },
    { "begin-hangs", test_begin_hangs },
  };

  g_test_init (&argc, &argv, NULL);
  g_log_set_always_fatal (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL); /* each finding is a warning in the log */
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++) {
    g_autofree char *path = g_strconcat ("/kinds/", tests[i].path, NULL);

    g_test_add (path, Fixture, NULL, set_up, tests[i].test, tear_down);
  }
  return g_test_run ();
}
