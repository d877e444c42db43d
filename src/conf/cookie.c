/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/cookie.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "conf/xml.h"

#define PEER_NAMESPACE "https://xenferry.org/schema/migration/1.0"
#define MAX_FEATURES 64
#define MAX_REASON 2000 /* bytes */
#define MAX_FACTS 512
#define FACT_BYTES 1024

static const char *const need_names[] = { "offered", "optional", "required" };

static void
clear_feature (gpointer data)
{
  g_free (((XfFeature *)data)->name);
}

XfCookie *
xf_cookie_new (const char *name, const guint8 *uuid, const char *hostname)
{
  XfCookie *cookie = g_new0 (XfCookie, 1);

  cookie->name = g_strdup (name);
  memcpy (cookie->uuid, uuid, XF_UUID_SIZE);
  cookie->hostname = g_strdup (hostname);
  cookie->stream_version = XF_STREAM_VERSION;
  cookie->features = g_array_new (FALSE, TRUE, sizeof (XfFeature));
  g_array_set_clear_func (cookie->features, clear_feature);
  return cookie;
}

void
xf_cookie_free (XfCookie *cookie)
{
  if (!cookie)
    return;
  g_array_unref (cookie->features);
  g_clear_pointer (&cookie->facts, g_hash_table_unref);
  g_free (cookie->hostname);
  g_free (cookie->config);
  g_free (cookie->secret);
  g_free (cookie->token);
  g_free (cookie->cancelled);
  g_free (cookie->warnings);
  g_free (cookie->name);
  g_free (cookie);
}

void
xf_cookie_set_peer (XfCookie *cookie, const guint8 *id)
{
  cookie->is_xenferry = TRUE;
  memcpy (cookie->id, id, XF_UUID_SIZE);
}

void
xf_cookie_add_feature (XfCookie *cookie, const char *name, XfFeatureNeed need)
{
  XfFeature feature = { g_strdup (name), need };

  g_array_append_val (cookie->features, feature);
}

static const struct {
  const char *name;
  gsize offset;
} progress_table[] = {
  { "bytes", G_STRUCT_OFFSET (XfCookieProgress, bytes) },
  { "pages", G_STRUCT_OFFSET (XfCookieProgress, pages) },
  { "content", G_STRUCT_OFFSET (XfCookieProgress, content) },
  { "iteration", G_STRUCT_OFFSET (XfCookieProgress, iteration) },
  { "dirty-rate", G_STRUCT_OFFSET (XfCookieProgress, dirty_rate) },
  { "suspended-us", G_STRUCT_OFFSET (XfCookieProgress, suspended_us) },
};

static void
format_progress (const XfCookie *cookie, GString *xml)
{
  if (!cookie->progress.iteration)
    return;
  g_string_append (xml, "    <xenferry:progress");
  for (guint i = 0; i < G_N_ELEMENTS (progress_table); i++)
    g_string_append_printf (xml, " %s='%" G_GUINT64_FORMAT "'", progress_table[i].name,
                            G_STRUCT_MEMBER (guint64, &cookie->progress, progress_table[i].offset));
  g_string_append (xml, "/>\n");
}

static const char *const guest_words[] = { [XF_COOKIE_PAUSED] = "paused", [XF_COOKIE_RUNNING] = "running" };

static void
format_sent (const XfCookie *cookie, GString *xml)
{
  g_string_append (xml, "    <xenferry:sent");
  if (cookie->guest != XF_COOKIE_UNSAID)
    g_string_append_printf (xml, " guest='%s'", guest_words[cookie->guest]);
  g_string_append (xml, "/>\n");
}

static void
parse_sent (XfCookie *cookie, const xmlNode *node)
{
  g_autofree char *text = xf_xml_attr (node, "guest");

  cookie->sent = TRUE;
  for (guint i = XF_COOKIE_PAUSED; i < G_N_ELEMENTS (guest_words); i++) {
    if (g_strcmp0 (text, guest_words[i]) == 0)
      cookie->guest = i;
  }
}

/* An error's text may have characters that XML has not; and it may quote a peer. */
static char *
safe_reason (const char *text)
{
  g_autofree char *part = g_strndup (text, MAX_REASON);

  return xf_log_escape (part);
}

static void
format_text (GString *xml, const char *element, const char *text)
{
  g_autofree char *safe = text ? safe_reason (text) : NULL, *line = NULL;

  if (!safe)
    return;
  line = g_markup_printf_escaped ("    <xenferry:%s>%s</xenferry:%s>\n", element, safe, element);
  g_string_append (xml, line);
}

static void
format_facts (const XfCookie *cookie, GString *xml)
{
  g_autoptr (GList) names = g_list_sort (g_hash_table_get_keys (cookie->facts), (GCompareFunc)strcmp);

  for (const GList *name = names; name; name = name->next) {
    g_autofree char *line = g_markup_printf_escaped ("    <xenferry:fact name='%s' value='%s'/>\n",
                                                     (const char *)name->data,
                                                     (const char *)g_hash_table_lookup (cookie->facts, name->data));

    g_string_append (xml, line);
  }
}

static gboolean
bad (GError **error, const char *what)
{
  g_set_error (error, XF_ERROR, XF_ERROR_INTERNAL, "migration cookie: %s", what);
  return FALSE;
}

static gboolean
parse_fact (XfCookie *cookie, const xmlNode *node, GError **error)
{
  g_autofree char *name = xf_xml_attr (node, "name"), *value = xf_xml_attr (node, "value");

  if (!cookie->facts)
    cookie->facts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  if (!name || !value || strlen (name) > FACT_BYTES || strlen (value) > FACT_BYTES
      || g_hash_table_size (cookie->facts) >= MAX_FACTS)
    return bad (error, "a fact has no name or no value, is too long, or there are too many");
  g_hash_table_replace (cookie->facts, g_steal_pointer (&name), g_steal_pointer (&value));
  return TRUE;
}

static void
format_peer (const XfCookie *cookie, GString *xml)
{
  g_autofree char *id = xf_uuid_to_string (cookie->id);

  g_string_append_printf (xml, "  <xenferry:peer xmlns:xenferry='" PEER_NAMESPACE "' migration='%s'>\n", id);
  for (guint i = 0; i < cookie->features->len; i++) {
    const XfFeature *feature = &g_array_index (cookie->features, XfFeature, i);
    g_autofree char *line = g_markup_printf_escaped ("    <xenferry:feature name='%s' need='%s'/>\n", feature->name,
                                                     need_names[feature->need]);

    g_string_append (xml, line);
  }
  format_progress (cookie, xml);
  if (cookie->sent)
    format_sent (cookie, xml);
  if (cookie->secret) {
    g_autofree char *settle = g_markup_printf_escaped ("    <xenferry:settle secret='%s' port='%u'/>\n", cookie->secret,
                                                       cookie->settle_port);

    g_string_append (xml, settle);
  }
  if (cookie->facts)
    format_facts (cookie, xml);
  if (cookie->token) {
    g_autofree char *data = g_markup_printf_escaped ("    <xenferry:data token='%s'/>\n", cookie->token);

    g_string_append (xml, data);
  }
  format_text (xml, "cancelled", cookie->cancelled);
  format_text (xml, "warnings", cookie->warnings);
  if (cookie->config) {
    g_autofree char *config = g_markup_escape_text (cookie->config, -1);

    g_string_append_printf (xml, "    <xenferry:config>%s</xenferry:config>\n", config);
  }
  g_string_append (xml, "  </xenferry:peer>\n");
}

GBytes *
xf_cookie_format (const XfCookie *cookie)
{
  g_autofree char *uuid = xf_uuid_to_string (cookie->uuid);
  g_autofree char *known = g_markup_printf_escaped ("<libxl-migration>\n"
                                                    "  <name>%s</name>\n"
                                                    "  <uuid>%s</uuid>\n"
                                                    "  <hostname>%s</hostname>\n"
                                                    "  <migration-stream-version>%u</migration-stream-version>\n",
                                                    cookie->name, uuid, cookie->hostname ? cookie->hostname : "",
                                                    cookie->stream_version);
  GString *xml = g_string_new (known);
  gsize length;

  if (cookie->is_xenferry)
    format_peer (cookie, xml);
  g_string_append (xml, "</libxl-migration>\n");
  length = xml->len + 1; /* with the NUL, without which libvirt's reader refuses it */
  return g_bytes_new_take (g_string_free (xml, FALSE), length);
}

static gboolean
parse_known (XfCookie *cookie, const xmlNode *root, GError **error)
{
  g_autofree char *uuid = xf_xml_text (xf_xml_child (root, "uuid"));
  g_autofree char *version = xf_xml_text (xf_xml_child (root, "migration-stream-version"));
  g_autofree char *hostname = xf_xml_text (xf_xml_child (root, "hostname"));
  guint64 number;

  cookie->name = xf_xml_text (xf_xml_child (root, "name"));
  cookie->hostname = hostname ? xf_log_escape (hostname) : NULL; /* for people */
  if (!cookie->name)
    return bad (error, "missing name element");
  if (!uuid || !xf_uuid_parse (uuid, cookie->uuid))
    return bad (error, "missing or malformed uuid element");
  if (!version || !g_ascii_string_to_unsigned (version, 10, 0, G_MAXUINT, &number, NULL))
    return bad (error, "missing or malformed migration-stream-version element");
  if (number != XF_STREAM_VERSION) {
    g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_UNSUPPORTED,
                 "Xen migration stream version '%s' is not supported on this host, which reads version %d", version,
                 XF_STREAM_VERSION);
    return FALSE;
  }
  cookie->stream_version = number;
  return TRUE;
}

static gboolean
is_peer_element (const xmlNode *node, const char *name)
{
  return node->type == XML_ELEMENT_NODE && node->ns && xmlStrEqual (node->ns->href, BAD_CAST PEER_NAMESPACE)
         && xmlStrEqual (node->name, BAD_CAST name);
}

static gboolean
parse_feature (XfCookie *cookie, const xmlNode *node, GError **error)
{
  g_autofree char *name = xf_xml_attr (node, "name"), *need = xf_xml_attr (node, "need");

  if (!name || cookie->features->len >= MAX_FEATURES)
    return bad (error, "a feature has no name, or there are too many");
  for (guint i = 0; i < G_N_ELEMENTS (need_names); i++) {
    if (g_strcmp0 (need, need_names[i]) == 0) {
      xf_cookie_add_feature (cookie, name, i);
      return TRUE;
    }
  }
  return bad (error, "a feature's need is none of offered, optional and required");
}

/* Numbers for information only: an absent or malformed one is zero. */
static void
parse_progress (XfCookie *cookie, const xmlNode *node)
{
  for (guint i = 0; i < G_N_ELEMENTS (progress_table); i++) {
    g_autofree char *text = xf_xml_attr (node, progress_table[i].name);
    guint64 number;

    if (text && g_ascii_string_to_unsigned (text, 10, 0, G_MAXINT64, &number, NULL))
      G_STRUCT_MEMBER (guint64, &cookie->progress, progress_table[i].offset) = number;
  }
}

static gboolean
parse_settle (XfCookie *cookie, const xmlNode *node, GError **error)
{
  g_autofree char *secret = xf_xml_attr (node, "secret"), *port = xf_xml_attr (node, "port");
  guint64 number;

  if (cookie->secret || !secret || !*secret || !port || !g_ascii_string_to_unsigned (port, 10, 0, 65535, &number, NULL))
    return bad (error, "its settle element has no secret or port, or there are two");
  cookie->secret = g_steal_pointer (&secret);
  cookie->settle_port = number;
  return TRUE;
}

/* For people. */
static void
parse_text (char **text_out, const xmlNode *node)
{
  g_autofree char *text = xf_xml_text (node);

  if (text && *text && !*text_out)
    *text_out = safe_reason (text);
}

static gboolean
parse_peer (XfCookie *cookie, const xmlNode *root, GError **error)
{
  for (const xmlNode *node = root->children; node; node = node->next) {
    g_autofree char *id = NULL;

    if (!is_peer_element (node, "peer"))
      continue;
    id = xf_xml_attr (node, "migration");
    if (!id || !xf_uuid_parse (id, cookie->id))
      return bad (error, "missing or malformed migration id");
    cookie->is_xenferry = TRUE;
    for (const xmlNode *child = node->children; child; child = child->next) {
      if (is_peer_element (child, "feature") && !parse_feature (cookie, child, error))
        return FALSE;
      if (is_peer_element (child, "settle") && !parse_settle (cookie, child, error))
        return FALSE;
      if (is_peer_element (child, "fact") && !parse_fact (cookie, child, error))
        return FALSE;
      if (is_peer_element (child, "data") && !cookie->token)
        cookie->token = xf_xml_attr (child, "token");
      if (is_peer_element (child, "sent"))
        parse_sent (cookie, child);
      if (is_peer_element (child, "progress"))
        parse_progress (cookie, child);
      if (is_peer_element (child, "cancelled"))
        parse_text (&cookie->cancelled, child);
      if (is_peer_element (child, "warnings"))
        parse_text (&cookie->warnings, child);
      if (is_peer_element (child, "config") && !cookie->config)
        cookie->config = xf_xml_text (child);
    }
  }
  return TRUE;
}

XfCookie *
xf_cookie_parse (GBytes *bytes, GError **error)
{
  gsize length = 0;
  const char *text = bytes ? g_bytes_get_data (bytes, &length) : NULL;
  g_autoptr (XfCookie) cookie = NULL;
  g_autoptr (xmlDoc) doc = NULL;

  if (length == 0)
    return NULL;
  if (text[length - 1] != '\0' || strlen (text) != length - 1) {
    bad (error, "it is not NULL terminated");
    return NULL;
  }
  doc = xf_xml_parse (text, length - 1, "libxl-migration", "migration cookie", error);
  if (!doc)
    return NULL;
  cookie = xf_cookie_new (NULL, (const guint8[XF_UUID_SIZE]){ 0 }, NULL);
  if (!parse_known (cookie, xmlDocGetRootElement (doc), error)
      || !parse_peer (cookie, xmlDocGetRootElement (doc), error))
    return NULL;
  return g_steal_pointer (&cookie);
}

gboolean
xf_cookie_check_features (const XfCookie *cookie, const char *const *known, GError **error)
{
  for (guint i = 0; i < cookie->features->len; i++) {
    const XfFeature *feature = &g_array_index (cookie->features, XfFeature, i);

    if (feature->need != XF_FEATURE_REQUIRED || g_strv_contains (known, feature->name))
      continue;
    g_set_error (
      error, XF_ERROR, XF_ERROR_OPERATION_UNSUPPORTED,
      "host '%s' requires the migration feature '%s', which this host does not know; update xenferry here or "
      "drop the requirement there",
      cookie->hostname ? cookie->hostname : "?", feature->name);
    return FALSE;
  }
  return TRUE;
}
