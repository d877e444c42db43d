/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The host: its identity, its resources, its capabilities. And the consoles of guests.
 */
#include <errno.h>
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/utsname.h>

#include "base/error.h"
#include "base/fd.h"
#include "libxl/convert/features.h"
#include "libxl/guest/driver_private.h"
#include "libxl/guest/guest.h"

static gboolean
silent (GError **error, const char *what)
{
  g_set_error (error, XF_ERROR, XF_ERROR_INTERNAL, "Xen does not report %s", what);
  return FALSE;
}

guint64
xf_driver_xen_version (XfDriver *driver)
{
  const libxl_version_info *version = libxl_get_version_info (xf_ctx_libxl (driver->ctx));
  guint release = 0;

  if (!version)
    return 0;
  if (version->xen_version_extra && *version->xen_version_extra == '.')
    release = g_ascii_strtoull (version->xen_version_extra + 1, NULL, 10);
  return version->xen_version_major * 1000000 + version->xen_version_minor * 1000 + release;
}

gboolean
xf_driver_node_info (XfDriver *driver, XfNodeInfo *info_out, GError **error)
{
  const libxl_version_info *version = libxl_get_version_info (xf_ctx_libxl (driver->ctx));
  struct utsname uts;
  libxl_physinfo info;

  memset (info_out, 0, sizeof (*info_out));
  libxl_physinfo_init (&info);
  if (!version || libxl_get_physinfo (xf_ctx_libxl (driver->ctx), &info) != 0) {
    libxl_physinfo_dispose (&info);
    return silent (error, "the properties of this host");
  }
  uname (&uts);
  g_strlcpy (info_out->model, uts.machine, sizeof (info_out->model));
  info_out->memory_kib = info.total_pages * (guint64)(version->pagesize / 1024);
  info_out->cpus = info.nr_cpus;
  info_out->mhz = info.cpu_khz / 1000;
  info_out->nodes = MAX (info.nr_nodes, 1u);
  info_out->threads = MAX (info.threads_per_core, 1u);
  info_out->cores = MAX (info.cores_per_socket, 1u);
  info_out->sockets = MAX (info.nr_cpus / (info_out->threads * info_out->cores * info_out->nodes), 1u);
  libxl_physinfo_dispose (&info);
  return TRUE;
}

char *
xf_driver_cpu_features (XfDriver *driver, GError **error)
{
  char *features = xf_features_of_host (xf_ctx_libxl (driver->ctx));

  if (!features)
    silent (error, "its CPU features");
  return features;
}

gboolean
xf_driver_free_memory (XfDriver *driver, guint64 *bytes_out, GError **error)
{
  uint64_t kib = 0;

  if (libxl_get_free_memory (xf_ctx_libxl (driver->ctx), &kib) != 0)
    return silent (error, "its free memory");
  *bytes_out = kib * 1024;
  return TRUE;
}

GArray *
xf_driver_cells_free_memory (XfDriver *driver, int start, int max, GError **error)
{
  int n = 0;
  libxl_numainfo *cells = libxl_get_numainfo (xf_ctx_libxl (driver->ctx), &n);
  GArray *free_bytes;

  if (!cells || start < 0 || max < 0 || start >= n) {
    if (cells)
      libxl_numainfo_list_free (cells, n);
    silent (error, "NUMA cells of that number");
    return NULL;
  }
  free_bytes = g_array_new (FALSE, TRUE, sizeof (guint64));
  for (int i = start; i < n && i - start < max; i++) {
    guint64 bytes = cells[i].size == LIBXL_NUMAINFO_INVALID_ENTRY ? 0 : cells[i].free;

    g_array_append_val (free_bytes, bytes);
  }
  libxl_numainfo_list_free (cells, n);
  return free_bytes;
}

int
xf_driver_max_vcpus (XfDriver *driver, const char *type)
{
  int cpus = libxl_get_max_cpus (xf_ctx_libxl (driver->ctx));

  return cpus > 0 ? cpus : 1;
}

/* ---- capabilities ----------------------------------------------------------------------------------------- */

static const struct {
  const char *os_type, *machine, *loader;
} guests[] = {
  { "xen", "xenpv", NULL },
  { "xenpvh", "xenpvh", NULL },
  { "hvm", "xenfv", "/usr/lib/xen/boot/hvmloader" },
};

/* Xen does not know the topology of every machine. */
static guint
known_or_0 (guint32 number)
{
  return number == LIBXL_CPUTOPOLOGY_INVALID_ENTRY ? 0 : number;
}

static void
append_cell (GString *xml, int id, const libxl_numainfo *cell, const libxl_cputopology *cpus, int n_cpus)
{
  g_autoptr (GString) inside = g_string_new (NULL);
  guint n = 0;

  for (int i = 0; i < n_cpus; i++) {
    if (cpus[i].node != (uint32_t)id)
      continue;
    n++;
    g_string_append_printf (inside, "            <cpu id='%d' socket_id='%u' die_id='0' core_id='%u' siblings='%d'/>\n",
                            i, known_or_0 (cpus[i].socket), known_or_0 (cpus[i].core), i);
  }
  g_string_append_printf (xml,
                          "        <cell id='%d'>\n          <memory unit='KiB'>%" G_GUINT64_FORMAT "</memory>\n"
                          "          <cpus num='%u'>\n%s          </cpus>\n        </cell>\n",
                          id, (guint64)cell->size / 1024, n, inside->str);
}

/* virsh freecell --all finds the cells here. A host that does not report them has none. */
static void
append_topology (XfDriver *driver, GString *xml)
{
  int n_cells = 0, n_cpus = 0;
  libxl_numainfo *cells = libxl_get_numainfo (xf_ctx_libxl (driver->ctx), &n_cells);
  libxl_cputopology *cpus = libxl_get_cpu_topology (xf_ctx_libxl (driver->ctx), &n_cpus);

  n_cells = cells ? n_cells : 0;
  g_string_append_printf (xml, "    <topology>\n      <cells num='%d'>\n", n_cells);
  for (int i = 0; i < n_cells; i++)
    append_cell (xml, i, &cells[i], cpus, cpus ? n_cpus : 0);
  g_string_append (xml, "      </cells>\n    </topology>\n");
  if (cells)
    libxl_numainfo_list_free (cells, n_cells);
  if (cpus)
    libxl_cputopology_list_free (cpus, n_cpus);
}

char *
xf_driver_capabilities (XfDriver *driver, GError **error)
{
  g_autoptr (GString) xml = g_string_new ("<capabilities>\n");
  XfNodeInfo node;

  if (!xf_driver_node_info (driver, &node, error))
    return NULL;
  g_string_append_printf (xml,
                          "  <host>\n"
                          "    <cpu>\n      <arch>%s</arch>\n"
                          "      <topology sockets='%u' dies='1' cores='%u' threads='%u'/>\n    </cpu>\n"
                          "    <power_management/>\n"
                          "    <migration_features>\n      <live/>\n"
                          "      <uri_transports>\n        <uri_transport>tcp</uri_transport>\n"
                          "      </uri_transports>\n    </migration_features>\n"
                          "    <netprefix>vif</netprefix>\n",
                          node.model, node.sockets, node.cores, node.threads);
  append_topology (driver, xml);
  g_string_append (xml, "  </host>\n");
  for (gsize i = 0; i < G_N_ELEMENTS (guests); i++) {
    g_string_append_printf (xml,
                            "  <guest>\n    <os_type>%s</os_type>\n    <arch name='x86_64'>\n"
                            "      <wordsize>64</wordsize>\n",
                            guests[i].os_type);
    if (guests[i].loader)
      g_string_append_printf (xml, "      <loader>%s</loader>\n", guests[i].loader);
    g_string_append_printf (xml, "      <machine>%s</machine>\n      <domain type='xen'/>\n    </arch>\n",
                            guests[i].machine);
    if (guests[i].loader)
      g_string_append (xml, "    <features>\n      <pae/>\n      <acpi default='on' toggle='yes'/>\n"
                            "      <apic default='on' toggle='no'/>\n      <hap default='on' toggle='yes'/>\n"
                            "    </features>\n");
    g_string_append (xml, "  </guest>\n");
  }
  g_string_append (xml, "</capabilities>\n");
  return g_string_free (g_steal_pointer (&xml), FALSE);
}

char *
xf_driver_domain_capabilities (XfDriver *driver, const char *emulator, const char *arch, const char *machine,
                               const char *virt_type, guint flags, GError **error)
{
  gboolean known = FALSE;

  for (gsize i = 0; i < G_N_ELEMENTS (guests); i++)
    known |= !machine || g_str_equal (machine, guests[i].machine);
  if ((virt_type && !g_str_equal (virt_type, "xen")) || (arch && !g_str_equal (arch, "x86_64")) || !known) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG,
                 "this host runs no such guest: virttype '%s', arch '%s', machine '%s'", virt_type ? virt_type : "xen",
                 arch ? arch : "x86_64", machine ? machine : "xenpv");
    return NULL;
  }
  return g_strdup_printf ("<domainCapabilities>\n"
                          "  <domain>xen</domain>\n"
                          "  <machine>%s</machine>\n"
                          "  <arch>x86_64</arch>\n"
                          "  <vcpu max='%d'/>\n"
                          "  <devices>\n"
                          "    <disk supported='yes'>\n"
                          "      <enum name='diskDevice'>\n        <value>disk</value>\n        <value>cdrom</value>\n"
                          "      </enum>\n    </disk>\n"
                          "    <graphics supported='yes'>\n"
                          "      <enum name='type'>\n        <value>vnc</value>\n      </enum>\n    </graphics>\n"
                          "    <hostdev supported='no'/>\n"
                          "  </devices>\n"
                          "</domainCapabilities>\n",
                          machine ? machine : "xenpv", xf_driver_max_vcpus (driver, NULL));
}

/* ---- console ---------------------------------------------------------------------------------------------- */

int
xf_driver_domain_open_console (XfDriver *driver, const guint8 *uuid, const char *device, guint flags, GError **error)
{
  XfGuest *guest = xf_guest_find_or_error (driver, uuid, error);
  xf_autofd fd = -1;

  if (!guest)
    return -1;
  if (device && !g_str_equal (device, "console0") && !g_str_equal (device, "serial0")) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "domain '%s' has no console device '%s'", guest->name, device);
    return -1;
  }
  if (!guest->tty || guest->domid < 0) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_INVALID,
                 guest->domid < 0 ? "domain is not running" : "domain has no console");
    return -1;
  }
  fd = open (guest->tty, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    xf_error_set_errno (error, errno, "cannot open the console '%s' of domain '%s'", guest->tty, guest->name);
    return -1;
  }
  /* One user at a time, by a lock that is released with the descriptor; --force opens it regardless. */
  if (flock (fd, LOCK_EX | LOCK_NB) < 0 && !(flags & VIR_DOMAIN_CONSOLE_FORCE)) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_FAILED, "Active console session exists for this domain");
    return -1;
  }
  return xf_steal_fd (&fd);
}
