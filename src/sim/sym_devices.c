/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * CPU pools, and devices of the host that a guest can have. The control file says which there are:
 *
 *   cpu-pools=Pool-0:0-1 fast:1 empty:      default: Pool-0, with all CPUs
 *   pci-assignable=0000:03:00.0 0000:03:00.1
 *
 * A guest that has a device keeps it from no other.
 */
#include <libxl_utils.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/sim.h"

/* ---- CPU pools -------------------------------------------------------------------------------------------- */

static void
fill_pool (libxl_ctx *ctx, libxl_cpupoolinfo *pool, uint32_t number, const char *text)
{
  const char *cpus = strchr (text, ':');
  int first = 0, last = -1;

  libxl_cpupoolinfo_init (pool);
  pool->poolid = number;
  pool->pool_name = strndup (text, cpus ? (gsize)(cpus - text) : strlen (text));
  pool->sched = LIBXL_SCHEDULER_CREDIT2;
  libxl_bitmap_alloc (ctx, &pool->cpumap, (int)sysconf (_SC_NPROCESSORS_ONLN));
  if (!cpus)
    libxl_bitmap_set_any (&pool->cpumap);
  else if (sscanf (cpus + 1, "%d-%d", &first, &last) == 1)
    last = first;
  for (int cpu = first; cpus && cpu <= last; cpu++)
    libxl_bitmap_set (&pool->cpumap, cpu);
}

static char **
pool_texts (void)
{
  g_autofree char *text = host_control (sim_dir (), NULL, "cpu-pools");

  return g_strsplit (text ? text : "Pool-0", " ", -1);
}

libxl_cpupoolinfo *
libxl_list_cpupool (libxl_ctx *ctx, int *n_out)
{
  g_auto (GStrv) texts = pool_texts ();
  libxl_cpupoolinfo *pools;

  *n_out = 0;
  if (sim_fails (ctx, __func__))
    return NULL;
  pools = calloc (g_strv_length (texts) + 1, sizeof (*pools));
  for (guint i = 0; texts[i]; i++)
    fill_pool (ctx, &pools[(*n_out)++], i, texts[i]);
  return pools;
}

gboolean
sim_has_pool (const char *name)
{
  g_auto (GStrv) texts = pool_texts ();
  gboolean found = !name;

  for (guint i = 0; texts[i] && !found; i++) {
    texts[i][strcspn (texts[i], ":")] = '\0';
    found = g_str_equal (texts[i], name);
  }
  return found;
}

/* ---- devices ---------------------------------------------------------------------------------------------- */

static GArray *
assignable (void)
{
  GArray *list = g_array_new (FALSE, TRUE, sizeof (libxl_device_pci));
  g_autofree char *text = host_control (sim_dir (), NULL, "pci-assignable");
  g_auto (GStrv) words = g_strsplit (text ? text : "", " ", -1);

  for (guint i = 0; words[i]; i++) {
    libxl_device_pci pci;
    unsigned domain, bus, dev, func;

    if (sscanf (words[i], "%x:%x:%x.%x", &domain, &bus, &dev, &func) != 4)
      continue;
    libxl_device_pci_init (&pci);
    pci.domain = (int)domain;
    pci.bus = (uint8_t)bus;
    pci.dev = (uint8_t)dev;
    pci.func = (uint8_t)func;
    g_array_append_val (list, pci);
  }
  return list;
}

gboolean
sim_has_pci (const libxl_device_pci *pci)
{
  g_autoptr (GArray) list = assignable ();

  for (guint i = 0; i < list->len; i++) {
    const libxl_device_pci *own = &g_array_index (list, libxl_device_pci, i);

    if (own->domain == pci->domain && own->bus == pci->bus && own->dev == pci->dev && own->func == pci->func)
      return TRUE;
  }
  return FALSE;
}

libxl_device_pci *
libxl_device_pci_assignable_list (libxl_ctx *ctx, int *n_out)
{
  g_autoptr (GArray) list = NULL;
  libxl_device_pci *copy;

  *n_out = 0;
  if (sim_fails (ctx, __func__))
    return NULL;
  list = assignable ();
  copy = calloc (list->len + 1, sizeof (*copy));
  if (list->len) /* an empty array has no data */
    memcpy (copy, list->data, list->len * sizeof (*copy));
  *n_out = (int)list->len;
  return copy;
}

static int
add_pci (libxl_ctx *ctx, libxl_domain_config *config, const void *data)
{
  if (!sim_has_pci (data)) {
    sim_error (ctx, "PCI device is not assignable");
    return ERROR_FAIL;
  }
  config->pcidevs = realloc (config->pcidevs, (config->num_pcidevs + 1) * sizeof (*config->pcidevs));
  libxl_device_pci_init (&config->pcidevs[config->num_pcidevs]);
  libxl_device_pci_copy (ctx, &config->pcidevs[config->num_pcidevs++], data);
  return 0;
}

int
libxl_device_pci_add (libxl_ctx *ctx, uint32_t domid, libxl_device_pci *pci, const libxl_asyncop_how *how)
{
  return sim_change_device (ctx, domid, how, __func__, add_pci, pci);
}

static int
add_usb (libxl_ctx *ctx, libxl_domain_config *config, const void *data)
{
  config->usbdevs = realloc (config->usbdevs, (config->num_usbdevs + 1) * sizeof (*config->usbdevs));
  libxl_device_usbdev_init (&config->usbdevs[config->num_usbdevs]);
  libxl_device_usbdev_copy (ctx, &config->usbdevs[config->num_usbdevs++], data);
  return 0;
}

int
libxl_device_usbdev_add (libxl_ctx *ctx, uint32_t domid, libxl_device_usbdev *usb, const libxl_asyncop_how *how)
{
  return sim_change_device (ctx, domid, how, __func__, add_usb, usb);
}
