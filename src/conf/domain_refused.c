/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/domain_refused.h"

#include <string.h>

#include "conf/domain_name.h"
#include "conf/xml.h"

static void
take_identity (XfDomainIdentity *identity, const xmlNode *root)
{
  g_autofree char *name = xf_domain_read_name (root), *uuid = xf_xml_text (xf_xml_child (root, "uuid"));

  if (xf_domain_name_check (name, NULL))
    identity->name = g_steal_pointer (&name);
  identity->has_uuid = uuid && xf_uuid_parse (uuid, identity->uuid);
}

/* The first element of that name in @text, as a separate XML document. */
static char *
cut_element (const char *text, gsize length, const char *name)
{
  g_autofree char *opening = g_strdup_printf ("<%s>", name), *closing = g_strdup_printf ("</%s>", name);
  const char *start = g_strstr_len (text, length, opening), *end;

  end = start ? g_strstr_len (start, length - (start - text), closing) : NULL;
  return end ? g_strndup (start, end + strlen (closing) - start) : g_strdup ("");
}

/* The document is broken, but rarely in these two elements. */
static void
search_identity (XfDomainIdentity *identity, const char *text, gsize length)
{
  g_autofree char *name = cut_element (text, length, "name"), *uuid = cut_element (text, length, "uuid");
  g_autofree char *xml = g_strconcat ("<domain>", name, uuid, "</domain>", NULL);
  g_autoptr (xmlDoc) doc = xf_xml_parse (xml, strlen (xml), "domain", "domain XML", NULL);

  if (doc)
    take_identity (identity, xmlDocGetRootElement (doc));
}

void
xf_domain_identity_read (XfDomainIdentity *identity_out, const char *text, gsize length)
{
  g_autoptr (xmlDoc) doc = xf_xml_parse (text, length, "domain", "domain XML", NULL);

  *identity_out = (XfDomainIdentity){ 0 };
  if (doc)
    take_identity (identity_out, xmlDocGetRootElement (doc));
  else
    search_identity (identity_out, text, length);
}

void
xf_domain_identity_clear (XfDomainIdentity *identity)
{
  g_free (identity->name);
  *identity = (XfDomainIdentity){ 0 };
}

static xmlDoc *
empty_document (void)
{
  xmlDoc *doc = xmlNewDoc (BAD_CAST "1.0");

  xmlDocSetRootElement (doc, xmlNewNode (NULL, BAD_CAST "domain"));
  return doc;
}

XfDomainDef *
xf_domain_def_stand_in (const char *text, gsize length, const char *name, const guint8 *uuid)
{
  XfDomainDef *def = g_new0 (XfDomainDef, 1);
  g_autofree char *uuid_text = xf_uuid_to_string (uuid);
  xmlNode *root;

  def->doc = xf_xml_parse (text, length, "domain", "domain XML", NULL);
  if (!def->doc)
    def->doc = empty_document ();
  root = xmlDocGetRootElement (def->doc);
  xf_xml_set_child_text (root, "name", name);
  xf_xml_set_child_text (root, "uuid", uuid_text);
  def->name = g_strdup (name);
  memcpy (def->uuid, uuid, XF_UUID_SIZE);
  def->arch = g_strdup ("x86_64");
  def->boot = g_strdup ("c");
  def->vcpus = def->vcpus_current = 1;
  def->hap = def->hpet = def->vnc.port = -1;
  def->pins = g_array_new (FALSE, TRUE, sizeof (XfVcpuPin));
  xf_domain_init_devices (def);
  return def;
}
