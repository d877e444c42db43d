/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/boot/find.h"

#include <libvirt/libvirt.h>
#include <stdlib.h>
#include <string.h>

#include "libxl/xen/ao.h"
#include "libxl/convert/config.h"
#include "libxl/guest/driver_private.h"
#include "libxl/guest/guest.h"
#include "libxl/guest/look.h"
#include "libxl/act/remains.h"
#include "libxl/guest/store.h"
#include "libxl/xen/dominfo.h"

/* Domain-0 has no definition; this is the one that libvirt's driver shows. */
static XfDomainDef *
dom0_def (const libxl_dominfo *info)
{
  g_autofree char *xml = g_strdup_printf ("<domain type='xen'><name>Domain-0</name>"
                                          "<uuid>00000000-0000-0000-0000-000000000000</uuid>"
                                          "<memory unit='KiB'>%" G_GUINT64_FORMAT "</memory><vcpu>%u</vcpu>"
                                          "<os><type>linux</type></os></domain>",
                                          MAX ((guint64)info->current_memkb, 1024), MAX (info->vcpu_online, 1u));

  return xf_domain_def_parse (xml, XF_DOMAIN_PARSE_NONE, NULL);
}

/* A guest that xl or another toolstack started. @config: libxl's, or NULL if there is none. */
static XfDomainDef *
foreign_def (guint domid, const libxl_domain_config *config)
{
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  XfDomainDef *def = config ? xf_config_to_def (config, notes, &error) : NULL;

  if (!def)
    g_warning ("domain %u is left alone: %s", domid, error ? error->message : "libxl does not know its configuration");
  if (def && g_strcmp0 (def->name, config->c_info.name) != 0) {
    g_autofree char *printable = g_strescape (config->c_info.name ? config->c_info.name : "", NULL);

    g_warning ("domain %u is called '%s' by the toolstack that started it, which cannot be a name here: it is shown as "
               "'%s'",
               domid, printable, def->name);
  }
  /* The guest runs on and migrates with everything; only another start from this XML would lack it. */
  for (guint i = 0; def && i < notes->len; i++)
    g_info ("domain '%s' was started by another toolstack: %s", def->name, (char *)notes->pdata[i]);
  return def;
}

/* Takes @def. */
static XfGuest *
adopt_as (XfDriver *driver, const libxl_dominfo *info, XfDomainDef *def, int state, int reason, gboolean foreign)
{
  g_autoptr (GError) error = NULL;
  XfGuest *guest = xf_guest_claim (driver, def->name, def->uuid, &error);

  if (!guest) {
    g_warning ("domain %u is left alone: %s", info->domid, error->message);
    xf_domain_def_free (def);
    return NULL;
  }
  xf_look_judge (info, &state, &reason);
  guest->foreign = foreign;
  xf_guest_now_running (guest, info->domid, def, state, reason);
  /* A guest that runs here has returned, however it was started; a suspended one may have moved away. */
  if (reason != VIR_DOMAIN_PAUSED_MIGRATION)
    xf_journal_guest_is_here (driver->journal, guest->uuid);
  if (reason == VIR_DOMAIN_PAUSED_MIGRATION)
    xf_guest_set_message (guest, "it was suspended by a migration: if it runs on the other host end it here with virsh "
                                 "destroy, if it does not, virsh resume");
  return guest;
}

/* Blocks in libxl: clients are not served before the start is complete. */
static void
adopt_foreign (XfDriver *driver, const libxl_dominfo *info)
{
  libxl_domain_config config;

  libxl_domain_config_init (&config);
  if (libxl_retrieve_domain_configuration (xf_ctx_libxl (driver->ctx), info->domid, &config, NULL) == 0)
    (void)xf_find_adopt (driver, info, &config);
  else
    (void)foreign_def (info->domid, NULL);
  libxl_domain_config_dispose (&config);
}

gboolean
xf_find_adopt (XfDriver *driver, const libxl_dominfo *info, const libxl_domain_config *config)
{
  XfDomainDef *def = foreign_def (info->domid, config);
  XfGuest *guest = def ? adopt_as (driver, info, def, VIR_DOMAIN_NOSTATE, 0, TRUE) : NULL;

  if (!guest)
    return FALSE;
  g_info ("domain '%s', domid %u, was started by another toolstack", guest->name, info->domid);
  xf_guest_emit_lifecycle (guest, VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_BOOTED);
  return TRUE;
}

static void
adopt (XfDriver *driver, const libxl_dominfo *info)
{
  const guint8 *uuid = libxl_uuid_bytearray_const (&info->uuid);
  int state = VIR_DOMAIN_NOSTATE, reason = 0;
  gboolean foreign = FALSE;
  XfDomainDef *def = NULL;

  if (xf_remains_are (driver, info) || xf_look_is_preserved (driver, info))
    return;
  if (info->domid == 0)
    def = dom0_def (info);
  else
    def = xf_store_read_status (driver, uuid, info->domid, &state, &reason, &foreign);
  if (!def)
    def = xf_remains_def (driver, uuid);
  /* libvirtd's guests have their XML stored with libxl; that of other guests is made from libxl's configuration. */
  if (!def)
    def = xf_store_read_userdata (driver, uuid, info->domid);
  if (def)
    (void)adopt_as (driver, info, def, state, reason, foreign);
  else
    adopt_foreign (driver, info);
}

gboolean
xf_find_running (XfDriver *driver, GError **error)
{
  g_auto (XfDominfoList) list = xf_dominfo_list (driver->ctx);

  /* Domain-0 always exists. Without a list each running guest would count as ended. */
  if (!list.items)
    return xf_rc_to_error (ERROR_FAIL, error, driver->ctx, "libxl cannot list the domains of this host");
  for (int i = 0; i < list.n; i++) {
    if (!list.items[i].dying)
      adopt (driver, &list.items[i]);
  }
  return TRUE;
}
